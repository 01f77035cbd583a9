//! Telemetry from the moment the hub has it, and what the hub tells of itself, until it is on its way.

use std::{borrow::Cow, sync::PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::PropertyBag;

use super::{
    AuthenticationType, Hub, TelemetryMessage,
    event_grid::{EventType, telemetry_data},
    notice::{Notice, NoticeKind, bag},
    registry::{Entry, Registry},
    routing::{EVENT_GRID, MessageSource, RoutedMessage},
};

impl Hub {
    /// Takes a message in: it counts as received from here on.
    pub(super) fn receive(
        &self,
        device_id: &str,
        body: &[u8],
        properties: PropertyBag,
        marked_duplicate: bool,
    ) {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        let mut message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            enqueued_time: now,
            sequence_number: 0,
            // A copy: the bytes received share their memory with the packets around them.
            body: Bytes::copy_from_slice(body),
            properties,
            marked_duplicate,
            repeated_message_id: false,
        };
        // A device deleted in this moment has no counters any more; its message is here all the same.
        message.repeated_message_id = registry.find(device_id).is_some_and(|entry| {
            entry.last_activity = now;
            entry.tally.count(message.message_id())
        });
        let goes_to_events = self.goes_to_events(&mut registry, &mut message);
        if goes_to_events {
            message.sequence_number = registry.next_sequence_number();
        }
        // Put there under the lock, so that subscribers see the sequence in order.
        for observer in &*self.0.observers.read().unwrap_or_else(PoisonError::into_inner) {
            observer(&message);
        }
        if goes_to_events {
            let size = message.size();
            self.0.telemetry.put(message, size);
        }
    }

    /// Leads a message of a device along the routes; whether one of them, or none at all, leads to `events`.
    fn goes_to_events(&self, registry: &mut Registry, message: &mut TelemetryMessage) -> bool {
        let source = MessageSource::DeviceMessages;
        let is_heard = self.0.event_grid.hears(EventType::DeviceTelemetry);
        if !is_heard && self.0.router.is_plain(source) {
            return true;
        }
        let entry = registry.find(&message.device_id);
        let routed = routed(message, entry.as_deref());
        let twin =
            entry.filter(|_| self.0.router.needs_twin(source)).map(|entry| shown(entry, &message.device_id));
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
        let message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: message.device_id.clone(),
            enqueued_time: now,
            sequence_number: registry.next_sequence_number(),
            body: message.body.clone(),
            properties: bag(message),
            marked_duplicate: false,
            repeated_message_id: false,
        };
        let size = message.size();
        self.0.telemetry.put(message, size);
    }
}

/// A twin as conditions and enrichments look into it.
fn shown(entry: &Entry, device_id: &str) -> Value {
    // The type has no form that JSON lacks.
    serde_json::to_value(entry.twin(device_id)).unwrap_or_default()
}

/// A message of a device as routes see it.
fn routed(message: &TelemetryMessage, entry: Option<&Entry>) -> RoutedMessage {
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
    if let Some(entry) = entry {
        let (kind, issuer) = match entry.identity.authentication.kind {
            AuthenticationType::Sas => ("sas", "iothub"),
            _ => ("x509", "external"),
        };
        let method = format!(
            r#"{{"scope":"device","type":"{kind}","issuer":"{issuer}","acceptingIpFilterRule":null}}"#
        );
        system.push(("connectionAuthMethod".into(), method));
        system.push(("connectionDeviceGenerationId".into(), entry.identity.generation_id.clone()));
        if !entry.twin.model_id.is_empty() {
            system.push(("dt-dataschema".into(), entry.twin.model_id.clone()));
        }
    }
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let others = message.properties.iter().filter(|(key, _)| !key.starts_with("$."));
    RoutedMessage {
        source: MessageSource::DeviceMessages,
        device_id: message.device_id.clone(),
        enqueued_time: message.enqueued_time,
        system,
        properties: others.map(|(name, value)| own((name, value.unwrap_or("")))).collect(),
        body: message.body.clone(),
    }
}
