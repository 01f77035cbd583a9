//! Several enrollments in one request; each is done or refused by itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DpsRefusal, enrollment_body::parse};
use crate::{
    dps::{Enrollments, Stored},
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

pub(super) fn respond<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    call: &Call,
) -> Result<Answer, DpsRefusal> {
    let body = call.json().map_err(DpsRefusal::bad_request)?;
    let mode = match body["mode"].as_str().unwrap_or_default() {
        mode if mode.eq_ignore_ascii_case("create") => Mode::Create,
        mode if mode.eq_ignore_ascii_case("update") => Mode::Update,
        mode if mode.eq_ignore_ascii_case("updateIfMatchETag") => Mode::UpdateIfMatchETag,
        mode if mode.eq_ignore_ascii_case("delete") => Mode::Delete,
        _ => {
            return Err(DpsRefusal::bad_request(
                "mode has to be create, update, updateIfMatchETag or delete",
            ));
        }
    };
    let Some(entries) = body[E::LIST].as_array() else {
        return Err(DpsRefusal::bad_request(format!("{} is not a list", E::LIST)));
    };
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(DpsRefusal {
            code: 400_205,
            message: format!("{} has to hold 1 to {MAX_ENTRIES} enrollments", E::LIST),
        });
    }
    let id = |entry: &Value| entry[E::ID].as_str().unwrap_or_default().to_owned();
    let distinct: BTreeSet<_> = entries.iter().map(|entry| id(entry).to_ascii_lowercase()).collect();
    if distinct.len() < entries.len() {
        return Err(DpsRefusal { code: 400_206, message: format!("a {} is there more than once", E::ID) });
    }
    let errors: Vec<Value> = entries
        .iter()
        .filter_map(|entry| {
            let id = id(entry);
            let refusal = apply(enrollments, mode, entry, (&id, call.api_version())).err()?;
            Some(json!({ E::ID: id, "errorCode": refusal.code, "errorStatus": refusal.message }))
        })
        .collect();
    Ok(answer::json(200, &json!({ "isSuccessful": errors.is_empty(), "errors": errors })))
}

fn apply<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    mode: Mode,
    entry: &Value,
    (id, api_version): (&str, &str),
) -> Result<(), DpsRefusal> {
    let etag = entry["etag"].as_str().filter(|etag| *etag != "*");
    let condition = || match etag {
        Some(etag) => IfMatch::ETag(etag.to_owned()),
        None => IfMatch::Any,
    };
    match mode {
        Mode::Create => enrollments.create(parse(entry.clone(), id, api_version)?).map(drop)?,
        Mode::Update => {
            enrollments.update(parse(entry.clone(), id, api_version)?, &IfMatch::Any).map(drop)?;
        }
        Mode::UpdateIfMatchETag => {
            enrollments.update(parse(entry.clone(), id, api_version)?, &condition()).map(drop)?;
        }
        Mode::Delete => enrollments.delete(id, &condition())?,
    }
    Ok(())
}
