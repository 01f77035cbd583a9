//! Registration records.

use super::DpsRefusal;
use crate::{
    dps::Dps,
    etag::IfMatch,
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::page,
    },
};

/// The records that a group decided.
pub(super) fn of_group(dps: &Dps, group_id: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    let records = dps.group_registrations(group_id)?.into_iter().map(|record| {
        let key = record.registration_id.clone().unwrap_or_default();
        (key.to_ascii_lowercase(), record)
    });
    page(call, records, "deviceRegistration").map_err(DpsRefusal::bad_request)
}

pub(super) fn get(dps: &Dps, id: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    let record = dps.registration(id)?;
    let etag = record.etag.clone().unwrap_or_default();
    Ok(answer::with_etag(answer::json(200, &record), &etag))
}

pub(super) fn delete(dps: &Dps, id: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    dps.delete_registration(id, &call.quoted_if_match().unwrap_or(IfMatch::Any))?;
    Ok(answer::no_content())
}
