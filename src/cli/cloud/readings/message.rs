//! What a message of a device says: readings, of any shape they travel in, or something else.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracker_console::history::Exported;

use crate::lab::received::readings_in;

/// Members of a reading that are none of its fields.
const FRAME: [&str; 5] = ["time", "seq", "location", "place", "timeUnknown"];

/// Members that the console does not know, by their names.
pub(in crate::cli::cloud) type More = Map<String, Value>;

/// What a message says.
#[derive(Debug, Default)]
pub(in crate::cli::cloud) struct Said {
    /// Readings, each with what else it has.
    pub readings: Vec<(Exported, More)>,
    /// Alarms, statements and whatever else is JSON.
    pub others: Vec<Value>,
}

/// Reads a body, compressed or not, that a hub took at `enqueued`.
pub(in crate::cli::cloud) fn said(
    body: &[u8],
    properties: &BTreeMap<String, String>,
    enqueued: DateTime<Utc>,
) -> Said {
    let mut said = Said::default();
    for item in readings_in(body, body.starts_with(&[0x1f, 0x8b])) {
        let found = Exported::read(item.to_string().as_bytes(), properties, enqueued);
        match (found.and_then(|mut found| found.pop()), item) {
            (Some(reading), item) => said.readings.push((reading, unknown(item))),
            (None, Value::Null) => {}
            (None, other) => said.others.push(other),
        }
    }
    said
}

fn unknown(item: Value) -> More {
    let Value::Object(mut members) = item else { return More::new() };
    members
        .retain(|name, _| !FRAME.contains(&name.as_str()) && !Exported::fields().any(|field| field == name));
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_come_out_of_every_shape_and_alarms_are_none() {
        let said = |body: &str| said(body.as_bytes(), &BTreeMap::new(), DateTime::UNIX_EPOCH);
        let one = said(r#"{"temperature":4.5,"vibration":{"x":1},"time":"2026-11-28T12:00:00Z","seq":7}"#);
        let (reading, more) = &one.readings[0];
        assert_eq!(
            (reading.seq(), more.keys().map(String::as_str).collect::<Vec<_>>()),
            (Some(7), vec!["vibration"])
        );
        assert_eq!(said(r#"[{"temperature":1,"seq":1},{"temperature":2,"seq":2},"x"]"#).readings.len(), 2);
        let alarm = said(r#"{"alarm":"door","state":"begins","time":"2026-11-28T12:00:00Z"}"#);
        assert_eq!((alarm.readings.len(), alarm.others.len()), (0, 1));
        for nothing in ["", "18.5 C", "null", "{}", "[]"] {
            assert!(said(nothing).readings.is_empty(), "{nothing}");
        }
    }
}
