//! Message routing by REST, an addition of ours: at Azure it is a part of the hub's resource in Azure Resource Manager. Bodies
//! are those of ARM.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /routing` | | 200 `{"properties":{"routing":…},"etag":"…"}` |
//! | `PUT /routing` | the same | 200 the same |
//! | `POST /routing/routes/$testnew` | `{"route":…,"message":{"body","appProperties","systemProperties"},"twin":…}` | 200 `{"result":"true" \| "false" \| "undefined","details":…}` |
//! | `POST /routing/routes/$testall` | `{"routingSource":…,"message":…,"twin":…}` | 200 `{"routes":[…]}` |
//! | `GET /routingEndpointsHealth` | | 200 `{"value":[…]}` |

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    etag::IfMatch,
    hub::{Hub, RouteTrial, RoutesTrial, Routing},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn get(hub: &Hub) -> Answer {
    let (routing, etag) = hub.routing_with_etag();
    show(hub, &routing, &etag)
}

pub(super) fn put(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let mut body = call.json().map_err(HubRefusal::bad_request)?;
    let routing = body.pointer_mut("/properties/routing").map(Value::take);
    let routing = routing.ok_or_else(|| HubRefusal::bad_request("properties.routing is missing"))?;
    let routing: Routing = serde_json::from_value(routing)
        .map_err(|error| HubRefusal::bad_request(format!("properties.routing: {error}")))?;
    let etag = hub.set_routing_if(routing, &call.if_match().unwrap_or(IfMatch::Any))?;
    Ok(show(hub, &hub.routing(), &etag))
}

pub(super) fn try_new(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let trial: RouteTrial = read(call)?;
    Ok(answer::json(200, &hub.try_route(&trial)))
}

pub(super) fn try_all(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let trial: RoutesTrial = read(call)?;
    Ok(answer::json(200, &hub.try_routes(&trial)))
}

pub(super) fn health(hub: &Hub) -> Answer {
    let time = |time: Option<DateTime<Utc>>| time.map(wire_time::print);
    let value: Vec<_> = hub
        .deliveries()
        .into_iter()
        .map(|(name, health)| {
            let status = match (health.last_attempt, health.failures) {
                (None, _) => "unknown",
                (_, 0) => "healthy",
                (_, 1..=9) => "unhealthy",
                _ => "dead",
            };
            let (error, at) = health.last_error.unzip();
            json!({
                "endpointId": name,
                "healthStatus": status,
                "lastKnownError": error,
                "lastKnownErrorTime": time(at),
                "lastSuccessfulSendAttemptTime": time(health.last_success),
                "lastSendAttemptTime": time(health.last_attempt),
                "waiting": health.waiting,
                "delivered": health.delivered,
                "deadLetters": health.dead,
                "lost": health.lost,
            })
        })
        .collect();
    answer::json(200, &json!({ "value": value }))
}

fn show(hub: &Hub, routing: &Routing, etag: &str) -> Answer {
    let shown = json!({
        "name": hub.name().split('.').next(),
        "type": "Microsoft.Devices/IotHubs",
        "etag": etag,
        "properties": { "routing": routing },
    });
    answer::with_etag(answer::json(200, &shown), etag)
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, HubRefusal> {
    serde_json::from_slice(&call.body).map_err(|error| HubRefusal::bad_request(format!("the body: {error}")))
}
