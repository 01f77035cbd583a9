//! What devices call over HTTPS: telemetry and messages at their hub, registration at DPS.
//!
//! ```text
//!  Call ─▶ is the path one of a device? ─▶ token or certificate ─▶ hub: events, deviceBound, files
//!                                       └▶ token or certificate ─▶ DPS: register, operations, registration
//! ```
//!
//! A module sends its telemetry by `devices/{id}/modules/{moduleId}/messages/events`; and a device looks after its own modules by
//! the calls that services have for them, with credentials of its own instead of a policy's.
//!
//! These paths are none of the services', so a call needs no look at its token to tell which it is. At the hub's own name
//! that hub is meant; under any other, such as `localhost`, the one that the device's credentials are good for.

mod received;
mod events;
mod device_bound;
mod files;
mod edge;
mod admission;
mod registration;

use hyper::Method;

use super::{
    answer::Answer,
    authorize::Caller,
    call::Call,
    hub::HubRefusal,
    route::{self, Route},
};
use crate::{
    dps::Dps,
    hub::{Hub, module_address},
    security::{access::Right::DeviceConnect, sas::SasToken},
};

/// Answers a call of the device that is named.
type Handler = fn(&Hub, &str, &Call) -> Result<Answer, HubRefusal>;

/// Every call of a device, or of a module, that a hub knows.
static ROUTES: [Route<Handler>; 15] = [
    azure(Method::POST, "devices/{id}/messages/events", events::take),
    azure(Method::POST, "devices/{id}/modules/{moduleId}/messages/events", events::take),
    azure(Method::GET, "devices/{id}/messages/deviceBound", device_bound::receive),
    azure(Method::DELETE, "devices/{id}/messages/deviceBound/{lockToken}", device_bound::finish),
    azure(Method::POST, "devices/{id}/messages/deviceBound/{lockToken}/abandon", device_bound::abandon),
    azure(Method::POST, "devices/{id}/files", files::begin),
    azure(Method::POST, "devices/{id}/files/notifications", files::end),
    azure(Method::POST, "devices/{id}/files/notifications/{correlationId}", files::end),
    edge(Method::GET, "devices/{id}/modules/{moduleId}/devicesAndModulesInDeviceScope"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/devicesAndModulesInTargetDeviceScope"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/getDeviceAndModuleOnBehalfOf"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/getModulesOnTargetDevice"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/getModuleOnBehalfOf"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/putModuleOnBehalfOf"),
    edge(Method::POST, "devices/{id}/modules/{moduleId}/deleteModuleOnBehalfOf"),
];

const fn azure(method: Method, pattern: &'static str, handler: Handler) -> Route<Handler> {
    Route::azure(method, pattern, DeviceConnect, handler)
}

const fn edge(method: Method, pattern: &'static str) -> Route<Handler> {
    azure(method, pattern, edge::refuse)
}

/// The answer to a call of a device; nothing for one of a service.
pub(super) fn respond(services: &Dps, call: &Call) -> Option<Answer> {
    if let Some(answer) = registration::respond(services, call) {
        return Some(answer);
    }
    let now = services.clock().now();
    let route = route::find(&ROUTES, call)?;
    let device_id = match &call.segments[..] {
        // What is escaped in one word is no address of a module, and nobody's ID.
        [_, id, ..] if id.contains('/') => String::new(),
        [_, id, modules, module, ..] if modules.eq_ignore_ascii_case("modules") => module_address(id, module),
        [_, id, ..] => id.clone(),
        _ => String::new(),
    };
    let answer = admission::hub_of(services, &device_id, call).and_then(|hub| {
        call.check_api_version()
            .map_err(|message| HubRefusal::new(400_000, "InvalidProtocolVersion", message))?;
        (route.handler)(&hub, &device_id, call)
    });
    Some(answer.unwrap_or_else(|refusal| refusal.answer(now)))
}

/// A device as the caller of what services do with its modules; nothing where it is a service that calls, or for more.
pub(super) fn owner(services: &Dps, call: &Call) -> Option<Result<Caller, HubRefusal>> {
    let device_id = match &call.segments[..] {
        [devices, id, modules] | [devices, id, modules, _]
            if devices.eq_ignore_ascii_case("devices") && modules.eq_ignore_ascii_case("modules") =>
        {
            id
        }
        _ => return None,
    };
    let is_own = |text: &str| SasToken::parse(text).is_ok_and(|token| token.policy.is_none());
    let is_device = call.header("authorization").map_or(!call.certificates.is_empty(), is_own);
    is_device.then(|| admission::hub_of(services, device_id, call).map(Caller::owner_of_modules))
}
