//! What a container said last, and how it came to that.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tracker_protocol::printable;

use super::trend::Trend;

/// What has a course: member of a reading, name for people, unit, decimals.
const MEASURED: [(&str, &str, &str, usize); 5] = [
    ("temperature", "temperature", "°C", 2),
    ("humidity", "humidity", "%RH", 1),
    ("pressure", "pressure", "hPa", 1),
    ("light", "light", "lx", 1),
    ("speed", "speed", "km/h", 1),
];

/// The readings of one container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings {
    last: Map<String, Value>,
    trends: BTreeMap<&'static str, Trend>,
}

/// One value of the last reading, fit to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// With its unit; `-` where the last reading had none.
    pub(crate) value: String,
    pub(crate) decimals: usize,
    pub(crate) trend: Trend,
}

impl Readings {
    /// Takes the next reading, as telemetry has it. What is no object is none.
    pub(crate) fn push(&mut self, reading: Value) {
        let Value::Object(reading) = reading else { return };
        for (member, ..) in MEASURED {
            let value = reading.get(member).and_then(Value::as_f64);
            // What it never had it has no course of.
            if value.is_some() || self.trends.contains_key(member) {
                self.trends.entry(member).or_default().push(value);
            }
        }
        self.last = reading;
    }

    /// A number of the last reading.
    pub(crate) fn number(&self, member: &str) -> Option<f64> {
        self.last.get(member)?.as_f64()
    }

    /// A text of the last reading, as a terminal may show it.
    pub(crate) fn text(&self, member: &str) -> Option<String> {
        self.last.get(member)?.as_str().map(printable)
    }

    /// Latitude and longitude in degrees, where they are such.
    pub(crate) fn position(&self) -> Option<(f64, f64)> {
        let location = self.last.get("location")?;
        let degrees = |name: &str, most: f64| location[name].as_f64().filter(|value| value.abs() <= most);
        Some((degrees("lat", 90.0)?, degrees("lon", 180.0)?))
    }

    /// The course of a number.
    pub(crate) fn trend(&self, member: &str) -> Option<&Trend> {
        self.trends.get(member)
    }

    /// What was measured, each with its course.
    pub(crate) fn measured(&self) -> Vec<Measured> {
        let measured = |(member, name, unit, decimals): &(&'static str, &'static str, &str, usize)| {
            let trend = self.trends.get(member)?.clone();
            let value = self.number(member);
            let value = value.map_or("-".into(), |value| format!("{value:.decimals$} {unit}"));
            Some(Measured { name, value, decimals: *decimals, trend })
        };
        MEASURED.iter().filter_map(measured).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_measured_has_a_course_and_what_is_absent_is_a_gap() {
        let mut readings = Readings::default();
        readings.push(json!(null));
        assert_eq!(readings.measured(), []);
        for reading in [
            json!({"temperature": 4.0, "location": {"lat": 51.9, "lon": 4.1}}),
            json!({"temperature": "hot\u{1b}[2J", "humidity": 80.0, "place": "\u{1b}[2J"}),
            json!({"temperature": 5.0, "humidity": 81.25, "location": {"lat": 951.9, "lon": 4.1}}),
        ] {
            readings.push(reading);
        }
        let measured = readings.measured();
        let shown: Vec<_> = measured.iter().map(|m| (m.name, &*m.value, m.trend.columns(8))).collect();
        assert_eq!(shown, [("temperature", "5.00 °C", "▁ █".into()), ("humidity", "81.2 %RH", "▁█".into())]);
        assert_eq!(readings.position(), None, "no such place is on the earth");
        readings.push(json!({"place": "\u{1b}[2J", "location": {"lat": -36.8, "lon": 174.7}}));
        assert_eq!((readings.position(), readings.number("temperature")), (Some((-36.8, 174.7)), None));
        assert_eq!(readings.text("place").unwrap(), "\\u{1b}[2J");
    }
}
