//! The provisioning service by REST (`api-version=2021-10-01` in shape), and our additions under the same host:
//! CA certificates, linked hubs, faults, events.

mod bulk;
mod ca_certificates;
mod faults;
mod refusal;
mod resource;

use hyper::Method;
use serde_json::json;

pub(super) use refusal::Refusal;
use resource::Resource;

use super::{
    answer::{self, Answer},
    authorize::Caller,
    call::Call,
    paging::page,
    stream,
};
use crate::{
    dps::{Dps, EnrollmentGroup, IndividualEnrollment},
    etag::IfMatch,
    security::access::Right,
};

pub(super) fn respond(dps: &Dps, caller: &Caller, call: &Call) -> Result<Answer, Refusal> {
    if !caller.may(Right::Provisioning) {
        return Err(Refusal::unauthorized("the policy does not allow this"));
    }
    let words = call.words();
    match words.as_slice() {
        ["certificates", ..] => return ca_certificates::respond(dps, call),
        ["faults", ..] => return faults::respond(dps.faults(), call),
        ["linkedhubs"] if call.method == Method::GET => return Ok(answer::json(200, &dps.linked_hubs())),
        ["events"] if call.method == Method::GET => {
            let print = |event: &crate::Event| Some((None, json!(event)));
            return Ok(stream::events(Vec::new(), dps.events().subscribe(), print));
        }
        _ => {}
    }
    call.check_api_version().map_err(Refusal::bad_request)?;
    match words.as_slice() {
        ["enrollments", rest @ ..] => enrollments::<IndividualEnrollment>(dps, call, rest),
        ["enrollmentgroups", rest @ ..] => enrollments::<EnrollmentGroup>(dps, call, rest),
        ["registrations", rest @ ..] => registrations(dps, call, rest),
        _ => Err(Refusal::no_route(call)),
    }
}

fn enrollments<R: Resource>(dps: &Dps, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let id = call.segments.get(1).map(String::as_str).unwrap_or_default();
    match (&call.method, rest) {
        (&Method::POST, []) => bulk::respond::<R>(dps, call),
        // The text of the query is passed over: clients send many, one of them by mistake, and the path says it all.
        (&Method::POST, ["query"]) => {
            let items =
                R::list(dps).into_iter().map(|item| (item.id().to_ascii_lowercase(), item.without_keys()));
            page(call, items, R::ITEM_TYPE).map_err(Refusal::bad_request)
        }
        (&Method::POST, [_, "attestationmechanism"]) => {
            Ok(answer::json(200, &R::get(dps, id)?.attestation()))
        }
        (&Method::GET, [_]) => {
            let found = R::get(dps, id)?.without_keys();
            Ok(tagged(&found))
        }
        (&Method::PUT, [_]) => {
            let given = resource::parse::<R>(call.json().map_err(Refusal::bad_request)?, id)?;
            let stored = match call.quoted_if_match() {
                None => given.create(dps)?,
                Some(condition) => given.update(dps, &condition)?,
            };
            Ok(tagged(&stored))
        }
        (&Method::DELETE, [_]) => {
            R::delete(dps, id, &call.quoted_if_match().unwrap_or(IfMatch::Any))?;
            Ok(answer::no_content())
        }
        _ => Err(Refusal::no_route(call)),
    }
}

fn registrations(dps: &Dps, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let id = call.segments.get(1).map(String::as_str).unwrap_or_default();
    match (&call.method, rest) {
        (&Method::POST, [_, "query"]) => {
            let records = dps.group_registrations(id)?.into_iter().map(|record| {
                let key = record.registration_id.clone().unwrap_or_default();
                (key.to_ascii_lowercase(), record)
            });
            page(call, records, "deviceRegistration").map_err(Refusal::bad_request)
        }
        (&Method::GET, [_]) => {
            let record = dps.registration(id)?;
            let etag = record.etag.clone().unwrap_or_default();
            Ok(answer::with_etag(answer::json(200, &record), &etag))
        }
        (&Method::DELETE, [_]) => {
            dps.delete_registration(id, &call.quoted_if_match().unwrap_or(IfMatch::Any))?;
            Ok(answer::no_content())
        }
        _ => Err(Refusal::no_route(call)),
    }
}

fn tagged<R: Resource>(resource: &R) -> Answer {
    answer::with_etag(answer::json(200, resource), resource.etag().unwrap_or_default())
}
