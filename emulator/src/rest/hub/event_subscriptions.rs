//! Event Grid subscriptions by REST, an addition of ours: at Azure they are managed through Azure Resource Manager. Paths, verbs
//! and bodies are those of ARM below `…/Microsoft.Devices/IotHubs/{name}/providers/Microsoft.EventGrid`.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /eventSubscriptions` | | 200 `{"value":[subscription]}` |
//! | `PUT /eventSubscriptions/{name}` | `{"properties":{"destination":…,"filter":…}}` | 201 subscription, once the webhook has proved itself |
//! | `GET`, `DELETE /eventSubscriptions/{name}` | | 200 subscription, 204 |
//!
//! An address may have a secret behind its `?`: it is shown without, as at Azure.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::{EventSubscription, Hub},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn list(hub: &Hub) -> Answer {
    let shown: Vec<_> =
        hub.event_subscriptions().iter().map(|(name, known)| show(hub, name, known)).collect();
    answer::json(200, &json!({ "value": shown }))
}

pub(super) fn get(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    let known = hub.event_subscriptions().remove(name).ok_or_else(|| unknown(name))?;
    Ok(answer::json(200, &show(hub, name, &known)))
}

pub(super) async fn put(hub: &Hub, name: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let mut body = call.json().map_err(HubRefusal::bad_request)?;
    let properties = body.get_mut("properties").map(Value::take);
    let properties = properties.ok_or_else(|| HubRefusal::bad_request("properties is missing"))?;
    let subscription: EventSubscription = serde_json::from_value(properties)
        .map_err(|error| HubRefusal::bad_request(format!("properties: {error}")))?;
    hub.put_event_subscription(name, subscription.clone()).await?;
    Ok(answer::json(201, &show(hub, name, &subscription)))
}

pub(super) fn delete(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    if hub.delete_event_subscription(name) { Ok(answer::no_content()) } else { Err(unknown(name)) }
}

fn unknown(name: &str) -> HubRefusal {
    HubRefusal::new(404_000, "ResourceNotFound", format!("the hub has no event subscription \"{name}\""))
}

fn show(hub: &Hub, name: &str, subscription: &EventSubscription) -> Value {
    let mut properties = json!(subscription);
    properties["provisioningState"] = "Succeeded".into();
    if let Some(url) = properties.pointer_mut("/destination/properties/endpointUrl").map(Value::take) {
        let base = url.as_str().map(|url| url.split(['?', '#']).next().unwrap_or(url).to_owned());
        properties["destination"]["properties"] = json!({ "endpointBaseUrl": base });
    }
    let time = |time: Option<DateTime<Utc>>| time.map(wire_time::print);
    let health = hub.event_deliveries().remove(name).unwrap_or_default();
    json!({
        "name": name,
        "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": properties,
        "deliveries": {
            "waiting": health.waiting,
            "delivered": health.delivered,
            "deadLetters": health.dead,
            "lost": health.lost,
            "lastKnownError": health.last_error.as_ref().map(|(why, _)| why),
            "lastKnownErrorTime": time(health.last_error.as_ref().map(|(_, at)| *at)),
            "lastSendAttemptTime": time(health.last_attempt),
        },
    })
}
