//! What devices call over HTTPS: telemetry and messages at their hub, registration at DPS.
//!
//! ```text
//!  Call ─▶ is the path one of a device? ─▶ token or certificate ─▶ hub: events, deviceBound, files
//!                                       └▶ token or certificate ─▶ DPS: register, operations, registration
//! ```
//!
//! These paths are none of the services', so a call needs no look at its token to tell which it is. At the hub's own name
//! that hub is meant; under any other, such as `localhost`, the one that the device's credentials are good for.

mod received;
mod events;
mod device_bound;
mod files;
mod admission;
mod registration;

use hyper::Method;

use super::{
    answer::Answer,
    call::Call,
    hub::HubRefusal,
    route::{self, Route},
};
use crate::{dps::Dps, hub::Hub, security::access::Right::DeviceConnect};

/// Answers a call of the device that is named.
type Handler = fn(&Hub, &str, &Call) -> Result<Answer, HubRefusal>;

/// Every call of a device that a hub knows.
static ROUTES: [Route<Handler>; 7] = [
    azure(Method::POST, "devices/{id}/messages/events", events::take),
    azure(Method::GET, "devices/{id}/messages/deviceBound", device_bound::receive),
    azure(Method::DELETE, "devices/{id}/messages/deviceBound/{lockToken}", device_bound::finish),
    azure(Method::POST, "devices/{id}/messages/deviceBound/{lockToken}/abandon", device_bound::abandon),
    azure(Method::POST, "devices/{id}/files", files::begin),
    azure(Method::POST, "devices/{id}/files/notifications", files::end),
    azure(Method::POST, "devices/{id}/files/notifications/{correlationId}", files::end),
];

/// What modules call, of which there are none.
const MODULES: [&str; 3] = [
    "devices/{id}/modules/{moduleId}/messages",
    "devices/{id}/modules/{moduleId}/files",
    "devices/{id}/modules/{moduleId}/twin",
];

const fn azure(method: Method, pattern: &'static str, handler: Handler) -> Route<Handler> {
    Route::azure(method, pattern, DeviceConnect, handler)
}

/// The answer to a call of a device; nothing for one of a service.
pub(super) fn respond(services: &Dps, call: &Call) -> Option<Answer> {
    if let Some(answer) = registration::respond(services, call) {
        return Some(answer);
    }
    let now = services.clock().now();
    if MODULES.iter().any(|pattern| route::begins(pattern, call)) {
        return Some(HubRefusal::not_implemented("module identities").answer(now));
    }
    let route = route::find(&ROUTES, call)?;
    let device_id = call.segments.get(1).map(String::as_str).unwrap_or_default();
    let answer = admission::hub_of(services, device_id, call).and_then(|hub| {
        call.check_api_version()
            .map_err(|message| HubRefusal::new(400_000, "InvalidProtocolVersion", message))?;
        (route.handler)(&hub, device_id, call)
    });
    Some(answer.unwrap_or_else(|refusal| refusal.answer(now)))
}
