//! A message for a person: an event in a sentence, what the device states, or a reading.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_emulator::TelemetryMessage;

use super::paint::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::lab::notification::Notification;

/// What there is to say of a message.
pub(crate) enum Words {
    /// A sentence, with its mark and its colour.
    Said(&'static str, &'static str, String),
    /// That the body is a reading.
    Reading,
}

impl Words {
    pub(crate) fn of(message: &TelemetryMessage, body: &Value) -> Self {
        if let Some(notification) = Notification::of_message(message) {
            let colour = match (notification.property("state"), notification.property("severity")) {
                (_, "") | ("cleared", _) => BOLD,
                (_, "critical") => RED,
                _ => YELLOW,
            };
            return Self::Said("✉", colour, notification.text);
        }
        match body["evidence"].as_str() {
            Some(statement) => Self::Said("▶", DIM, stated(statement, body)),
            None => Self::Reading,
        }
    }

    /// Mark, colour and text of a line that scripts may read as well.
    pub(crate) fn in_full(self, body: &Value) -> (&'static str, &'static str, String) {
        match self {
            Self::Said(mark, colour, text) => (mark, colour, text),
            Self::Reading => ("▶", GREEN, summary(body)),
        }
    }
}

/// When a reading was taken.
pub(crate) fn taken(body: &Value) -> Option<DateTime<Utc>> {
    body["time"].as_str()?.parse().ok()
}

/// A number with its unit; `-` where there is none.
pub(crate) fn number(body: &Value, name: &str, decimals: usize, unit: &str) -> String {
    match body[name].as_f64() {
        Some(value) => format!("{value:.decimals$} {unit}"),
        None => format!("- {unit}"),
    }
}

/// Telemetry at a glance: `#12 2026-11-21 14:05  3.98 °C  1013.2 hPa  84.1 %RH  36.8400°S 174.7800°E  12.0 km/h`.
fn summary(body: &Value) -> String {
    let time =
        taken(body).map_or("time unknown    ".into(), |time| time.format("%Y-%m-%d %H:%M").to_string());
    let position = match (body["location"]["lat"].as_f64(), body["location"]["lon"].as_f64()) {
        (Some(lat), Some(lon)) => format!(
            "{:8.4}°{} {:8.4}°{}  {}",
            lat.abs(),
            if lat < 0.0 { 'S' } else { 'N' },
            lon.abs(),
            if lon < 0.0 { 'W' } else { 'E' },
            number(body, "speed", 1, "km/h"),
        ),
        _ => "no GPS fix".into(),
    };
    format!(
        "#{} {time}  {:>9}  {:>10}  {:>9}  {position}",
        body["seq"].as_u64().unwrap_or(0),
        number(body, "temperature", 2, "°C"),
        number(body, "pressure", 1, "hPa"),
        number(body, "humidity", 1, "%RH"),
    )
}

/// What a device states in its chain of evidence.
fn stated(statement: &str, body: &Value) -> String {
    let number = |name: &str| body[name].as_u64().unwrap_or(0);
    let seq = number("seq");
    match statement {
        "signature" => format!("#{seq} evidence: its key has signed all up to #{}", number("upTo")),
        "certificate" => format!("#{seq} evidence: the certificate of its key"),
        "start" => format!("#{seq} evidence: the chain begins"),
        "tripBegin" => format!("#{seq} evidence: a trip begins"),
        "tripEnd" => format!("#{seq} evidence: a trip ends, with its report"),
        other => format!("#{seq} evidence: {other}"),
    }
}
