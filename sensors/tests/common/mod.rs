//! The recorded logs and what a careful reader makes of them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses some of these")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tracker_sensors::gps::{Decoder, Event, Fix};

pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

/// A recording and its expected fixes.
pub struct Log {
    pub name: String,
    pub bytes: Vec<u8>,
    pub expected: Value,
}

impl Log {
    pub fn named(name: &str) -> Self {
        let expected = std::fs::read(data("nmea/expected").join(format!("{name}.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let folder = if name.starts_with("syn-") { "nmea/synthetic" } else { "nmea/logs" };
        let bytes = std::fs::read(data(folder).join(format!("{name}.nmea"))).unwrap();
        assert_eq!(expected["bytes"], bytes.len(), "{name} was altered: line ends?");
        Self { name: name.to_owned(), bytes, expected }
    }

    pub fn all() -> Vec<Self> {
        let mut names: Vec<String> = std::fs::read_dir(data("nmea/expected"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names.len(), 46, "recordings are missing");
        names.iter().map(|name| Self::named(name)).collect()
    }

    pub fn expected_rows(&self) -> Vec<Value> {
        self.expected["fixes"].as_array().unwrap().clone()
    }
}

/// Decodes bytes that come in pieces, without any pause between them.
pub fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Fix> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(decoder.push(piece, Duration::ZERO));
    }
    events.extend(decoder.finish());
    fixes(events)
}

pub fn fixes(events: Vec<Event>) -> Vec<Fix> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Fix(fix) => Some(fix),
            Event::NoFix { .. } => None,
        })
        .collect()
}

/// A fix in the columns of the expected files.
pub fn row(fix: &Fix) -> Value {
    let rounded = |value: f64, decimals: usize| -> f64 { format!("{value:.decimals$}").parse().unwrap() };
    json!([
        fix.time.format("%H:%M:%S%.3f").to_string(),
        fix.date.map(|date| date.to_string()),
        rounded(fix.position.latitude, 8),
        rounded(fix.position.longitude, 8),
        fix.altitude_m,
        fix.speed_kn,
        fix.course_deg,
        fix.quality,
        fix.satellites,
        fix.hdop,
        fix.source(),
        rounded(fix.spread_m, 1),
        fix.end,
    ])
}

pub fn rows(fixes: &[Fix]) -> Vec<Value> {
    fixes.iter().map(row).collect()
}
