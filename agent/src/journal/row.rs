//! A reading as the journal stores it.

use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::{Entry, body};
use crate::event_message::{EventHead, EventMessage, Turn};
use crate::reading::{Reading, Stamp};
use tracker_evidence::{Hash, STATEMENT};

/// Numbers from here on are provisional: they were given before the time was known.
pub(super) const PROVISIONAL: u64 = 1 << 62;

/// Final numbers are far below [`PROVISIONAL`], and provisional ones not far above it.
const HIGHEST_FINAL: u64 = PROVISIONAL / 4 * 3;
const HIGHEST_PROVISIONAL: u64 = PROVISIONAL / 4 * 5;
/// The last millisecond of the year 9999.
const LATEST_MS: i64 = 253_402_300_799_999;

/// Stands for a boot that nothing is known of, until the file gives it a row.
pub(super) const UNKNOWN_BOOT: i64 = 0;

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
    /// How long the fields are that stand first in the payload and alone, of a reading that was taken in this run. What
    /// comes off the disk is looked through first.
    pub(super) known: Option<usize>,
}

/// What stands before and after the fields of a payload.
const AROUND: [&[u8]; 2] = [b"{\"f\":", b"}"];

/// What the payload of an event begins with.
pub(super) const EVENT: &[u8] = b"{\"e\":";

/// What stands in the payload of an event that means something for the trip; within text its quotation marks are escaped.
pub(super) const TURN: &[u8] = b",\"t\":";

/// What stands before the hash of a reading that is in the chain; the hash, a quotation mark and a brace end its payload.
pub(super) const BEFORE_HASH: &str = ",\"h\":\"";
/// Bytes from there to the end.
pub(super) const HASH_LENGTH: usize = BEFORE_HASH.len() + Hash::LENGTH + 2;

/// The fields are never taken apart again. The hash `h` is none of their business.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "f")]
    fields: Box<RawValue>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<String>,
}

impl Row {
    /// Of this boot, and without a number.
    pub(super) fn new(reading: Reading) -> Self {
        let Reading { stamp, fields, alerts } = reading;
        let known = alerts.is_empty().then_some(fields.len());
        let payload = if known.is_some() {
            [AROUND[0], fields.as_bytes(), AROUND[1]].concat()
        } else {
            let fields = RawValue::from_string(fields);
            fields.and_then(|fields| serde_json::to_vec(&Payload { fields, alerts })).unwrap_or_default()
        };
        Self { known, ..Self::at(stamp, payload) }
    }

    /// Of this boot, and without a number.
    pub(super) fn of_event(stamp: Stamp, event: EventMessage) -> Self {
        let EventMessage { head, fields } = event;
        let fields = RawValue::from_string(fields);
        let parts = fields.and_then(|fields| Ok((serde_json::to_vec(&head)?, fields)));
        let payload = parts.map(|(mut payload, fields)| {
            // One object of both: the head's members stand first.
            payload.pop();
            payload.extend_from_slice(b",\"f\":");
            payload.extend_from_slice(fields.get().as_bytes());
            payload.push(b'}');
            payload
        });
        Self::at(stamp, payload.unwrap_or_default())
    }

    /// With nothing in it, at the boot.
    pub(super) fn empty() -> Self {
        Self::at(Stamp { utc: None, monotonic: Duration::ZERO }, Vec::new())
    }

    /// Of this boot, without a number.
    pub(super) fn at(stamp: Stamp, payload: Vec<u8>) -> Self {
        Self {
            seq: 0,
            start: 0,
            boot: None,
            monotonic_ms: i64::try_from(stamp.monotonic.as_millis()).unwrap_or(i64::MAX),
            utc_ms: stamp.utc.map(|utc| utc.timestamp_millis()),
            stands_for: 1,
            payload,
            known: None,
        }
    }

    /// Whether it is an event, and no reading.
    pub(super) fn is_event(&self) -> bool {
        self.payload.starts_with(EVENT)
    }

    /// What it means for the trip, where it is an event that means something for it.
    pub(super) fn turn(&self) -> Option<Turn> {
        if !self.is_event() {
            return None;
        }
        event_head(&self.payload)?.turn
    }

    /// Whether there can be such a reading.
    pub(super) fn is_sound(&self) -> bool {
        let is_good = is_number(self.seq) && self.monotonic_ms >= 0 && self.utc_ms.is_none_or(is_time);
        is_good && self.stands_for > 0 && is_payload(&self.payload)
    }

    /// Its hash in the chain of evidence, if it is in one.
    pub(super) fn chain(&self) -> Option<Hash> {
        let (_, end) = self.payload.split_at_checked(self.payload.len().checked_sub(HASH_LENGTH)?)?;
        let hash = std::str::from_utf8(end).ok()?.strip_prefix(BEFORE_HASH)?.strip_suffix("\"}")?;
        hash.parse().ok()
    }

    /// Gives it a hash, or takes the one away that it has.
    pub(super) fn set_chain(&mut self, hash: Option<Hash>) {
        if self.chain().is_some() {
            self.payload.truncate(self.payload.len() - HASH_LENGTH);
            self.payload.push(b'}');
        }
        if let Some(hash) = hash
            && self.payload.pop().is_some()
        {
            for part in [BEFORE_HASH, &hash.to_text(), "\"}"] {
                self.payload.extend_from_slice(part.as_bytes());
            }
        }
    }

    /// Whether it is no reading, but something that the device states.
    pub(super) fn is_statement(&self) -> bool {
        self.payload.strip_prefix(AROUND[0]).is_some_and(|fields| fields.starts_with(STATEMENT.as_bytes()))
    }

    /// The body by which it is sent, once its time is fixed: `utc_ms` is all that there will ever be of it.
    pub(super) fn body(&self) -> Option<String> {
        let time = self.utc_ms.and_then(DateTime::from_timestamp_millis);
        let uptime_s = self.monotonic_ms as f64 / 1000.0;
        match self.known {
            Some(length) => {
                let fields = self.payload.get(AROUND[0].len()..)?.get(..length)?;
                Some(body(std::str::from_utf8(fields).ok()?, time, uptime_s, self.seq, None))
            }
            None => {
                let event = if self.is_event() { Some(event_head(&self.payload)?) } else { None };
                let fields = payload(&self.payload)?.fields;
                Some(body(fields.get(), time, uptime_s, self.seq, event.as_ref()))
            }
        }
    }

    /// The reading to be sent; `None` where its payload is none. `offset_ms` is that of its boot, where it is known.
    pub(super) fn entry(&self, offset_ms: Option<i64>) -> Option<Entry> {
        let utc_ms = self.utc_ms.or_else(|| offset_ms?.checked_add(self.monotonic_ms));
        let event = if self.is_event() { Some(Box::new(event_head(&self.payload)?)) } else { None };
        let (fields, alerts) = match self.known {
            Some(length) => {
                let fields = self.payload.get(AROUND[0].len()..)?.get(..length)?;
                (std::str::from_utf8(fields).ok()?.to_owned(), Vec::new())
            }
            None => {
                let Payload { fields, alerts } = payload(&self.payload)?;
                (fields.get().to_owned(), alerts)
            }
        };
        Some(Entry {
            seq: self.seq,
            start: self.start,
            time: utc_ms.and_then(DateTime::from_timestamp_millis),
            uptime_s: self.monotonic_ms as f64 / 1000.0,
            fields,
            alerts,
            chain: self.chain(),
            event,
        })
    }
}

/// Whether a reading may have this number.
pub(super) fn is_number(seq: u64) -> bool {
    (0..HIGHEST_FINAL).contains(&seq) || (PROVISIONAL..HIGHEST_PROVISIONAL).contains(&seq)
}

/// Whether a reading may have been taken then.
pub(super) fn is_time(utc_ms: i64) -> bool {
    (0..=LATEST_MS).contains(&utc_ms)
}

/// Whether these bytes are the payload of a reading, or of an event.
pub(super) fn is_payload(bytes: &[u8]) -> bool {
    payload(bytes).is_some() && (!bytes.starts_with(EVENT) || event_head(bytes).is_some())
}

fn event_head(bytes: &[u8]) -> Option<EventHead> {
    serde_json::from_slice(bytes).ok()
}

fn payload(bytes: &[u8]) -> Option<Payload> {
    let payload: Payload = serde_json::from_slice(bytes).ok()?;
    payload.fields.get().starts_with('{').then_some(payload)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::reading::Stamp;

    #[test]
    fn a_reading_is_sent_as_it_was_taken_whether_it_was_on_the_disk_or_not() {
        for fields in ["{}", r#"{"fix":"none","a":{"f":{}},"temperature":4.25}"#] {
            for alerts in [vec![], vec!["temperatureLow".to_owned()]] {
                let stamp =
                    Stamp { utc: Some(DateTime::<Utc>::UNIX_EPOCH), monotonic: Duration::from_secs(1) };
                let reading = Reading { stamp, fields: fields.into(), alerts: alerts.clone() };
                let taken = Row { seq: 7, ..Row::new(reading) };
                let stored = Row { known: None, ..taken.clone() };
                let entry = taken.entry(None).unwrap();
                assert_eq!((entry.fields.as_str(), &entry.alerts), (fields, &alerts));
                assert_eq!(stored.entry(None), Some(entry));
                assert!(is_payload(&taken.payload));
            }
        }
    }
}
