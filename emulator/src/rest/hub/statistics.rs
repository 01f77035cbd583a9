//! How many devices a hub has, and, an addition of ours, how much it has received from some of them since it was started:
//!
//! `GET /statistics/telemetry?from=box-0000000&to=box-0000099`; both ends are included.

use serde_json::json;

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::{ConnectionState, DeviceStatus, Hub},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn devices(hub: &Hub) -> Answer {
    let devices = hub.devices();
    let enabled = devices.iter().filter(|device| device.status == DeviceStatus::Enabled).count();
    let counts = json!({
        "totalDeviceCount": devices.len(),
        "enabledDeviceCount": enabled,
        "disabledDeviceCount": devices.len() - enabled,
    });
    answer::json(200, &counts)
}

pub(super) fn service(hub: &Hub) -> Answer {
    let devices = hub.devices();
    let connected = devices.iter().filter(|device| device.connection_state == ConnectionState::Connected);
    answer::json(200, &json!({ "connectedDeviceCount": connected.count() }))
}

pub(super) fn telemetry(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let (Some(from), Some(to)) = (call.parameter("from"), call.parameter("to")) else {
        return Err(HubRefusal::bad_request("from and to are missing: the first and the last device ID"));
    };
    let (devices, counters) = hub.counters_between(from, to);
    let [since, now] = hub.times().map(wire_time::print);
    let counts = json!({
        "devices": devices,
        "received": counters.received,
        "distinctMessageIds": counters.distinct_message_ids,
        "duplicates": counters.duplicates,
        "since": since,
        "now": now,
    });
    Ok(answer::json(200, &counts))
}
