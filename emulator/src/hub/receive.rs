//! Telemetry from the moment the hub has it.

use std::sync::PoisonError;

use bytes::Bytes;
use tracker_protocol::PropertyBag;

use super::{Hub, TelemetryMessage};

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
        let sequence_number = registry.next_sequence_number();
        // A device deleted in this moment has no counters any more; its message is here all the same.
        let repeated_message_id = registry.find(device_id).is_some_and(|entry| {
            entry.last_activity = now;
            entry.tally.count(properties.get(PropertyBag::MESSAGE_ID))
        });
        let message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            enqueued_time: now,
            sequence_number,
            // A copy: the bytes received share their memory with the packets around them.
            body: Bytes::copy_from_slice(body),
            properties,
            marked_duplicate,
            repeated_message_id,
        };
        // Put there under the lock, so that subscribers see the sequence in order.
        for observer in &*self.0.observers.read().unwrap_or_else(PoisonError::into_inner) {
            observer(&message);
        }
        let size = message.size();
        self.0.telemetry.put(message, size);
    }
}
