//! Enrollments, of both kinds by the same calls.

use serde_json::Value;

use super::{DpsRefusal, enrollment_body::parse, issuance_members};
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
    let items = enrollments.list().into_iter().map(|item| {
        let key = item.id().to_ascii_lowercase();
        (key, shown(&item.without_keys(), call))
    });
    page(call, items, E::ITEM_TYPE).map_err(DpsRefusal::bad_request)
}

pub(super) fn attestation<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
) -> Result<Answer, DpsRefusal> {
    Ok(answer::json(200, &enrollments.get(id)?.terms().attestation))
}

pub(super) fn get<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
    call: &Call,
) -> Result<Answer, DpsRefusal> {
    Ok(tagged(&enrollments.get(id)?.without_keys(), call))
}

/// Creates without `If-Match`, updates with it.
pub(super) fn put<E: Stored>(
    enrollments: &Enrollments<'_, E>,
    id: &str,
    call: &Call,
) -> Result<Answer, DpsRefusal> {
    let given: E = parse(body(call)?, id, call.api_version())?;
    let stored = match call.quoted_if_match() {
        None => enrollments.create(given)?,
        Some(condition) => enrollments.update(given, &condition)?,
    };
    Ok(tagged(&stored, call))
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

/// As the API version of the call has it.
fn shown<E: Stored>(enrollment: &E, call: &Call) -> Value {
    // The type has no form that JSON lacks.
    let mut shown = serde_json::to_value(enrollment).unwrap_or_default();
    issuance_members::show(&mut shown, call.api_version());
    shown
}

fn tagged<E: Stored>(enrollment: &E, call: &Call) -> Answer {
    answer::with_etag(
        answer::json(200, &shown(enrollment, call)),
        enrollment.terms().etag.as_deref().unwrap_or_default(),
    )
}
