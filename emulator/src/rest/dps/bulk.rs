//! Several enrollments in one request; each is done or refused by itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Refusal,
    resource::{Resource, parse},
};
use crate::{
    dps::Dps,
    etag::IfMatch,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

/// Enrollments in one request.
const MAX_ENTRIES: usize = 10;

#[derive(Clone, Copy)]
enum Mode {
    Create,
    Update,
    UpdateIfMatchETag,
    Delete,
}

pub(super) fn respond<R: Resource>(dps: &Dps, call: &Call) -> Result<Answer, Refusal> {
    let body = call.json().map_err(Refusal::bad_request)?;
    let mode = match body["mode"].as_str().unwrap_or_default() {
        mode if mode.eq_ignore_ascii_case("create") => Mode::Create,
        mode if mode.eq_ignore_ascii_case("update") => Mode::Update,
        mode if mode.eq_ignore_ascii_case("updateIfMatchETag") => Mode::UpdateIfMatchETag,
        mode if mode.eq_ignore_ascii_case("delete") => Mode::Delete,
        _ => return Err(Refusal::bad_request("mode has to be create, update, updateIfMatchETag or delete")),
    };
    let Some(entries) = body[R::LIST].as_array() else {
        return Err(Refusal::bad_request(format!("{} is not a list", R::LIST)));
    };
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(Refusal {
            code: 400_205,
            message: format!("{} has to hold 1 to {MAX_ENTRIES} enrollments", R::LIST),
        });
    }
    let id = |entry: &Value| entry[R::ID].as_str().unwrap_or_default().to_owned();
    let distinct: BTreeSet<_> = entries.iter().map(|entry| id(entry).to_ascii_lowercase()).collect();
    if distinct.len() < entries.len() {
        return Err(Refusal { code: 400_206, message: format!("a {} is there more than once", R::ID) });
    }
    let errors: Vec<Value> = entries
        .iter()
        .filter_map(|entry| {
            let id = id(entry);
            let refusal = apply::<R>(dps, mode, entry, &id).err()?;
            Some(json!({ R::ID: id, "errorCode": refusal.code, "errorStatus": refusal.message }))
        })
        .collect();
    Ok(answer::json(200, &json!({ "isSuccessful": errors.is_empty(), "errors": errors })))
}

fn apply<R: Resource>(dps: &Dps, mode: Mode, entry: &Value, id: &str) -> Result<(), Refusal> {
    let etag = entry["etag"].as_str().filter(|etag| *etag != "*");
    let condition = || match etag {
        Some(etag) => IfMatch::ETag(etag.to_owned()),
        None => IfMatch::Any,
    };
    match mode {
        Mode::Create => parse::<R>(entry.clone(), id)?.create(dps).map(drop)?,
        Mode::Update => parse::<R>(entry.clone(), id)?.update(dps, &IfMatch::Any).map(drop)?,
        Mode::UpdateIfMatchETag => parse::<R>(entry.clone(), id)?.update(dps, &condition()).map(drop)?,
        Mode::Delete => R::delete(dps, id, &condition())?,
    }
    Ok(())
}
