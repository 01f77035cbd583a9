//! What the laboratory shows: lines for people, or one JSON object a line for scripts.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracker_emulator::{EventKind, TelemetryMessage};
use tracker_protocol::{Printable, PropertyBag, printable, printable_json};
use tracker_sensors::simulated::SimulatedClock;

use super::board::Board;
use super::lines::paint::{BOLD, DIM, PLAIN, Paint, RED, YELLOW};
use super::lines::words::Words;
use super::lines::{Lines, columns};
use super::received::readings;
use crate::event::{Event, Severity};
use crate::platform::clock::{rfc3339, system_time};
use crate::platform::stdout::{line, lines};

/// Where lines go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
    paint: Paint,
    /// For a person at a terminal.
    lines: Option<&'static Lines>,
    /// In place of lines, but for what the laboratory says while no page shows it.
    board: Option<&'static Board>,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let colour = is_terminal && std::env::var_os("NO_COLOR").is_none();
        // What was shown is needed as long as something is.
        let lines = (is_terminal && !json).then(|| &*Box::leak(Box::new(Lines::new(colour))));
        Self { json, paint: Paint(colour), lines, board: None }
    }

    /// Tells the board.
    pub(crate) fn on(board: &'static Board) -> Self {
        Self { board: Some(board), ..Self::new(false) }
    }

    /// The board, where there is one.
    pub(crate) fn board(&self) -> Option<&'static Board> {
        self.board
    }

    /// So many devices will be shown, whose time is this.
    pub(crate) fn expect(&self, devices: usize, clock: &SimulatedClock) {
        if let Some(lines) = self.lines {
            lines.expect(devices);
            lines.follow(clock.clone());
        }
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
        } else if let Some(lines) = self.lines {
            show(lines.note(columns(), event, text, &details));
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
        if let Some(lines) = self.lines {
            return show(lines.event(columns(), device, event));
        }
        let colour = match event.severity() {
            Severity::Debug => return,
            Severity::Info => PLAIN,
            Severity::Warning => YELLOW,
            Severity::Error => RED,
        };
        self.row(device, " ", colour, &event.to_string());
    }

    /// What has happened at the emulator.
    pub(crate) fn cloud(&self, kinds: &[EventKind]) {
        if !self.json || self.board.is_some() {
            for kind in kinds {
                let detail = serde_json::to_value(kind).unwrap_or_default();
                self.note("cloud", &kind.to_string(), json!({"detail": detail}));
            }
            return;
        }
        let time = rfc3339(system_time());
        let happened = |kind: &EventKind| {
            row_of(&Happened { detail: kind, event: "cloud", text: kind.to_string(), time: &time })
        };
        lines(&kinds.iter().map(happened).collect::<String>());
    }

    /// Messages as the hub received them.
    pub(crate) fn messages(&self, messages: &[Arc<TelemetryMessage>]) {
        if !self.json || self.board.is_some() {
            return messages.iter().for_each(|message| self.telemetry(message));
        }
        let mut rows = String::new();
        for message in messages {
            match as_it_is(message) {
                Some(body) => rows += &row_of(&Told::of(message, body)),
                None => rows.extend(readings(message).iter().map(|body| row_of(&Told::of(message, body)))),
            }
        }
        lines(&rows);
    }

    /// A message as the hub received it.
    pub(crate) fn telemetry(&self, message: &TelemetryMessage) {
        if let Some(board) = self.board {
            return board.telemetry(message);
        }
        let readings = readings(message);
        if let Some(lines) = self.lines {
            return show(lines.telemetry(columns(), message, &readings));
        }
        for reading in readings {
            self.reading(message, &reading);
        }
    }

    fn reading(&self, message: &TelemetryMessage, body: &Value) {
        if !self.json {
            let (mark, colour, text) = Words::of(message, body).in_full(body);
            return self.row(&message.device_id, mark, colour, &text);
        }
        lines(&row_of(&Told::of(message, body)));
    }

    fn row(&self, device: &str, mark: &str, colour: &'static str, text: &str) {
        let (dim, plain, colour) = (self.style(DIM), self.style(PLAIN), self.style(colour));
        let time = system_time().format("%H:%M:%S");
        let (device, text) = (printable(device), Printable(text));
        line(&format!("{dim}{time}{plain} {device:<16} {colour}{mark} {text}{plain}"));
    }

    fn style(&self, code: &'static str) -> &'static str {
        self.paint.code(code)
    }
}

/// Something that has happened at the emulator, for scripts.
#[derive(Serialize)]
struct Happened<'a> {
    detail: &'a EventKind,
    event: &'static str,
    text: String,
    time: &'a str,
}

/// A reading as the hub received it, for scripts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a, B: ?Sized> {
    body: &'a B,
    device: &'a str,
    duplicate: bool,
    event: &'static str,
    hub: &'a str,
    message_id: Option<&'a str>,
    properties: BTreeMap<&'a str, Option<&'a str>>,
    time: String,
}

impl<'a, B: ?Sized> Told<'a, B> {
    fn of(message: &'a TelemetryMessage, body: &'a B) -> Self {
        Self {
            body,
            device: &message.device_id,
            duplicate: message.repeated_message_id,
            event: "telemetry",
            hub: &message.hub,
            message_id: message.message_id(),
            properties: message.properties.iter().collect(),
            time: rfc3339(message.enqueued_time),
        }
    }
}

/// The body of a message that is one reading, plain and on one line: as its device has written it, and a hub that has thousands of
/// them does not take each apart to show it.
fn as_it_is(message: &TelemetryMessage) -> Option<&RawValue> {
    let body = &message.body;
    let is_plain = body.first() == Some(&b'{')
        && message.properties.get(PropertyBag::CONTENT_ENCODING) != Some("gzip")
        && body.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let text = is_plain.then(|| str::from_utf8(body).ok()).flatten()?;
    if text.contains("\"compact\"") { None } else { serde_json::from_str(text).ok() }
}

/// A line of JSON, with its end.
fn row_of(shown: &impl Serialize) -> String {
    // None of these has a form that JSON lacks.
    let mut row = printable_json(serde_json::to_string(shown).unwrap_or_default());
    row.push('\n');
    row
}

fn show(lines: Vec<String>) {
    for text in lines {
        line(&text);
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn message(body: &[u8], properties: PropertyBag) -> TelemetryMessage {
        TelemetryMessage {
            hub: "cheese-hub.azure-devices.net".into(),
            device_id: "sensor-thl-001".into(),
            module_id: None,
            enqueued_time: DateTime::UNIX_EPOCH,
            sequence_number: 1,
            body: body.to_vec().into(),
            properties,
            marked_duplicate: false,
            repeated_message_id: false,
        }
    }

    #[test]
    fn a_plain_reading_is_shown_as_its_device_has_written_it() {
        let plain = message(br#"{"temperature": 4.10,"seq":7}"#, PropertyBag::new());
        let row = row_of(&Told::of(&plain, as_it_is(&plain).unwrap()));
        assert!(
            row.starts_with(r#"{"body":{"temperature": 4.10,"seq":7},"device":"sensor-thl-001""#),
            "{row}"
        );
        let taken_apart = row_of(&Told::of(&plain, &readings(&plain)[0]));
        let value = |row: &str| serde_json::from_str::<Value>(row).unwrap();
        assert_eq!(value(&row), value(&taken_apart));
    }

    #[test]
    fn what_has_to_be_taken_apart_or_escaped_is() {
        let gzip = || PropertyBag::new().with(PropertyBag::CONTENT_ENCODING, "gzip");
        for (body, properties) in [
            (&b"{\"a\":1,\n\"b\":2}"[..], PropertyBag::new()),
            ("{\"a\":\"\u{202e}\"}".as_bytes(), PropertyBag::new()),
            (b"[{\"a\":1}]", PropertyBag::new()),
            (b"{\"compact\":1,\"count\":0}", PropertyBag::new()),
            (b"{\"a\":1", PropertyBag::new()),
            (b"{\"a\":1}", gzip()),
        ] {
            assert!(as_it_is(&message(body, properties)).is_none(), "{}", body.escape_ascii());
        }
    }
}
