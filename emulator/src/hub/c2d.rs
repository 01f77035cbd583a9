//! Messages from the cloud to one device: queued, delivered at `QoS` 1, done with when the device acknowledges.

use std::collections::VecDeque;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracker_protocol::PropertyBag;

use super::HubError;
use crate::{clock::wire_time, id::guid};

/// Messages that may wait for one device.
const MAX_QUEUED: usize = 50;
/// Body and properties of a message together.
const MAX_SIZE: usize = 64 * 1024;
/// How often a message is tried before it is given up.
const MAX_DELIVERIES: u32 = 10;
/// How long a message lives that names no end itself.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(1);

/// A message to a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudToDeviceMessage {
    /// Message ID; made up when absent.
    pub message_id: Option<String>,
    /// Correlation ID.
    pub correlation_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Content type, for example `application/json`.
    pub content_type: Option<String>,
    /// Content encoding, for example `utf-8`.
    pub content_encoding: Option<String>,
    /// Application properties: key, value.
    pub properties: Vec<(String, String)>,
    /// When it is too late to deliver it; an hour after sending when absent.
    pub expiry_time: Option<DateTime<Utc>>,
}

/// A message that waits, as it is kept over a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptMessage {
    #[serde(flatten)]
    message: CloudToDeviceMessage,
    /// In place of the message's own, which is empty here.
    body_base64: String,
    expires: DateTime<Utc>,
    deliveries: u32,
}

/// A message on its way.
#[derive(Debug)]
struct Queued {
    number: u64,
    message: CloudToDeviceMessage,
    expires: DateTime<Utc>,
    deliveries: u32,
    /// The connection it was given to and which has not acknowledged it yet.
    given_to: Option<u64>,
}

/// The messages that wait for one device.
#[derive(Debug, Default)]
pub(super) struct MessageQueue {
    waiting: VecDeque<Queued>,
    numbers: u64,
}

/// A message to be published.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Names it for [`MessageQueue::complete`].
    pub number: u64,
    pub properties: PropertyBag,
    pub body: Vec<u8>,
}

impl MessageQueue {
    pub(super) fn restore(kept: Vec<KeptMessage>) -> Self {
        let mut queue = Self::default();
        for KeptMessage { mut message, body_base64, expires, deliveries } in kept {
            // A body that somebody has spoilt is an empty one.
            message.body = STANDARD.decode(body_base64).unwrap_or_default();
            queue.numbers += 1;
            let number = queue.numbers;
            queue.waiting.push_back(Queued { number, message, expires, deliveries, given_to: None });
        }
        queue
    }

    pub(super) fn keep(&self) -> Vec<KeptMessage> {
        let keep = |queued: &Queued| KeptMessage {
            message: CloudToDeviceMessage { body: Vec::new(), ..queued.message.clone() },
            body_base64: STANDARD.encode(&queued.message.body),
            expires: queued.expires,
            deliveries: queued.deliveries,
        };
        self.waiting.iter().map(keep).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(
        &mut self,
        device_id: &str,
        mut message: CloudToDeviceMessage,
        now: DateTime<Utc>,
    ) -> Result<(), HubError> {
        let properties: usize = message.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
        let size = message.body.len() + properties;
        if size > MAX_SIZE {
            return Err(HubError::MessageTooLarge { size, limit: MAX_SIZE });
        }
        self.expire(now);
        if self.waiting.len() >= MAX_QUEUED {
            return Err(HubError::QueueFull { device_id: device_id.to_owned(), limit: MAX_QUEUED });
        }
        message.message_id.get_or_insert_with(guid);
        let expires = message.expiry_time.unwrap_or(now + DEFAULT_LIFE);
        self.numbers += 1;
        self.waiting.push_back(Queued {
            number: self.numbers,
            message,
            expires,
            deliveries: 0,
            given_to: None,
        });
        Ok(())
    }

    /// The next message that was not given to `connection` yet.
    pub(super) fn next(&mut self, device_id: &str, connection: u64, now: DateTime<Utc>) -> Option<Delivery> {
        self.expire(now);
        let queued = self.waiting.iter_mut().find(|queued| queued.given_to != Some(connection))?;
        queued.given_to = Some(connection);
        queued.deliveries += 1;
        Some(Delivery {
            number: queued.number,
            properties: properties(device_id, &queued.message),
            body: queued.message.body.clone(),
        })
    }

    /// The device has acknowledged it.
    pub(super) fn complete(&mut self, number: u64) {
        self.waiting.retain(|queued| queued.number != number);
    }

    /// Forgets all messages; tells how many there were.
    pub(super) fn purge(&mut self) -> usize {
        std::mem::take(&mut self.waiting).len()
    }

    fn expire(&mut self, now: DateTime<Utc>) {
        self.waiting.retain(|queued| queued.expires > now);
    }

    /// The connection is gone: what it did not acknowledge is delivered anew, up to ten times.
    pub(super) fn release(&mut self, connection: u64) {
        self.waiting.retain_mut(|queued| {
            if queued.given_to == Some(connection) {
                queued.given_to = None;
            }
            queued.deliveries < MAX_DELIVERIES
        });
    }
}

fn properties(device_id: &str, message: &CloudToDeviceMessage) -> PropertyBag {
    let mut bag = PropertyBag::new();
    let system = [
        (PropertyBag::MESSAGE_ID, message.message_id.clone()),
        (PropertyBag::CORRELATION_ID, message.correlation_id.clone()),
        ("$.to", Some(format!("/devices/{device_id}/messages/devicebound"))),
        (PropertyBag::CONTENT_TYPE, message.content_type.clone()),
        (PropertyBag::CONTENT_ENCODING, message.content_encoding.clone()),
        ("$.exp", message.expiry_time.map(wire_time::print)),
    ];
    for (key, value) in system {
        if value.is_some() {
            bag.insert(key, value);
        }
    }
    for (key, value) in &message.properties {
        bag.insert(key, Some(value.clone()));
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn a_message_stays_until_it_is_acknowledged() {
        let mut queue = MessageQueue::default();
        queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
        let first = queue.next("d", 1, NOW).expect("one waits");
        assert!(queue.next("d", 1, NOW).is_none(), "it is under way on this connection");
        queue.release(1);
        let again = queue.next("d", 2, NOW).expect("the next connection gets it");
        assert_eq!(first.number, again.number);
        queue.complete(again.number);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn the_queue_is_bounded_in_number_size_time_and_tries() {
        let mut queue = MessageQueue::default();
        for _ in 0..MAX_QUEUED {
            queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
        }
        let full = queue.push("d", CloudToDeviceMessage::default(), NOW);
        assert!(matches!(full, Err(HubError::QueueFull { .. })));
        let large = CloudToDeviceMessage { body: vec![0; MAX_SIZE + 1], ..CloudToDeviceMessage::default() };
        assert!(matches!(queue.push("d", large, NOW), Err(HubError::MessageTooLarge { .. })));
        assert!(queue.next("d", 1, NOW + DEFAULT_LIFE).is_none(), "all have expired");

        queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
        for connection in 0..10 {
            assert!(queue.next("d", connection, NOW).is_some());
            queue.release(connection);
        }
        assert_eq!(queue.len(), 0, "given up after ten tries");
    }
}
