//! Consumer groups of the built-in endpoint by REST, an addition of ours: at Azure they are managed through Azure Resource Manager.
//! Verbs and bodies are those of ARM below `…/Microsoft.Devices/IotHubs/{name}/eventHubEndpoints/events`.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /consumerGroups` | | 200 `{"value":[group]}` |
//! | `PUT /consumerGroups/{name}` | none, or `{"properties":{"name":…}}` | 200 group, made or there already |
//! | `GET`, `DELETE /consumerGroups/{name}` | | 200 group, 204 |

use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::{ConsumerGroup, Hub},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn list(hub: &Hub) -> Answer {
    let shown: Vec<_> = hub.consumer_groups().iter().map(show).collect();
    answer::json(200, &json!({ "value": shown }))
}

pub(super) fn get(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    let known = hub.consumer_group(name).ok_or_else(|| unknown(name))?;
    Ok(answer::json(200, &show(&known)))
}

pub(super) fn put(hub: &Hub, name: &str, call: &Call) -> Result<Answer, HubRefusal> {
    if !call.body.is_empty() {
        let body = call.json().map_err(HubRefusal::bad_request)?;
        let told = body.pointer("/properties/name").and_then(Value::as_str);
        if told.is_some_and(|told| !told.eq_ignore_ascii_case(name)) {
            return Err(HubRefusal::bad_request("properties.name is not the name in the path"));
        }
    }
    Ok(answer::json(200, &show(&hub.create_consumer_group(name)?)))
}

pub(super) fn delete(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    if hub.delete_consumer_group(name)? { Ok(answer::no_content()) } else { Err(unknown(name)) }
}

fn unknown(name: &str) -> HubRefusal {
    HubRefusal::new(404_000, "ResourceNotFound", format!("the hub has no consumer group \"{name}\""))
}

fn show(group: &ConsumerGroup) -> Value {
    json!({
        "name": group.name,
        "type": "Microsoft.Devices/IotHubs/EventHubEndpoints/ConsumerGroups",
        "etag": group.etag,
        "properties": { "name": group.name, "created": wire_time::print(group.created) },
    })
}
