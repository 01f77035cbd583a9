//! Telemetry as the hub received it.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tracker_protocol::PropertyBag;

/// Message IDs remembered for each device to tell duplicates. A device that repeats an older one is not noticed.
const REMEMBERED_IDS: usize = 65_536;

/// The most bytes of messages that a hub keeps for subscribers that fall behind, or come back.
pub(super) const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// What a message takes beside what its device sent.
const OVERHEAD: usize = 256;

/// One device-to-cloud message.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryMessage {
    /// Host name of the hub.
    pub hub: String,
    /// The device that sent it.
    pub device_id: String,
    /// The module of it that did, if one did.
    pub module_id: Option<String>,
    /// When the hub took it, by the emulator's clock.
    pub enqueued_time: DateTime<Utc>,
    /// Counts the messages at `events`, from 1; 0 for one that routes have led elsewhere, which observers alone see.
    pub sequence_number: u64,
    /// The body as sent.
    pub body: Bytes,
    /// System properties (keys that begin with `$.`) and application properties, in the order sent.
    pub properties: PropertyBag,
    /// The client marked the PUBLISH as a repetition (DUP).
    pub marked_duplicate: bool,
    /// Its message ID was received from this device before.
    pub repeated_message_id: bool,
}

impl TelemetryMessage {
    /// What it takes of memory, near enough.
    pub(super) fn size(&self) -> usize {
        let module = self.module_id.as_ref().map_or(0, String::len);
        let names = self.device_id.len() + module + self.hub.len();
        self.body.len() + self.properties.metered_len() + names + OVERHEAD
    }

    /// `$.mid`, if the device gave one.
    pub fn message_id(&self) -> Option<&str> {
        self.properties.get(PropertyBag::MESSAGE_ID)
    }

    /// The system properties: key without `$.`, value.
    pub fn system_properties(&self) -> BTreeMap<&str, &str> {
        let named = |(key, value): (_, Option<_>)| Some((str::strip_prefix(key, "$.")?, value.unwrap_or("")));
        self.properties.iter().filter_map(named).collect()
    }

    /// The application properties: key, value; empty for a key that stands alone.
    pub fn application_properties(&self) -> BTreeMap<&str, &str> {
        let others = self.properties.iter().filter(|(key, _)| !key.starts_with("$."));
        others.map(|(key, value)| (key, value.unwrap_or(""))).collect()
    }
}

/// How much a hub has received from one device since the emulator started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetryCounters {
    /// Messages, repetitions included.
    pub received: u64,
    /// Messages with a message ID not received before.
    pub distinct_message_ids: u64,
    /// Messages with a message ID received before.
    pub duplicates: u64,
}

impl TelemetryCounters {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            distinct_message_ids: self.distinct_message_ids + other.distinct_message_ids,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}

/// The counters of one device, with what they need to know.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub counters: TelemetryCounters,
    seen: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Tally {
    /// Counts a message; tells whether its ID came before.
    pub(super) fn count(&mut self, message_id: Option<&str>) -> bool {
        self.counters.received += 1;
        let Some(id) = message_id else { return false };
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.seen.insert(hash) {
            self.counters.duplicates += 1;
            return true;
        }
        self.counters.distinct_message_ids += 1;
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_message_id_is_a_duplicate() {
        let mut tally = Tally::default();
        let repeated: Vec<_> =
            [Some("a"), Some("b"), Some("a"), None, None].into_iter().map(|id| tally.count(id)).collect();
        assert_eq!(repeated, [false, false, true, false, false]);
        assert_eq!(tally.counters, TelemetryCounters { received: 5, distinct_message_ids: 2, duplicates: 1 });
    }

    #[test]
    fn memory_of_message_ids_is_bounded() {
        let mut tally = Tally::default();
        for id in 0..REMEMBERED_IDS + 100 {
            tally.count(Some(&id.to_string()));
        }
        assert_eq!(tally.seen.len(), REMEMBERED_IDS);
    }
}
