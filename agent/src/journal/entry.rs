//! What the journal hands out to be sent.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::event_message::EventHead;
use crate::platform::clock::rfc3339;
use tracker_evidence::Hash;

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
    /// Its hash in the chain of evidence, where there is one.
    pub chain: Option<Hash>,
    /// Of an event, what stands around its fields.
    pub event: Option<Box<EventHead>>,
}

impl Entry {
    /// Unique, and the same however often the reading is sent.
    pub fn message_id(&self) -> String {
        format!("{:08x}-{}", self.start, self.seq)
    }

    /// The JSON object of a reading or an event: of an event its moments, its fields, its time or that it has none, its sequence number.
    ///
    /// The fields are text that the journal vouches for (`row.rs`): one JSON object, serialised when the reading was taken. It
    /// is opened at its last brace, not parsed: nothing in it is looked at, and two members are added.
    pub fn body(&self) -> String {
        body(&self.fields, self.time, self.uptime_s, self.seq, self.event.as_deref())
    }
}

/// See [`Entry::body`].
pub(super) fn body(
    fields: &str,
    time: Option<DateTime<Utc>>,
    uptime_s: f64,
    seq: u64,
    event: Option<&EventHead>,
) -> String {
    let fields = fields.trim_end().strip_suffix('}').unwrap_or("{");
    let mut body = String::with_capacity(fields.len() + LONGEST_END);
    body.push_str(fields);
    if !body.ends_with('{') {
        body.push(',');
    }
    if let Some(event) = event {
        body.insert_str(1, &event.members(time));
    }
    match time {
        Some(time) => {
            for part in ["\"time\":\"", &rfc3339(time), "\""] {
                body.push_str(part);
            }
        }
        // Writing to memory does not fail.
        None => drop(write!(body, "\"timeUnknown\":true,\"uptime\":{uptime_s:.3}")),
    }
    let _ = write!(body, ",\"seq\":{seq}}}");
    body
}

/// Bytes of what stands behind the fields, at the most and usually.
const LONGEST_END: usize = 72;

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
