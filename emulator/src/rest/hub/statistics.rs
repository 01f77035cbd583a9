//! How many devices a hub has.

use serde_json::json;

use crate::{
    hub::{ConnectionState, DeviceStatus, Hub},
    rest::answer::{self, Answer},
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
