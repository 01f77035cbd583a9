//! A reading as the journal stores it.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::entry::Entry;
use crate::reading::Reading;

/// Numbers from here on are provisional: they were given before the time was known.
pub(super) const PROVISIONAL: u64 = 1 << 62;

/// Final numbers begin at the milliseconds since this, 2026-01-01.
pub(super) const NUMBERS_FROM_MS: i64 = 1_767_225_600_000;

/// A reading as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) seq: u64,
    /// The start of the program that took it.
    pub(super) start: u32,
    /// Row of its boot; `None`: this boot.
    pub(super) boot: Option<i64>,
    pub(super) monotonic_ms: i64,
    pub(super) utc_ms: Option<i64>,
    /// How many readings it stands for: itself, and those that thinning has merged into it.
    pub(super) stands_for: u32,
    pub(super) payload: Vec<u8>,
}

/// The fields are never taken apart again.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "f")]
    fields: Box<RawValue>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<String>,
}

impl Row {
    pub(super) fn new(seq: u64, start: u32, reading: Reading) -> Self {
        let Reading { stamp, fields, alerts } = reading;
        // A map of JSON values always serialises.
        let payload =
            to_raw_value(&fields).and_then(|fields| serde_json::to_vec(&Payload { fields, alerts }));
        let payload = payload.unwrap_or_default();
        Self {
            seq,
            start,
            boot: None,
            monotonic_ms: i64::try_from(stamp.monotonic.as_millis()).unwrap_or(i64::MAX),
            utc_ms: stamp.utc.map(|utc| utc.timestamp_millis()),
            stands_for: 1,
            payload,
        }
    }

    /// The reading to be sent; `None` where its payload is none. `offset_ms` is that of its boot, where it is known.
    pub(super) fn entry(&self, offset_ms: Option<i64>) -> Option<Entry> {
        let utc_ms = self.utc_ms.or_else(|| offset_ms?.checked_add(self.monotonic_ms));
        let Payload { fields, alerts } = payload(&self.payload)?;
        Some(Entry {
            seq: self.seq,
            start: self.start,
            time: utc_ms.and_then(DateTime::from_timestamp_millis),
            uptime_s: self.monotonic_ms as f64 / 1000.0,
            fields: fields.get().into(),
            alerts,
        })
    }
}

/// Whether these bytes are the payload of a reading.
pub(super) fn is_payload(bytes: &[u8]) -> bool {
    payload(bytes).is_some()
}

fn payload(bytes: &[u8]) -> Option<Payload> {
    let payload: Payload = serde_json::from_slice(bytes).ok()?;
    payload.fields.get().starts_with('{').then_some(payload)
}
