//! What a hub tells of itself: twins that change, identities that come and go, devices that connect and leave (IoT Hub
//! documentation, "non-telemetry event schemas").

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tracker_protocol::PropertyBag;

use super::{
    Twin,
    event_grid::{EventType, connection_data, life_data},
    module_id::split_address,
    routing::{MessageSource, RoutedMessage},
};
use crate::{clock::wire_time, id::operation_word};

/// Something that has happened to a device at its hub.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    pub kind: NoticeKind,
    pub body: Value,
    /// Of an identity that has come or goes, whole.
    twin: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoticeKind {
    TwinUpdated,
    TwinReplaced,
    Created,
    Deleted,
    Connected,
    Disconnected,
}

impl NoticeKind {
    pub(super) fn source(self) -> MessageSource {
        match self {
            Self::TwinUpdated | Self::TwinReplaced => MessageSource::TwinChangeEvents,
            Self::Created | Self::Deleted => MessageSource::DeviceLifecycleEvents,
            Self::Connected | Self::Disconnected => MessageSource::DeviceConnectionStateEvents,
        }
    }

    /// As Event Grid calls it, where Event Grid tells of it.
    pub(super) fn event_type(self) -> Option<EventType> {
        match self {
            Self::TwinUpdated | Self::TwinReplaced => None,
            Self::Created => Some(EventType::DeviceCreated),
            Self::Deleted => Some(EventType::DeviceDeleted),
            Self::Connected => Some(EventType::DeviceConnected),
            Self::Disconnected => Some(EventType::DeviceDisconnected),
        }
    }

    fn operation(self, is_module: bool) -> &'static str {
        match (self, is_module) {
            (Self::TwinUpdated, _) => "updateTwin",
            (Self::TwinReplaced, _) => "replaceTwin",
            (Self::Created, false) => "createDeviceIdentity",
            (Self::Created, true) => "createModuleIdentity",
            (Self::Deleted, false) => "deleteDeviceIdentity",
            (Self::Deleted, true) => "deleteModuleIdentity",
            (Self::Connected, false) => "deviceConnected",
            (Self::Connected, true) => "moduleConnected",
            (Self::Disconnected, false) => "deviceDisconnected",
            (Self::Disconnected, true) => "moduleDisconnected",
        }
    }

    /// The schema, and the name of the source, as messages have them.
    fn names(self) -> (&'static str, &'static str) {
        match self.source() {
            MessageSource::DeviceLifecycleEvents => ("deviceLifecycleNotification", "deviceLifecycleEvents"),
            MessageSource::DeviceConnectionStateEvents => {
                ("deviceConnectionStateNotification", "deviceConnectionStateEvents")
            }
            _ => ("twinChangeNotification", "twinChangeEvents"),
        }
    }
}

impl Notice {
    /// The device has connected, or has left, for the `count`th time since the hub began at `began`.
    pub(super) fn connection(kind: NoticeKind, began: DateTime<Utc>, count: u64) -> Self {
        Self { kind, body: json!({ "sequenceNumber": sequence_number(began, count) }), twin: None }
    }

    /// An identity was made or deleted, or a twin replaced.
    pub(super) fn whole(kind: NoticeKind, twin: &Twin) -> Self {
        let mut body = json!({
            "deviceId": twin.device_id,
            "etag": twin.etag,
            "version": twin.version,
            "properties": twin.properties,
        });
        if let Some(module_id) = &twin.module_id {
            body["moduleId"] = module_id.as_str().into();
        }
        if !twin.tags.is_empty() {
            body["tags"] = twin.tags.clone().into();
        }
        Self { kind, body, twin: Some(json!(twin)) }
    }

    /// A twin has changed: in its tags, in sections of its properties.
    pub(super) fn twin_updated(
        version: u64,
        tags: Option<Map<String, Value>>,
        sections: impl IntoIterator<Item = (&'static str, Map<String, Value>)>,
    ) -> Self {
        let mut body = json!({ "version": version });
        if let Some(tags) = tags {
            body["tags"] = tags.into();
        }
        for (name, section) in sections {
            body["properties"][name] = section.into();
        }
        Self { kind: NoticeKind::TwinUpdated, body, twin: None }
    }

    /// What an event says of it.
    pub(super) fn event_data(&self, hub_name: &str, device_id: &str) -> Value {
        match &self.twin {
            Some(twin) => life_data(twin, hub_name, device_id),
            None => connection_data(&self.body, hub_name, device_id),
        }
    }

    /// The message that tells of it.
    pub(super) fn message(&self, hub_name: &str, address: &str, now: DateTime<Utc>) -> RoutedMessage {
        let (schema, source) = self.kind.names();
        let (device_id, module_id) = split_address(address);
        let system = [
            ("contentType", "application/json"),
            ("contentEncoding", "utf-8"),
            ("correlationId", &operation_word()),
            ("userId", hub_name),
            ("connectionDeviceId", device_id),
            ("iothub-message-source", source),
        ];
        let properties = [
            ("deviceId", device_id),
            ("hubName", hub_name),
            ("operationTimestamp", &wire_time::print(now)),
            ("iothub-message-schema", schema),
            ("opType", self.kind.operation(module_id.is_some())),
        ];
        let system = system.into_iter().chain(module_id.map(|id| ("connectionModuleId", id)));
        let properties = properties.into_iter().chain(module_id.map(|id| ("moduleId", id)));
        RoutedMessage {
            source: self.kind.source(),
            device_id: address.to_owned(),
            enqueued_time: now,
            system: system.map(|(name, value)| (name.into(), value.to_owned())).collect(),
            properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: self.body.to_string().into(),
        }
    }
}

/// The properties of such a message as the telemetry feed has them.
pub(super) fn bag(message: &RoutedMessage) -> PropertyBag {
    let mut bag = PropertyBag::new();
    for (name, value) in &message.system {
        let key = match name.as_ref() {
            "contentType" => PropertyBag::CONTENT_TYPE,
            "contentEncoding" => PropertyBag::CONTENT_ENCODING,
            "correlationId" => PropertyBag::CORRELATION_ID,
            "userId" => "$.uid",
            "iothub-message-source" => "$.iothub-message-source",
            _ => continue,
        };
        bag.insert(key, Some(value.clone()));
    }
    for (name, value) in &message.properties {
        bag.insert(name, Some(value.clone()));
    }
    bag
}

/// 64 hexadecimal digits that only rise, of the form seen at Azure: the time at which the hub began, in Windows' ticks, and a
/// count.
fn sequence_number(began: DateTime<Utc>, count: u64) -> String {
    /// From 1601 to 1970.
    const EPOCH: i64 = 11_644_473_600;
    let ticks =
        (began.timestamp() + EPOCH).max(0) * 10_000_000 + i64::from(began.timestamp_subsec_micros()) * 10;
    format!("{:016X}{ticks:016X}{:08X}{count:024X}", 0, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_has_the_form_seen_at_azure_and_rises() {
        let began = DateTime::from_timestamp(1_528_000_000, 438_399_000).expect("in range");
        let first = sequence_number(began, 1);
        assert_eq!(first, "000000000000000001D3FAF311AC64F600000002000000000000000000000001");
        assert!(sequence_number(began, 2) > first);
        assert!(sequence_number(began + chrono::TimeDelta::seconds(1), 1) > sequence_number(began, 900));
    }
}
