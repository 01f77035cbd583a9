//! What the laboratory shows: lines for people, or one JSON object a line for scripts.

use std::io::IsTerminal;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracker_emulator::TelemetryMessage;
use tracker_protocol::{Printable, printable, printable_json};

use super::board::Board;
use super::notification::Notification;
use super::received::readings;
use crate::event::{Event, Severity};
use crate::platform::clock::{rfc3339, system_time};
use crate::platform::stdout::line;

/// Where lines go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
    colour: bool,
    /// In place of lines, but for what the laboratory says while no page shows it.
    board: Option<&'static Board>,
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour, board: None }
    }

    /// Tells the board.
    pub(crate) fn on(board: &'static Board) -> Self {
        Self { board: Some(board), ..Self::new(false) }
    }

    /// The board, where there is one.
    pub(crate) fn board(&self) -> Option<&'static Board> {
        self.board
    }

    /// Ends the page that shows the board: what is said from now on stays to be read.
    pub(crate) fn close(&self) {
        if let Some(board) = self.board {
            board.close();
        }
    }

    /// A line about the laboratory itself; `details` is for scripts.
    pub(crate) fn note(&self, event: &str, text: &str, mut details: Value) {
        if let Some(board) = self.board {
            board.note(event, text, &details);
            if board.is_shown() {
                return;
            }
        }
        if self.json {
            merge(&mut details, json!({"event": event, "time": rfc3339(system_time()), "text": text}));
            line(&printable_json(details));
        } else {
            let lines: Vec<_> = text.lines().map(printable).collect();
            line(&format!("{}{}{}", self.style(BOLD), lines.join("\n"), self.style(PLAIN)));
        }
    }

    /// A tracker's event.
    pub(crate) fn event(&self, device: &str, event: &Event) {
        if let Some(board) = self.board {
            return board.event(device, event);
        }
        if self.json {
            let mut object = event.details();
            let text = event.to_string();
            merge(
                &mut object,
                json!({"event": event.name(), "device": device, "time": rfc3339(system_time()), "text": text}),
            );
            line(&printable_json(object));
            return;
        }
        let colour = match event.severity() {
            Severity::Debug => return,
            Severity::Info => PLAIN,
            Severity::Warning => YELLOW,
            Severity::Error => RED,
        };
        self.row(device, " ", colour, &event.to_string());
    }

    /// A message as the hub received it.
    pub(crate) fn telemetry(&self, message: &TelemetryMessage) {
        if let Some(board) = self.board {
            return board.telemetry(message);
        }
        for reading in readings(message) {
            self.reading(message, &reading);
        }
    }

    fn reading(&self, message: &TelemetryMessage, body: &Value) {
        if !self.json {
            let (mark, colour, text) = in_words(message, body);
            return self.row(&message.device_id, mark, colour, &text);
        }
        let properties: serde_json::Map<String, Value> = message
            .properties
            .iter()
            .map(|(key, value)| (key.to_owned(), value.map_or(Value::Null, Value::from)))
            .collect();
        let object = json!({
            "event": "telemetry",
            "device": message.device_id,
            "hub": message.hub,
            "time": rfc3339(message.enqueued_time),
            "messageId": message.message_id(),
            "duplicate": message.repeated_message_id,
            "properties": properties,
            "body": body,
        });
        line(&printable_json(object));
    }

    fn row(&self, device: &str, mark: &str, colour: &'static str, text: &str) {
        let (dim, plain, colour) = (self.style(DIM), self.style(PLAIN), self.style(colour));
        let time = system_time().format("%H:%M:%S");
        let (device, text) = (printable(device), Printable(text));
        line(&format!("{dim}{time}{plain} {device:<16} {colour}{mark} {text}{plain}"));
    }

    fn style(&self, code: &'static str) -> &'static str {
        if self.colour { code } else { "" }
    }
}

/// A message for a person: an event in a sentence, what the device states, or a reading.
fn in_words(message: &TelemetryMessage, body: &Value) -> (&'static str, &'static str, String) {
    if let Some(notification) = Notification::of_message(message) {
        let colour = match (notification.property("state"), notification.property("severity")) {
            (_, "") | ("cleared", _) => BOLD,
            (_, "critical") => RED,
            _ => YELLOW,
        };
        return ("✉", colour, notification.text);
    }
    match body["evidence"].as_str() {
        Some(statement) => ("▶", DIM, stated(statement, body)),
        None => ("▶", GREEN, summary(body)),
    }
}

/// Telemetry at a glance: `#12 2026-11-21 14:05  3.98 °C  1013.2 hPa  84.1 %RH  36.8400°S 174.7800°E  12.0 km/h`.
fn summary(body: &Value) -> String {
    let number = |name: &str, decimals: usize, unit: &str| match body[name].as_f64() {
        Some(value) => format!("{value:.decimals$} {unit}"),
        None => format!("- {unit}"),
    };
    let time = body["time"].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
    let time = time.map_or("time unknown    ".into(), |time| time.format("%Y-%m-%d %H:%M").to_string());
    let position = match (body["location"]["lat"].as_f64(), body["location"]["lon"].as_f64()) {
        (Some(lat), Some(lon)) => format!(
            "{:8.4}°{} {:8.4}°{}  {}",
            lat.abs(),
            if lat < 0.0 { 'S' } else { 'N' },
            lon.abs(),
            if lon < 0.0 { 'W' } else { 'E' },
            number("speed", 1, "km/h"),
        ),
        _ => "no GPS fix".into(),
    };
    format!(
        "#{} {time}  {:>9}  {:>10}  {:>9}  {position}",
        body["seq"].as_u64().unwrap_or(0),
        number("temperature", 2, "°C"),
        number("pressure", 1, "hPa"),
        number("humidity", 1, "%RH"),
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

fn merge(target: &mut Value, more: Value) {
    if target.is_null() {
        *target = json!({});
    }
    if let (Value::Object(target), Value::Object(more)) = (target, more) {
        target.extend(more);
    }
}
