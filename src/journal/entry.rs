//! What the journal hands out to be sent.

use chrono::{DateTime, Utc};

use crate::event_message::EventHead;

/// A reading or an event to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Counts up; see the invariants of this module.
    pub seq: u64,
    /// The start of the program that took it, a random number.
    pub start: u32,
    /// When it was taken; `None` when that can never be known.
    pub time: Option<DateTime<Utc>>,
    /// Seconds since the boot in which it was taken.
    pub uptime_s: f64,
    /// Telemetry fields, a JSON object.
    pub fields: String,
    /// Names of the bounds it crosses.
    pub alerts: Vec<String>,
    /// Of an event, what stands around its fields.
    pub event: Option<Box<EventHead>>,
}

impl Entry {
    /// Unique, and the same however often the reading is sent.
    pub fn message_id(&self) -> String {
        format!("{:08x}-{}", self.start, self.seq)
    }
}

/// Readings handed out to be sent.
#[derive(Debug, Default)]
pub struct Lease {
    /// The newest reading, if it is not being sent yet.
    pub newest: Option<Entry>,
    /// Others: events, and then readings, each oldest first.
    pub backlog: Vec<Entry>,
}

impl Lease {
    /// Nothing to send.
    pub fn is_empty(&self) -> bool {
        self.newest.is_none() && self.backlog.is_empty()
    }
}
