//! Telemetry from the moment the hub has it, and what the hub tells of itself, until it is on its way.

use std::{borrow::Cow, sync::PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::PropertyBag;

use super::{
    Hub, TelemetryMessage,
    endpoint::{Origin, message_of},
    event_grid::{EventType, telemetry_data},
    module_id::split_address,
    notice::{Notice, NoticeKind, bag},
    registry::{Entry, Registry},
    routing::{EVENT_GRID, MessageSource, RoutedMessage},
};

impl Hub {
    /// Takes in a message of a device that has no connection.
    pub(crate) fn take_in(&self, device_id: &str, body: &[u8], properties: PropertyBag) {
        self.receive(device_id, body, properties, false);
    }

    /// Takes a message in: it counts as received from here on.
    pub(super) fn receive(
        &self,
        device_id: &str,
        body: &[u8],
        properties: PropertyBag,
        marked_duplicate: bool,
    ) {
        let now = self.0.clock.now();
        let (sender, module_id) = split_address(device_id);
        let mut message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: sender.to_owned(),
            module_id: module_id.map(str::to_owned),
            enqueued_time: now,
            sequence_number: 0,
            // A copy: the bytes received share their memory with the packets around them.
            body: Bytes::copy_from_slice(body),
            properties,
            marked_duplicate,
            repeated_message_id: false,
        };
        let mut registry = self.0.registry.lock();
        // A device deleted in this moment has no counters any more; its message is here all the same.
        let origin = registry.find(device_id).map(|entry| {
            entry.last_activity = now;
            message.repeated_message_id = entry.tally.count(message.message_id());
            entry.origin(module_id.is_some())
        });
        let goes_to_events = self.goes_to_events(&mut registry, device_id, &mut message, origin.as_deref());
        if goes_to_events {
            message.sequence_number = registry.next_sequence_number();
        }
        // Put there under the lock, so that subscribers see the sequence in order.
        for observer in &*self.0.observers.read().unwrap_or_else(PoisonError::into_inner) {
            observer(&message);
        }
        if goes_to_events {
            self.keep_for_readers(&message, origin.as_deref());
        }
    }

    /// Puts a message where subscribers and readers of the built-in endpoint find it; both share it.
    fn keep_for_readers(&self, message: &TelemetryMessage, origin: Option<&Origin>) {
        let size = message.size();
        let record = self.0.endpoint.put(message, size, origin);
        self.0.telemetry.put_packed(record.bytes().clone(), message_of, size);
    }

    /// Leads a message of a device along the routes; whether one of them, or none at all, leads to `events`.
    fn goes_to_events(
        &self,
        registry: &mut Registry,
        address: &str,
        message: &mut TelemetryMessage,
        origin: Option<&Origin>,
    ) -> bool {
        let source = MessageSource::DeviceMessages;
        let is_heard = self.0.event_grid.hears(EventType::DeviceTelemetry);
        if !is_heard && self.0.router.is_plain(source) {
            return true;
        }
        let entry = registry.find(address);
        let routed = routed(address, message, origin);
        let twin = entry.filter(|_| self.0.router.needs_twin(source)).map(|entry| shown(entry, address));
        if is_heard {
            self.tell_of_telemetry(&routed, twin.as_ref());
        }
        let Some(stamped) = self.0.router.route(&routed, twin.as_ref()) else { return false };
        for (name, value) in stamped.properties {
            if message.properties.get(&name) != Some(&value) {
                message.properties.insert(&name, Some(value));
            }
        }
        true
    }

    /// Whether somebody wants to hear of such things.
    pub(super) fn is_heard(&self, kind: NoticeKind) -> bool {
        let is_event = || kind.event_type().is_some_and(|event_type| self.0.event_grid.hears(event_type));
        !self.0.router.is_plain(kind.source()) || is_event()
    }

    /// Tells of something that has happened to a device, under the lock under which it has.
    pub(super) fn notify(&self, registry: &mut Registry, device_id: &str, notice: &Notice) {
        if !self.is_heard(notice.kind) {
            return;
        }
        let now = self.0.clock.now();
        if let Some(event_type) = notice.kind.event_type() {
            let data = notice.event_data(self.label(), device_id);
            self.0.event_grid.tell(event_type, device_id, now, &data);
        }
        self.lead(registry, &notice.message(self.label(), device_id, now), now);
    }

    /// Leads a message of the hub's own along the routes.
    pub(super) fn lead(&self, registry: &mut Registry, message: &RoutedMessage, now: DateTime<Utc>) {
        let (source, device_id) = (message.source, message.device_id.as_str());
        let needs_twin = self.0.router.needs_twin(source);
        let twin = registry.find(device_id).filter(|_| needs_twin).map(|entry| shown(entry, device_id));
        let is_telemetry = source == MessageSource::DeviceMessages;
        if is_telemetry && self.0.event_grid.hears(EventType::DeviceTelemetry) {
            self.tell_of_telemetry(message, twin.as_ref());
        }
        if let Some(stamped) = self.0.router.route(message, twin.as_ref()) {
            self.publish(registry, &stamped, now);
        }
    }

    fn tell_of_telemetry(&self, message: &RoutedMessage, twin: Option<&Value>) {
        let data = telemetry_data(&self.0.router.stamped(message, twin, EVENT_GRID));
        self.0.event_grid.tell(EventType::DeviceTelemetry, &message.device_id, message.enqueued_time, &data);
    }

    /// Puts a message of the hub's own among the telemetry.
    fn publish(&self, registry: &mut Registry, message: &RoutedMessage, now: DateTime<Utc>) {
        let source = message.source;
        let (device_id, module_id) = split_address(&message.device_id);
        let is_of_device = source == MessageSource::DeviceMessages;
        let entry = registry.find(&message.device_id).filter(|_| is_of_device);
        let origin = entry.map(|entry| entry.origin(module_id.is_some()));
        let message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            module_id: module_id.map(str::to_owned),
            enqueued_time: now,
            sequence_number: registry.next_sequence_number(),
            body: message.body.clone(),
            properties: bag(message),
            marked_duplicate: false,
            repeated_message_id: false,
        };
        self.keep_for_readers(&message, origin.as_deref());
    }
}

/// A twin as conditions and enrichments look into it.
fn shown(entry: &Entry, device_id: &str) -> Value {
    // The type has no form that JSON lacks.
    serde_json::to_value(entry.twin(device_id)).unwrap_or_default()
}

/// A message of a device as routes see it.
fn routed(address: &str, message: &TelemetryMessage, origin: Option<&Origin>) -> RoutedMessage {
    let mut system: Vec<(Cow<'static, str>, String)> = Vec::new();
    for (key, value) in message.system_properties() {
        let name = match key {
            "mid" => "messageId",
            "cid" => "correlationId",
            "uid" => "userId",
            "ct" => "contentType",
            "ce" => "contentEncoding",
            "sub" => "dt-subject",
            other => {
                system.push((other.to_owned().into(), value.to_owned()));
                continue;
            }
        };
        system.push((name.into(), value.to_owned()));
    }
    system.push(("connectionDeviceId".into(), message.device_id.clone()));
    if let Some(module_id) = &message.module_id {
        system.push(("connectionModuleId".into(), module_id.clone()));
    }
    if let Some(origin) = origin {
        system.push(("connectionAuthMethod".into(), origin.auth_method().to_owned()));
        system.push(("connectionDeviceGenerationId".into(), origin.generation_id.clone()));
        if !origin.model_id.is_empty() {
            system.push(("dt-dataschema".into(), origin.model_id.clone()));
        }
    }
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let others = message.properties.iter().filter(|(key, _)| !key.starts_with("$."));
    RoutedMessage {
        source: MessageSource::DeviceMessages,
        device_id: address.to_owned(),
        enqueued_time: message.enqueued_time,
        system,
        properties: others.map(|(name, value)| own((name, value.unwrap_or("")))).collect(),
        body: message.body.clone(),
    }
}
