//! A hub by REST (`api-version=2021-04-12` in shape), and our additions under the same host: the telemetry stream and
//! messages to devices, for which Azure has AMQP alone, and message routing and
//! Event Grid subscriptions, which are Azure Resource Manager's there.

mod refusal;
mod devices;
mod modules;
mod twins;
mod digital_twins;
mod bulk;
mod configurations;
mod jobs;
mod messages;
mod handouts;
mod registry_configurations;
mod registry_jobs;
mod statistics;
mod routing;
mod event_subscriptions;
mod consumer_groups;
mod silence;
mod certificates;

use std::{borrow::Cow, pin::Pin};

use hyper::Method;

pub(crate) use bulk::enter_device;
pub(super) use refusal::HubRefusal;

use super::{
    answer::{self, Answer},
    authorize::Caller,
    call::Call,
    route::{self, Route},
};
use crate::{
    hub::{Hub, HubError, check_device_id, module_address},
    security::access::Right::{self, RegistryRead, RegistryWrite, ServiceConnect},
};

/// Answers a call; the text is the second word of its path: the device ID where there is one, or the address of the module
/// that the path names.
enum Handler {
    Now(Immediate),
    Later(for<'a> fn(&'a Hub, &'a str, &'a Call) -> Pending<'a>),
}

type Immediate = fn(&Hub, &str, &Call) -> Result<Answer, HubRefusal>;

type Pending<'a> = Pin<Box<dyn Future<Output = Result<Answer, HubRefusal>> + Send + 'a>>;

/// Every call that a hub knows.
static ROUTES: [Route<Handler>; 69] = [
    azure(Method::GET, "devices", RegistryRead, |hub, _, call| devices::list(hub, call)),
    azure(Method::POST, "devices", RegistryWrite, |hub, _, call| bulk::respond(hub, call)),
    azure(Method::POST, "devices/query", ServiceConnect, |hub, _, call| twins::query(hub, call)),
    azure(Method::POST, "devices/keys/regenerate", RegistryWrite, |hub, _, call| {
        devices::regenerate_keys(hub, call)
    }),
    azure(Method::GET, "devices/{id}/modules", RegistryRead, |hub, id, _| modules::list(hub, id)),
    azure(Method::GET, "devices/{id}/modules/{mid}", RegistryRead, |hub, id, _| modules::get(hub, id)),
    azure(Method::PUT, "devices/{id}/modules/{mid}", RegistryWrite, modules::put),
    azure(Method::DELETE, "devices/{id}/modules/{mid}", RegistryWrite, modules::delete),
    azure(Method::DELETE, "devices/{id}/commands", ServiceConnect, |hub, id, _| messages::purge(hub, id)),
    azure(Method::GET, "devices/{id}", RegistryRead, |hub, id, _| devices::get(hub, id)),
    azure(Method::PUT, "devices/{id}", RegistryWrite, devices::put),
    azure(Method::DELETE, "devices/{id}", RegistryWrite, devices::delete),
    azure(Method::GET, "twins/{id}", ServiceConnect, |hub, id, _| twins::get(hub, id)),
    azure(Method::PATCH, "twins/{id}", ServiceConnect, twins::merge),
    azure(Method::PUT, "twins/{id}", ServiceConnect, twins::replace),
    azure(Method::GET, "twins/{id}/modules/{mid}", ServiceConnect, |hub, id, _| twins::get(hub, id)),
    azure(Method::PATCH, "twins/{id}/modules/{mid}", ServiceConnect, twins::merge),
    azure(Method::PUT, "twins/{id}/modules/{mid}", ServiceConnect, twins::replace),
    later(Method::POST, "twins/{id}/modules/{mid}/methods", ServiceConnect, |hub, id, call| {
        Box::pin(twins::invoke(hub, id, call))
    }),
    later(Method::POST, "twins/{id}/methods", ServiceConnect, |hub, id, call| {
        Box::pin(twins::invoke(hub, id, call))
    }),
    azure(Method::GET, "digitalTwins/{id}", ServiceConnect, |hub, id, _| digital_twins::get(hub, id)),
    azure(Method::PATCH, "digitalTwins/{id}", ServiceConnect, digital_twins::patch),
    later(Method::POST, "digitalTwins/{id}/commands/{name}", ServiceConnect, |hub, id, call| {
        Box::pin(digital_twins::command(hub, id, call))
    }),
    later(
        Method::POST,
        "digitalTwins/{id}/components/{path}/commands/{name}",
        ServiceConnect,
        |hub, id, call| Box::pin(digital_twins::component_command(hub, id, call)),
    ),
    azure(Method::GET, "jobs/v2/query", ServiceConnect, |hub, _, call| jobs::query(hub, call)),
    azure(Method::GET, "jobs/v2/{id}", ServiceConnect, |hub, _, call| jobs::get(hub, call)),
    azure(Method::PUT, "jobs/v2/{id}", ServiceConnect, |hub, _, call| jobs::put(hub, call)),
    azure(Method::POST, "jobs/v2/{id}/cancel", ServiceConnect, |hub, _, call| jobs::cancel(hub, call)),
    azure(Method::GET, "statistics/devices", RegistryRead, |hub, _, _| Ok(statistics::devices(hub))),
    azure(Method::GET, "statistics/service", RegistryRead, |hub, _, _| Ok(statistics::service(hub))),
    ours(Method::GET, "statistics/telemetry", RegistryRead, |hub, _, call| statistics::telemetry(hub, call)),
    azure(Method::POST, "configurations/testQueries", RegistryRead, |_, _, call| {
        configurations::try_queries(call)
    }),
    later(Method::GET, "configurations", RegistryRead, |hub, _, call| {
        Box::pin(configurations::list(hub, call))
    }),
    later(Method::GET, "configurations/{id}", RegistryRead, |hub, id, _| {
        Box::pin(configurations::get(hub, id))
    }),
    later(Method::PUT, "configurations/{id}", RegistryWrite, |hub, id, call| {
        Box::pin(configurations::put(hub, id, call))
    }),
    azure(Method::DELETE, "configurations/{id}", RegistryWrite, configurations::delete),
    azure(Method::POST, "devices/{id}/applyConfigurationContent", RegistryWrite, configurations::apply),
    ours(Method::GET, "telemetry", ServiceConnect, |hub, _, call| Ok(messages::telemetry(hub, call))),
    ours(Method::GET, "routing", RegistryRead, |hub, _, _| Ok(routing::get(hub))),
    ours(Method::PUT, "routing", RegistryWrite, |hub, _, call| routing::put(hub, call)),
    ours(Method::POST, "routing/routes/$testnew", RegistryRead, |hub, _, call| routing::try_new(hub, call)),
    ours(Method::POST, "routing/routes/$testall", RegistryRead, |hub, _, call| routing::try_all(hub, call)),
    ours(Method::GET, "routingEndpointsHealth", RegistryRead, |hub, _, _| Ok(routing::health(hub))),
    ours(Method::GET, "certificates", RegistryRead, |hub, _, _| Ok(certificates::list(hub))),
    ours(Method::GET, "certificates/{name}", RegistryRead, |hub, name, _| certificates::get(hub, name)),
    ours(Method::PUT, "certificates/{name}", RegistryWrite, certificates::put),
    ours(Method::DELETE, "certificates/{name}", RegistryWrite, |hub, name, _| {
        certificates::delete(hub, name)
    }),
    ours(Method::GET, "silence", RegistryRead, |hub, _, _| Ok(silence::get(hub))),
    ours(Method::PUT, "silence", RegistryWrite, |hub, _, call| silence::put(hub, call)),
    ours(Method::GET, "eventSubscriptions", RegistryRead, |hub, _, _| Ok(event_subscriptions::list(hub))),
    ours(Method::GET, "eventSubscriptions/{name}", RegistryRead, |hub, name, _| {
        event_subscriptions::get(hub, name)
    }),
    ours(Method::DELETE, "eventSubscriptions/{name}", RegistryWrite, |hub, name, _| {
        event_subscriptions::delete(hub, name)
    }),
    Route::ours(
        Method::PUT,
        "eventSubscriptions/{name}",
        RegistryWrite,
        Handler::Later(|hub, name, call| Box::pin(event_subscriptions::put(hub, name, call))),
    ),
    ours(Method::GET, "consumerGroups", RegistryRead, |hub, _, _| Ok(consumer_groups::list(hub))),
    ours(Method::GET, "consumerGroups/{name}", RegistryRead, |hub, name, _| consumer_groups::get(hub, name)),
    ours(Method::PUT, "consumerGroups/{name}", RegistryWrite, consumer_groups::put),
    ours(Method::DELETE, "consumerGroups/{name}", RegistryWrite, |hub, name, _| {
        consumer_groups::delete(hub, name)
    }),
    ours(Method::POST, "devices/{id}/messages/deviceBound", ServiceConnect, messages::send),
    azure(Method::GET, "messages/serviceBound/feedback", ServiceConnect, |hub, _, _| {
        Ok(handouts::show(hub, hub.take_feedback()))
    }),
    azure(Method::DELETE, "messages/serviceBound/feedback/{lockToken}", ServiceConnect, |hub, _, call| {
        done(hub.complete_feedback(handouts::lock_token(call)))
    }),
    azure(
        Method::POST,
        "messages/serviceBound/feedback/{lockToken}/abandon",
        ServiceConnect,
        |hub, _, call| done(hub.abandon_feedback(handouts::lock_token(call))),
    ),
    azure(Method::GET, "messages/serviceBound/filenotifications", ServiceConnect, |hub, _, _| {
        Ok(handouts::show(hub, hub.take_file_notification()))
    }),
    azure(
        Method::DELETE,
        "messages/serviceBound/filenotifications/{lockToken}",
        ServiceConnect,
        |hub, _, call| done(hub.complete_file_notification(handouts::lock_token(call))),
    ),
    azure(
        Method::POST,
        "messages/serviceBound/filenotifications/{lockToken}/abandon",
        ServiceConnect,
        |hub, _, call| done(hub.abandon_file_notification(handouts::lock_token(call))),
    ),
    azure(Method::POST, "jobs/create", RegistryWrite, |hub, _, call| registry_jobs::create(hub, call)),
    azure(Method::GET, "jobs", RegistryRead, |hub, _, _| Ok(registry_jobs::list(hub))),
    azure(Method::GET, "jobs/{jobId}", RegistryRead, |hub, id, _| registry_jobs::get(hub, id)),
    azure(Method::DELETE, "jobs/{jobId}", RegistryWrite, |hub, id, _| registry_jobs::cancel(hub, id)),
    ours(Method::PUT, "blobContainers/{name}", RegistryWrite, registry_jobs::make_container),
];

const fn azure(method: Method, pattern: &'static str, right: Right, handler: Immediate) -> Route<Handler> {
    Route::azure(method, pattern, right, Handler::Now(handler))
}

const fn later(
    method: Method,
    pattern: &'static str,
    right: Right,
    handler: for<'a> fn(&'a Hub, &'a str, &'a Call) -> Pending<'a>,
) -> Route<Handler> {
    Route::azure(method, pattern, right, Handler::Later(handler))
}

const fn ours(method: Method, pattern: &'static str, right: Right, handler: Immediate) -> Route<Handler> {
    Route::ours(method, pattern, right, Handler::Now(handler))
}

fn done(result: Result<(), HubError>) -> Result<Answer, HubRefusal> {
    result?;
    Ok(answer::no_content())
}

/// Whether a call begins as one of a hub's services does.
pub(super) fn knows(call: &Call) -> bool {
    route::knows(&ROUTES, call)
}

/// The second word of the path, or the address of the module that it names.
fn subject(call: &Call) -> Result<Cow<'_, str>, HubRefusal> {
    let is = |word: &str, names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let [first, id, ..] = &call.segments[..] else {
        return Ok(Cow::Borrowed(""));
    };
    if !is(first, &["devices", "twins", "digitalTwins"]) {
        return Ok(Cow::Borrowed(id));
    }
    // What is escaped in one word is no address of a module.
    let check =
        |id: &str| check_device_id(id).map_err(|_| HubRefusal::from(HubError::DeviceNotFound(id.into())));
    match call.segments.get(2..) {
        Some([modules, module, ..]) if is(modules, &["modules"]) => {
            check(id)?;
            Ok(Cow::Owned(module_address(id, module)))
        }
        Some([_, ..]) | None => check(id).map(|()| Cow::Borrowed(id.as_str())),
        Some([]) if is(first, &["twins", "digitalTwins"]) => check(id).map(|()| Cow::Borrowed(id.as_str())),
        Some([]) => Ok(Cow::Borrowed(id)),
    }
}

pub(super) async fn respond(hub: &Hub, caller: &Caller, call: &Call) -> Result<Answer, HubRefusal> {
    let found = route::find(&ROUTES, call);
    if found.map_or(!route::is_ours(&ROUTES, call), |route| route.is_versioned) {
        call.check_api_version()
            .map_err(|message| HubRefusal::new(400_000, "InvalidProtocolVersion", message))?;
    }
    let Some(route) = found else {
        return Err(HubRefusal::no_route(call));
    };
    if !caller.may(route.right) {
        return Err(HubRefusal::unauthorized("the policy does not allow this"));
    }
    let id = subject(call)?;
    match &route.handler {
        Handler::Now(answer) => answer(hub, &id, call),
        Handler::Later(answer) => answer(hub, &id, call).await,
    }
}
