//! The alarm `silent` by REST, an addition of ours.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /silence` | | 200 `{"properties":{"isEnabled",…},"silent":[{"deviceId","since"}]}` |
//! | `PUT /silence` | `{"properties":{"isEnabled":true,"intervals":3,…}}` | 200 the same |

use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::{Hub, Silence},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn get(hub: &Hub) -> Answer {
    let silent = hub.silent_devices().into_iter();
    let silent: Vec<_> =
        silent.map(|(id, since)| json!({ "deviceId": id, "since": wire_time::print(since) })).collect();
    answer::json(200, &json!({ "properties": hub.silence(), "silent": silent }))
}

pub(super) fn put(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let mut body = call.json().map_err(HubRefusal::bad_request)?;
    let properties = body.get_mut("properties").map(Value::take);
    let properties = properties.ok_or_else(|| HubRefusal::bad_request("properties is missing"))?;
    let silence: Silence = serde_json::from_value(properties)
        .map_err(|error| HubRefusal::bad_request(format!("properties: {error}")))?;
    hub.set_silence(silence)?;
    Ok(get(hub))
}
