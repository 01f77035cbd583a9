//! InfluxDB's line protocol: a measurement, the device as a tag, the numbers as fields, nanoseconds since 1970.
//!
//! Every number is a float, whatever it looks like, since the type that came first is the type of a field for ever.

use anyhow::bail;
use chrono::DateTime;
use serde_json::Value;
use tracker_console::history::{Cell, Exported};

use super::form::Form;
use crate::cli::cloud::readings::Row;

/// Lines of one measurement.
pub(in crate::cli::cloud) struct LineProtocol {
    measurement: String,
    names: Vec<&'static str>,
}

impl LineProtocol {
    pub(in crate::cli::cloud) fn new(measurement: &str) -> anyhow::Result<Self> {
        if measurement.is_empty()
            || measurement.starts_with(['_', '#'])
            || measurement.contains(char::is_control)
        {
            bail!("--measurement has to be a name that does not begin with _ or #, like reading");
        }
        // In a name of its own, as a dot is awkward in queries.
        let names = Exported::fields().map(|name| name.strip_prefix("location.").unwrap_or(name)).collect();
        Ok(Self { measurement: escaped(measurement, &[',', ' ']), names })
    }

    /// Appends a reading as a line.
    pub(in crate::cli::cloud) fn put(&self, row: &Row<'_>, out: &mut String) {
        let before = out.len();
        out.push_str(&self.measurement);
        // An empty tag is none.
        if !row.device.is_empty() {
            out.push_str(",device=");
            out.push_str(&escaped(row.device, &[',', ' ', '=']));
        }
        out.push(' ');
        let begin = out.len();
        let next = |out: &mut String, name: &str| {
            if out.len() > begin {
                out.push(',');
            }
            out.push_str(&escaped(name, &[',', ' ', '=']));
            out.push('=');
        };
        for (number, name) in self.names.iter().enumerate() {
            match row.reading.cell(number) {
                Some(Cell::Number(value)) => {
                    next(out, name);
                    value.put(out);
                }
                Some(Cell::Word(word)) => {
                    next(out, name);
                    text(word, out);
                }
                None => {}
            }
        }
        if let Some(place) = row.reading.place() {
            next(out, "place");
            text(place, out);
        }
        if let Some(seq) = row.reading.seq() {
            next(out, "seq");
            out.push_str(&seq.to_string());
        }
        if !row.reading.has_time() {
            next(out, "timeUnknown");
            out.push_str("true");
        }
        for (name, value) in row.more.into_iter().flatten() {
            if let Value::Number(number) = value {
                next(out, name);
                out.push_str(&number.to_string());
            }
        }
        if out.len() == begin {
            // A line without a field is none.
            out.truncate(before);
            return;
        }
        out.push(' ');
        out.push_str(&row.reading.milliseconds().to_string());
        out.push_str("000000\n");
    }
}

/// Appends an alarm's message as a line of the measurement `alarm`; nothing for what is no alarm. `enqueued` is its time if it has
/// none of its own, in milliseconds since 1970.
pub(in crate::cli::cloud) fn put_alarm(device: &str, message: &Value, enqueued: i64, out: &mut String) {
    let (Some(members), Some(_)) = (message.as_object(), message["alarm"].as_str()) else { return };
    out.push_str("alarm");
    let tags =
        ["alarm", "severity"].map(|name| (name, members.get(name).and_then(Value::as_str).unwrap_or("")));
    for (name, value) in tags.into_iter().chain([("device", device)]).filter(|(_, value)| !value.is_empty()) {
        out.push(',');
        out.push_str(name);
        out.push('=');
        out.push_str(&escaped(value, &[',', ' ', '=']));
    }
    // Without a field it would be no line.
    out.push_str(" told=true");
    for (name, value) in members {
        if ["alarm", "severity", "time", "told"].contains(&name.as_str()) || name.is_empty() {
            continue;
        }
        let begin = |out: &mut String| {
            out.push(',');
            out.push_str(&escaped(name, &[',', ' ', '=']));
            out.push('=');
        };
        match value {
            Value::Number(number) => {
                begin(out);
                out.push_str(&number.to_string());
            }
            Value::Bool(is) => {
                begin(out);
                out.push_str(if *is { "true" } else { "false" });
            }
            Value::String(word) => {
                begin(out);
                text(word, out);
            }
            _ => {}
        }
    }
    let time = message["time"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    out.push(' ');
    out.push_str(&time.map_or(enqueued, |time| time.timestamp_millis()).to_string());
    out.push_str("000000\n");
}

impl Form for LineProtocol {
    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        self.put(row, out);
        Ok(())
    }
}

/// Puts a backslash before what ends a name. Line feeds, and a backslash at the end, have no form there.
fn escaped(name: &str, ends: &[char]) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars().filter(|character| !character.is_control()) {
        if ends.contains(&character) {
            out.push('\\');
        }
        out.push(character);
    }
    if out.ends_with('\\') {
        out.push('_');
    }
    out
}

/// A field's text.
fn text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::cloud::readings::said;

    #[test]
    fn a_reading_is_a_line_whatever_its_device_is_called() {
        let body = r#"{"temperature":4,"humidity":81.25,"door":"open","location":{"lat":51.95,"lon":4.05},"place":"yard \"1\"",
            "shock":2.5,"note":"x","time":"2026-11-28T12:00:00.250Z","seq":7}"#;
        let said = said(body.as_bytes(), &BTreeMap::new(), DateTime::UNIX_EPOCH);
        let (reading, more) = &said.readings[0];
        let mut out = String::new();
        LineProtocol::new("cold chain")
            .unwrap()
            .put(&Row { device: "a b,c=d\\", reading, more: Some(more) }, &mut out);
        assert_eq!(
            out,
            "cold\\ chain,device=a\\ b\\,c\\=d\\_ temperature=4,humidity=81.25,lat=51.95,lon=4.05,door=\"open\",\
             place=\"yard \\\"1\\\"\",seq=7,shock=2.5 1795867200250000000\n"
        );
        assert!(LineProtocol::new("_x").is_err() && LineProtocol::new("").is_err());
    }
    #[test]
    fn an_alarm_is_a_line_of_its_own_measurement() {
        let mut out = String::new();
        let alarm = serde_json::json!({"alarm": "too warm", "severity": "warning", "state": "raised", "extreme": 8.41,
            "limit": 7, "acknowledged": false, "location": {"lat": 1}, "time": "2026-11-28T12:00:00.250Z"});
        put_alarm("box-1", &alarm, 7, &mut out);
        assert_eq!(
            out,
            "alarm,alarm=too\\ warm,severity=warning,device=box-1 told=true,acknowledged=false,extreme=8.41,limit=7,\
             state=\"raised\" 1795867200250000000\n"
        );
        out.clear();
        put_alarm("box-1", &serde_json::json!({"alarm": "door"}), 7, &mut out);
        assert_eq!(out, "alarm,alarm=door,device=box-1 told=true 7000000\n");
        out.clear();
        put_alarm("box-1", &serde_json::json!({"event": "started"}), 7, &mut out);
        assert_eq!(out, "");
    }
}
