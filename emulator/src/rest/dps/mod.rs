//! The provisioning service by REST (`api-version=2021-10-01` in shape), and our additions under the same host:
//! CA certificates, the namespace that issues certificates, linked hubs, faults, events.

mod refusal;
mod issuance_members;
mod enrollment_body;
mod enrollments;
mod bulk;
mod registrations;
mod ca_certificates;
mod faults;
mod namespace;

use hyper::Method;
use serde_json::json;

pub(crate) use enrollment_body::read_enrollment;
pub(super) use refusal::DpsRefusal;

use super::{
    answer::{self, Answer},
    authorize::Caller,
    call::Call,
    route::{self, Route},
    stream,
};
use crate::{dps::Dps, events::Event, security::access::Right};

/// Answers a call; the text is the second word of its path, the ID where there is one.
type Handler = fn(&Dps, &str, &Call) -> Result<Answer, DpsRefusal>;

/// Every call that the service knows.
static ROUTES: [Route<Handler>; 37] = [
    azure(Method::POST, "enrollments", |dps, _, call| bulk::respond(&dps.individuals(), call)),
    azure(Method::POST, "enrollments/query", |dps, _, call| enrollments::query(&dps.individuals(), call)),
    azure(Method::POST, "enrollments/{id}/attestationMechanism", |dps, id, _| {
        enrollments::attestation(&dps.individuals(), id)
    }),
    azure(Method::GET, "enrollments/{id}", |dps, id, call| enrollments::get(&dps.individuals(), id, call)),
    azure(Method::PUT, "enrollments/{id}", |dps, id, call| enrollments::put(&dps.individuals(), id, call)),
    azure(Method::DELETE, "enrollments/{id}", |dps, id, call| {
        enrollments::delete(&dps.individuals(), id, call)
    }),
    azure(Method::POST, "enrollmentGroups", |dps, _, call| bulk::respond(&dps.groups(), call)),
    azure(Method::POST, "enrollmentGroups/query", |dps, _, call| enrollments::query(&dps.groups(), call)),
    azure(Method::POST, "enrollmentGroups/{id}/attestationMechanism", |dps, id, _| {
        enrollments::attestation(&dps.groups(), id)
    }),
    azure(Method::GET, "enrollmentGroups/{id}", |dps, id, call| enrollments::get(&dps.groups(), id, call)),
    azure(Method::PUT, "enrollmentGroups/{id}", |dps, id, call| enrollments::put(&dps.groups(), id, call)),
    azure(Method::DELETE, "enrollmentGroups/{id}", |dps, id, call| {
        enrollments::delete(&dps.groups(), id, call)
    }),
    azure(Method::POST, "registrations/{id}/query", registrations::of_group),
    azure(Method::GET, "registrations/{id}", registrations::get),
    azure(Method::DELETE, "registrations/{id}", registrations::delete),
    ours(Method::GET, "certificates", ca_certificates::list),
    ours(Method::GET, "certificates/{name}", ca_certificates::get),
    ours(Method::PUT, "certificates/{name}", ca_certificates::put),
    ours(Method::DELETE, "certificates/{name}", ca_certificates::delete),
    ours(Method::POST, "certificates/{name}/generateVerificationCode", ca_certificates::generate_code),
    ours(Method::POST, "certificates/{name}/verify", ca_certificates::verify),
    ours(Method::GET, "certificateAuthorities", namespace::authorities),
    ours(Method::GET, "certificateAuthorities/{name}", namespace::authority),
    ours(Method::PUT, "certificateAuthorities/{name}", namespace::create_authority),
    ours(Method::DELETE, "certificateAuthorities/{name}", namespace::delete_authority),
    ours(Method::GET, "certificatePolicies", namespace::policies),
    ours(Method::GET, "certificatePolicies/{name}", namespace::policy),
    ours(Method::PUT, "certificatePolicies/{name}", namespace::create_policy),
    ours(Method::DELETE, "certificatePolicies/{name}", namespace::delete_policy),
    ours(Method::GET, "faults", |dps, _, _| Ok(faults::list(dps.faults()))),
    ours(Method::POST, "faults", |dps, _, call| faults::inject(dps.faults(), call)),
    ours(Method::DELETE, "faults", |dps, _, _| Ok(faults::clear_all(dps.faults()))),
    ours(Method::GET, "faults/history", |dps, _, _| Ok(faults::history(dps.faults()))),
    ours(Method::DELETE, "faults/history", |dps, _, _| Ok(faults::forget_history(dps.faults()))),
    ours(Method::DELETE, "faults/{id}", |dps, id, _| faults::clear(dps.faults(), id)),
    ours(Method::GET, "linkedHubs", |dps, _, _| Ok(linked_hubs(dps))),
    ours(Method::GET, "events", |dps, _, _| Ok(events(dps))),
];

const fn azure(method: Method, pattern: &'static str, handler: Handler) -> Route<Handler> {
    Route::azure(method, pattern, Right::Provisioning, handler)
}

const fn ours(method: Method, pattern: &'static str, handler: Handler) -> Route<Handler> {
    Route::ours(method, pattern, Right::Provisioning, handler)
}

/// Whether the path is one of this service rather than of a hub.
pub(super) fn knows(call: &Call) -> bool {
    route::knows(&ROUTES, call)
}

pub(super) fn respond(dps: &Dps, caller: &Caller, call: &Call) -> Result<Answer, DpsRefusal> {
    let found = route::find(&ROUTES, call);
    // The service has one right, so who may not make this call may make none.
    if !caller.may(found.map_or(Right::Provisioning, |route| route.right)) {
        return Err(DpsRefusal::unauthorized("the policy does not allow this"));
    }
    if found.map_or(!route::is_ours(&ROUTES, call), |route| route.is_versioned) {
        call.check_api_version().map_err(DpsRefusal::bad_request)?;
    }
    let route = found.ok_or_else(|| DpsRefusal::no_route(call))?;
    (route.handler)(dps, call.segments.get(1).map(String::as_str).unwrap_or_default(), call)
}

/// The hubs as they are linked, each with what devices speak there.
fn linked_hubs(dps: &Dps) -> Answer {
    let shown = dps.linked_hubs().into_iter().map(|linked| {
        let profile = dps.hub(&linked.name).map(|hub| hub.profile().word());
        let mut shown = json!(linked);
        shown["connectionProfile"] = profile.into();
        shown
    });
    answer::json(200, &shown.collect::<Vec<_>>())
}

fn events(dps: &Dps) -> Answer {
    let print = |event: &Event| Some((None, json!(event).to_string()));
    stream::events(dps.events().subscribe(), print)
}
