//! Enrollments, of both kinds by the same calls.

use serde_json::Value;

use super::{DpsRefusal, enrollment_body::parse};
use crate::{
    dps::{Enrollments, Stored},
    etag::IfMatch,
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::page,
    },
};

/// The text of the query is passed over: clients send many, one of them by mistake, and the path says it all.
pub(super) fn query<E: Stored>(enrollments: &Enrollments<'_, E>, call: &Call) -> Result<Answer, DpsRefusal> {
    let items =
        enrollments.list().into_iter().map(|item| (item.id().to_ascii_lowercase(), item.without_keys()));
    page(call, items, E::ITEM_TYPE).map_err(DpsRefusal::bad_request)
}

pub(super) fn attestation<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
) -> Result<Answer, DpsRefusal> {
    Ok(answer::json(200, &enrollments.get(id)?.terms().attestation))
}

pub(super) fn get<E: Stored>(enrollments: &Enrollments<'_, E>, id: &str) -> Result<Answer, DpsRefusal> {
    Ok(tagged(&enrollments.get(id)?.without_keys()))
}

/// Creates without `If-Match`, updates with it.
pub(super) fn put<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
    call: &Call,
) -> Result<Answer, DpsRefusal> {
    let given: E = parse(body(call)?, id)?;
    let stored = match call.quoted_if_match() {
        None => enrollments.create(given)?,
        Some(condition) => enrollments.update(given, &condition)?,
    };
    Ok(tagged(&stored))
}

pub(super) fn delete<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
    call: &Call,
) -> Result<Answer, DpsRefusal> {
    enrollments.delete(id, &call.quoted_if_match().unwrap_or(IfMatch::Any))?;
    Ok(answer::no_content())
}

fn body(call: &Call) -> Result<Value, DpsRefusal> {
    call.json().map_err(DpsRefusal::bad_request)
}

fn tagged<E: Stored>(enrollment: &E) -> Answer {
    answer::with_etag(answer::json(200, enrollment), enrollment.terms().etag.as_deref().unwrap_or_default())
}
