//! Lines for a person at a terminal: a reading in one, a start in one, and from twenty devices on a second in one.
//!
//! Whoever reads them by a program has a pipe, and gets the full lines of `words.rs`, whose shape stays, or JSON.

mod device;
mod names;
pub(crate) mod paint;
mod reading;
mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tracker_emulator::TelemetryMessage;
use tracker_protocol::printable;
use tracker_sensors::simulated::SimulatedClock;

use crate::event::{Event, Severity};
use crate::lab::text::{cut, width, wrapped};
use crate::platform::clock::system_time;
use device::Device;
use names::Names;
use paint::{BOLD, DIM, GREEN, PLAIN, Paint, RED, YELLOW};
use summary::{FROM, Summary};
use words::{Words, taken};

/// Columns of a terminal that does not say how many it has.
const USUAL: usize = 80;
/// A name has so many of them, and some of those that a wider terminal has more.
const NAME: (usize, usize) = (12, 20);
/// As much of a line is for words at the least, where the rest is time and name.
const WORDS: usize = 24;
/// What a device does within this time of its assignment, or of coming online, is its start.
const STARTING: Duration = Duration::from_secs(3);

/// What was shown, by which the next line is made.
#[derive(Debug)]
pub(crate) struct Lines {
    paint: Paint,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    clock: Option<SimulatedClock>,
    day: Option<NaiveDate>,
    names: Names,
    devices: BTreeMap<String, Device>,
    expected: usize,
    /// Whether messages are shown as the hub has received them.
    has_hub: bool,
    summary: Summary,
}

/// A line that is being made.
struct Row<'a> {
    time: Option<DateTime<Utc>>,
    device: &'a str,
    mark: &'static str,
    colour: &'static str,
}

impl Lines {
    pub(crate) fn new(colour: bool) -> Self {
        Self { paint: Paint(colour), inner: Mutex::default() }
    }

    /// So many devices will come.
    pub(crate) fn expect(&self, devices: usize) {
        self.inner().expected = devices;
    }

    /// What happens is told by this clock from now on.
    pub(crate) fn follow(&self, clock: SimulatedClock) {
        self.inner().clock = Some(clock);
    }

    /// What the laboratory says.
    pub(crate) fn note(&self, columns: usize, event: &str, text: &str, details: &Value) -> Vec<String> {
        let mut inner = self.inner();
        let mut lines = Vec::new();
        if let (true, Some(device)) = (event == "voyage", details["device"].as_str()) {
            let title = text.strip_prefix(&format!("{device}: ")).unwrap_or(text);
            inner.device(device).voyage = Some(printable(title));
            return lines;
        }
        if event == "cloud" && inner.is_known(&details["detail"]) {
            return lines;
        }
        if let (true, Some(device)) = (event == "cloud", assigned(&details["detail"])) {
            let row = Row { time: Some(inner.now()), device, mark: "●", colour: GREEN };
            let hub = details["detail"]["hub"].as_str().unwrap_or_default();
            let text = format!("assigned to {}", hub.split('.').next().unwrap_or(hub));
            return self.sentence(&mut inner, columns, &row, &text);
        }
        if event == "summary" && inner.is_many() {
            lines.extend(self.told(&mut inner, columns, true));
        }
        // What is to be copied, or to be searched for in what was shown, is in one piece.
        let columns = if matches!(event, "try" | "summary") { usize::MAX } else { columns };
        let paragraph = |line: &str| self.paragraph(columns, line);
        lines.extend(text.lines().flat_map(paragraph));
        lines
    }

    /// A line of a note, broken below its beginning. A link is not broken.
    fn paragraph(&self, columns: usize, line: &str) -> Vec<String> {
        let line = printable(line);
        let words = line.trim_start();
        let indent = line.len() - words.len();
        let parts = if words.contains("://") {
            vec![words.to_owned()]
        } else {
            wrapped(words, columns.saturating_sub(indent).max(WORDS))
        };
        parts.iter().map(|part| self.paint.text(BOLD, &format!("{}{part}", " ".repeat(indent)))).collect()
    }

    /// What happens to a tracker.
    pub(crate) fn event(&self, columns: usize, device: &str, event: &Event) -> Vec<String> {
        let severity = event.severity();
        let mut inner = self.inner();
        let folded = inner.device(device).folds(event);
        // Of a hub elsewhere only the devices tell what it has.
        let is_counted = matches!(event, Event::Delivered { .. }) && !inner.has_hub;
        inner.summary.readings += u64::from(is_counted);
        let mut lines = Vec::new();
        if inner.is_many() {
            lines.extend(self.told(&mut inner, columns, false));
            if matches!(severity, Severity::Debug | Severity::Info) || folded || !inner.summary.tells() {
                return lines;
            }
        } else if severity == Severity::Debug || folded {
            return lines;
        } else if inner.device(device).begins(event) {
            let now = inner.now();
            lines.extend(self.begun(&mut inner, columns, device, now));
            return lines;
        }
        let colour = match severity {
            Severity::Warning => YELLOW,
            Severity::Error => RED,
            _ => PLAIN,
        };
        let row = Row { time: Some(inner.now()), device, mark: " ", colour };
        lines.extend(self.sentence(&mut inner, columns, &row, &event.to_string()));
        lines
    }

    /// A message as the hub received it: its readings, or what it says.
    pub(crate) fn telemetry(
        &self,
        columns: usize,
        message: &TelemetryMessage,
        bodies: &[Value],
    ) -> Vec<String> {
        let mut inner = self.inner();
        inner.has_hub = true;
        let device = message.device_id.as_str();
        inner.device(device).hears(message, bodies);
        let mut lines = Vec::new();
        let is_many = inner.is_many();
        if is_many {
            lines.extend(self.told(&mut inner, columns, false));
        } else if inner.device(device).begins_by_reading() {
            let time = bodies.first().and_then(taken).unwrap_or_else(|| inner.now());
            lines.extend(self.begun(&mut inner, columns, device, time));
        }
        for body in bodies {
            match Words::of(message, body) {
                Words::Reading if is_many => inner.summary.readings += 1,
                Words::Reading => lines.extend(self.reading(&mut inner, columns, device, body)),
                Words::Said("▶", ..) if is_many => {}
                Words::Said(mark, colour, text) => {
                    if is_many && !inner.summary.tells() {
                        continue;
                    }
                    let row = Row { time: Some(inner.now()), device, mark, colour };
                    lines.extend(self.sentence(&mut inner, columns, &row, &text));
                }
            }
        }
        lines
    }

    fn reading(&self, inner: &mut Inner, columns: usize, device: &str, body: &Value) -> Vec<String> {
        let mut lines = self.new_day(inner, columns, taken(body));
        let row = Row { time: taken(body), device, mark: "▶", colour: GREEN };
        let (head, taken) = self.head(inner, columns, &row);
        let room = columns.saturating_sub(taken);
        let alarms = inner.device(device).alarms();
        let measured = reading::measured(body, inner.day, &alarms, room);
        let colour = if alarms.is_empty() { PLAIN } else { YELLOW };
        lines.push(head + &self.paint.text(colour, &measured));
        lines
    }

    /// That a device works, in one line.
    fn begun(&self, inner: &mut Inner, columns: usize, device: &str, time: DateTime<Utc>) -> Vec<String> {
        let text = inner.device(device).beginning();
        let mut lines = self.new_day(inner, columns, Some(time));
        let row = Row { time: Some(time), device, mark: "●", colour: GREEN };
        let (head, taken) = self.head(inner, columns, &row);
        lines.push(head + &cut(&text, columns.saturating_sub(taken)));
        lines
    }

    /// A sentence after time and name; what is too long goes on below its beginning.
    fn sentence(&self, inner: &mut Inner, columns: usize, row: &Row<'_>, text: &str) -> Vec<String> {
        let mut lines = self.new_day(inner, columns, row.time);
        let (head, taken) = self.head(inner, columns, row);
        let parts = wrapped(text, columns.saturating_sub(taken).max(WORDS));
        for (index, part) in parts.iter().enumerate() {
            let before = if index == 0 { head.clone() } else { " ".repeat(taken) };
            lines.push(before + &self.paint.text(row.colour, part));
        }
        lines
    }

    /// Time, name and mark, and how many columns they take.
    fn head(&self, inner: &mut Inner, columns: usize, row: &Row<'_>) -> (String, usize) {
        let name = inner.names.padded(&printable(row.device), room(columns));
        let time = reading::time(row.time, inner.day);
        let taken = width(&time) + 1 + width(&name) + 1 + width(row.mark) + 1;
        let (dim, mark) = (self.paint.text(DIM, &time), self.paint.text(row.colour, row.mark));
        (format!("{dim} {name} {mark} "), taken)
    }

    /// A line between days. Time does not go back for what was taken earlier.
    fn new_day(&self, inner: &mut Inner, columns: usize, time: Option<DateTime<Utc>>) -> Vec<String> {
        let Some(day) = time.map(|time| time.date_naive()) else { return Vec::new() };
        if inner.day.is_some_and(|shown| shown >= day) {
            return Vec::new();
        }
        inner.day = Some(day);
        vec![self.paint.text(DIM, &cut(&format!("── {} UTC ──", day.format("%a %Y-%m-%d")), columns))]
    }

    /// The line of a second, where one has passed.
    fn told(&self, inner: &mut Inner, columns: usize, is_last: bool) -> Vec<String> {
        let Some(told) = inner.summary.due(Instant::now(), is_last) else { return Vec::new() };
        let now = inner.now();
        let mut lines = self.new_day(inner, columns, Some(now));
        let devices = inner.devices.values();
        let online = devices.clone().filter(|device| device.is_online).count();
        let degrees = || inner.devices.values().filter_map(|device| device.temperature);
        let (coldest, warmest) = (degrees().fold(f64::MAX, f64::min), degrees().fold(f64::MIN, f64::max));
        let all = inner.devices.len().max(inner.expected);
        let mut parts = vec![format!("{online}/{all} online"), format!("{:.0} readings/s", told.per_second)];
        if coldest <= warmest {
            let (coldest, warmest) = (format!("{coldest:.1}"), format!("{warmest:.1}"));
            let range = if coldest == warmest { coldest } else { format!("{coldest} to {warmest}") };
            parts.push(format!("{range} °C"));
        }
        let in_alarm: Vec<_> = inner
            .devices
            .iter()
            .filter_map(|(device, state)| Some((device.clone(), state.alarms().into_iter().next()?)))
            .collect();
        if let Some((device, alarm)) = in_alarm.first() {
            let name = inner.names.short(&printable(device), room(columns));
            parts.push(format!("{} alarms ⚠{name} {alarm}", in_alarm.len()));
        }
        if told.held_back > 0 {
            parts.push(format!("{} more messages", told.held_back));
        }
        let time = reading::time(Some(now), inner.day);
        let text = cut(&parts.join("  "), columns.saturating_sub(width(&time) + 3));
        lines.push(format!(
            "{} {} {text}",
            self.paint.text(DIM, &time),
            self.paint.text(if in_alarm.is_empty() { GREEN } else { YELLOW }, "▶")
        ));
        lines
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn device(&mut self, device: &str) -> &mut Device {
        self.devices.entry(device.to_owned()).or_default()
    }

    fn is_many(&self) -> bool {
        self.expected.max(self.devices.len()) >= FROM
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.as_ref().map_or_else(system_time, SimulatedClock::utc)
    }

    /// Whether an event of the emulator is a part of a start that was told, or of one of many.
    fn is_known(&mut self, detail: &Value) -> bool {
        let word = |name: &str| detail[name].as_str();
        let device = word("deviceId").or_else(|| word("registrationId")).unwrap_or_default();
        let kind = word("event").unwrap_or_default();
        if device.is_empty() {
            return false;
        }
        let device = self.device(device);
        let is_routine = match kind {
            "assigning" | "dpsConnected" => true,
            "dpsDisconnected" | "deviceDisconnected" => detail["reason"]["kind"] == "disconnect",
            "assigned" | "deviceConnected" | "reported" => false,
            _ => return false,
        };
        match kind {
            "assigned" => device.begun = Some(Instant::now()),
            "deviceConnected" => device.is_online = true,
            "deviceDisconnected" => device.is_online = false,
            _ => {}
        }
        let is_starting = device.begun.is_some_and(|since| since.elapsed() < STARTING);
        if kind == "deviceConnected" {
            device.begun = Some(Instant::now());
        }
        let is_of_start = is_starting && matches!(kind, "deviceConnected" | "reported");
        (is_routine && kind != "deviceDisconnected") || is_of_start || self.is_many()
    }
}

/// The device that an event of the emulator says to be assigned.
fn assigned(detail: &Value) -> Option<&str> {
    detail["deviceId"].as_str().filter(|_| detail["event"] == "assigned")
}

/// Columns of a name.
fn room(columns: usize) -> usize {
    let wider = columns.saturating_sub(USUAL).min(NAME.1);
    (NAME.0 + wider).min(columns / 4).max(4)
}

/// How wide the terminal is now.
#[cfg(unix)]
pub(crate) fn columns() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL,
    }
}

#[cfg(not(unix))]
pub(crate) fn columns() -> usize {
    USUAL
}
