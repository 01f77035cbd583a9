//! Events in Event Grid's schema.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    super::{module_id::split_address, routing::RoutedMessage},
    model::EventType,
};
use crate::{clock::wire_time, id::guid};

/// The source of a hub's events, as Event Grid writes it: the path of the hub's resource, in capitals.
pub(super) fn topic(hub_name: &str) -> String {
    let path = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/emulator/providers/Microsoft.Devices/IotHubs";
    format!("{path}/{hub_name}").to_ascii_uppercase()
}

/// The subject of an event about a device.
pub(super) fn subject(address: &str) -> String {
    format!("devices/{}", split_address(address).0)
}

/// One event.
pub(super) fn event(
    event_type: EventType,
    hub_name: &str,
    device_id: &str,
    time: DateTime<Utc>,
    data: &Value,
) -> Value {
    let data_version = if event_type == EventType::DeviceTelemetry { "" } else { "1" };
    json!({
        "id": guid(),
        "topic": topic(hub_name),
        "subject": subject(device_id),
        "eventType": event_type,
        "eventTime": wire_time::print(time),
        "data": data,
        "dataVersion": data_version,
        "metadataVersion": "1",
    })
}

/// What an event says of a device that has connected or left.
pub(in crate::hub) fn connection_data(body: &Value, hub_name: &str, address: &str) -> Value {
    let (device_id, _) = split_address(address);
    let data = json!({ "deviceConnectionStateEventInfo": body, "hubName": hub_name, "deviceId": device_id });
    with_module(data, address)
}

/// What an event says of an identity that was made or deleted.
pub(in crate::hub) fn life_data(twin: &Value, hub_name: &str, address: &str) -> Value {
    let (device_id, _) = split_address(address);
    with_module(json!({ "twin": twin, "hubName": hub_name, "deviceId": device_id }), address)
}

/// Names the module that it is about, if it is one.
fn with_module(mut data: Value, address: &str) -> Value {
    if let (_, Some(module_id)) = split_address(address) {
        data["moduleId"] = module_id.into();
    }
    data
}

/// What an event says of a message.
pub(in crate::hub) fn telemetry_data(message: &RoutedMessage) -> Value {
    let mut system = Map::new();
    for (name, value) in &message.system {
        let name = match name.as_ref() {
            "contentType" => "iothub-content-type",
            "contentEncoding" => "iothub-content-encoding",
            "connectionDeviceId" => "iothub-connection-device-id",
            "connectionModuleId" => "iothub-connection-module-id",
            "connectionAuthMethod" => "iothub-connection-auth-method",
            "connectionDeviceGenerationId" => "iothub-connection-auth-generation-id",
            other => other,
        };
        system.insert(name.to_owned(), value.as_str().into());
    }
    system.insert("iothub-enqueuedtime".into(), wire_time::print(message.enqueued_time).into());
    system.insert("iothub-message-source".into(), "Telemetry".into());
    let properties =
        message.properties.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    json!({
        "properties": properties.collect::<Map<_, _>>(),
        "systemProperties": system,
        "body": message.shown_body(),
    })
}
