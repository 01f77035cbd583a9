//! What is stored together, all of it or nothing: events, the reading that showed them, and states that then hold.
//!
//! In the file these are rows and a table, written in one transaction. In the waiting room a bundle is one record, as what is
//! written in several could be cut between them; its payload has the payloads of all its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::row::Row;
use crate::event_message::EventMessage;
use crate::reading::{Reading, Stamp};

/// What is stored together.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// When.
    pub stamp: Stamp,
    /// Sent before all that waits; numbered before the reading.
    pub events: Vec<EventMessage>,
    /// What showed them, if it was a reading.
    pub reading: Option<Reading>,
    /// What must be known after a restart, by name. Text that is small: all of them are kept in memory too.
    pub states: Vec<(&'static str, String)>,
}

impl Bundle {
    /// Two of the same moment as one: the events of the first go before those of the second.
    pub fn joined(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(mut first), Some(second)) => {
                first.events.extend(second.events);
                first.states.extend(second.states);
                first.reading = first.reading.or(second.reading);
                Some(first)
            }
            (first, second) => first.or(second),
        }
    }
}

/// States by name.
pub(super) type States = BTreeMap<String, String>;

/// What a bundle's payload begins with.
const MARK: &[u8] = b"{\"b\":";

/// A bundle's payload. It has fields, so that it looks like a reading's to who checks that.
#[derive(Serialize, Deserialize)]
struct Packed {
    #[serde(rename = "b")]
    payloads: Vec<Box<RawValue>>,
    #[serde(rename = "s")]
    states: States,
    #[serde(rename = "f")]
    fields: NoFields,
}

#[derive(Serialize, Deserialize)]
struct NoFields {}

/// The row that has all of these in it, as the waiting room keeps it: under the number of the last.
pub(super) fn pack(at: &Row, rows: &[Row], states: &States) -> Row {
    let payloads = rows.iter().filter_map(|row| {
        let text = String::from_utf8(row.payload.clone()).ok()?;
        RawValue::from_string(text).ok()
    });
    let packed = Packed { payloads: payloads.collect(), states: states.clone(), fields: NoFields {} };
    // Sealed, they have their time.
    let (seq, start, utc_ms) =
        rows.last().map_or((0, 0, at.utc_ms), |last| (last.seq, last.start, last.utc_ms));
    Row {
        seq,
        start,
        utc_ms,
        payload: serde_json::to_vec(&packed).unwrap_or_default(),
        known: None,
        ..at.clone()
    }
}

/// The rows of what the waiting room has kept; the states of a bundle are added to `states`.
pub(super) fn unpack(row: Row, states: &mut States) -> Vec<Row> {
    let packed = row.payload.starts_with(MARK).then(|| serde_json::from_slice::<Packed>(&row.payload));
    let Some(Ok(packed)) = packed else { return vec![row] };
    states.extend(packed.states);
    let count = packed.payloads.len() as u64;
    let first = (row.seq + 1).saturating_sub(count);
    let numbered = packed.payloads.iter().zip(first..).map(|(payload, seq)| Row {
        seq: if row.seq == 0 { 0 } else { seq },
        payload: payload.get().into(),
        ..row.clone()
    });
    numbered.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let stamp = Stamp { utc: None, monotonic: Duration::from_secs(7) };
        let event = EventMessage::new("alarm", "cargo", "raised", "{\"limit\":8.0}".into());
        let reading = Reading { stamp, fields: "{\"n\":1}".into(), alerts: vec!["x".into()] };
        let mut rows =
            vec![Row::of_event(stamp, event.clone()), Row::of_event(stamp, event), Row::new(reading)];
        let given = States::from([("alarms".to_owned(), "{}".to_owned())]);
        for numbers in [[5, 6, 7], [0, 0, 0]] {
            for (row, seq) in rows.iter_mut().zip(numbers) {
                (row.seq, row.known) = (seq, None);
            }
            let packed = pack(&rows[0], &rows, &given);
            assert!(packed.is_sound());
            let mut states = States::new();
            assert_eq!((unpack(packed, &mut states), &states), (rows.clone(), &given));
        }
        let (alone, mut states) = (pack(&rows[0], &[], &given), States::new());
        assert!(unpack(alone, &mut states).is_empty() && states == given);
        assert_eq!(unpack(rows[2].clone(), &mut States::new()), rows[2..], "what is no bundle is itself");
    }
}
