//! What a backend tells by itself: messages of devices, and what happens in the cloud.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Fault;

/// One device-to-cloud message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Host name of the hub.
    pub hub: String,
    /// The device that sent it.
    pub device: String,
    /// When the hub took it, in the fleet's time: in a simulation that is the simulated one.
    pub enqueued: DateTime<Utc>,
    /// Application properties.
    pub properties: BTreeMap<String, String>,
    /// JSON: a reading, an array of readings, an event message, or a statement of the evidence. Compressed or compact bodies
    /// have been unfolded by the backend; it may still be anything, for devices send what they like.
    pub body: Bytes,
}

/// Something that happened in the cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudEvent {
    /// When, in the fleet's time.
    pub time: DateTime<Utc>,
    /// Of whom; empty where nobody knows, as with a handshake that failed.
    pub device: String,
    /// As the emulator names it: `assigned`, `registrationRefused`, `deviceConnected`, `reported` …
    pub kind: String,
    /// The members of the event.
    pub detail: Value,
}

/// What comes out of a backend, in batches: whoever reads it wakes a few times a second, whatever the fleet does.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// In the order of arrival.
    Messages(Vec<Message>),
    /// In the order of arrival.
    Events(Vec<CloudEvent>),
    /// The faults in force now, after a change.
    Faults(Vec<Fault>),
    /// Readings that wait in the journals of these devices, from who can look into them: better than what twins say.
    Backlogs(Vec<(String, u64)>),
    /// So many messages or events were missed.
    Lost(u64),
    /// The backend can't be reached; why, in a sentence.
    Away(String),
    /// It can be reached again.
    Back,
}
