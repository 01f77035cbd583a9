//! What is seen of containers while somebody looks on: readings with their course, and of a fleet where each container stands.
//!
//! Trackers, hub and laboratory tell the board what happens; a page reads from it when it draws itself.

mod readings;
mod tracked;
mod trend;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tracker_emulator::TelemetryMessage;
use tracker_protocol::printable;

use crate::event::{Event, Severity};
use crate::lab::notification::Notification;
use crate::lab::received;
use crate::platform::clock::system_time;
use crate::status::Status;
pub(crate) use readings::Readings;
use tracked::Tracked;
pub(crate) use tracked::{Brief, CloseUp, Said};
pub(crate) use trend::Trend;

/// So many sentences are remembered: more than a terminal shows.
const REMEMBERED: usize = 200;

type Close = Box<dyn FnOnce() + Send>;

/// A fleet, as it is seen.
#[derive(Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
    is_shown: AtomicBool,
    close: Mutex<Option<Close>>,
}

#[derive(Default)]
struct Inner {
    tracked: BTreeMap<String, Tracked>,
    said: VecDeque<Said>,
    /// Where else the fleet can be seen.
    link: Option<String>,
}

impl Board {
    /// From now on a page shows it, until [`Self::close`] does what `close` says, or the page is gone.
    pub(crate) fn show(&self, close: impl FnOnce() + Send + 'static) {
        self.is_shown.store(true, Ordering::SeqCst);
        lock(&self.close).replace(Box::new(close));
    }

    /// The page is gone.
    pub(crate) fn gone(&self) {
        self.is_shown.store(false, Ordering::SeqCst);
    }

    /// Whether a page shows it.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::SeqCst)
    }

    /// Ends the page, if there is one, and waits for that.
    pub(crate) fn close(&self) {
        let close = lock(&self.close).take();
        if let Some(close) = close {
            close();
        }
        self.gone();
    }

    /// The laboratory says something; `details` is what it tells scripts.
    pub(crate) fn note(&self, event: &str, text: &str, details: &Value) {
        let mut inner = self.inner();
        if let (true, Some(device)) = (event == "voyage", details["device"].as_str()) {
            let word = |name: &str| details[name].as_str().map(printable).unwrap_or_default();
            let tracked = inner.tracked.entry(device.to_owned()).or_default();
            (tracked.voyage, tracked.cargo) = (word("voyage"), word("cargo"));
        }
        if let Some(link) = details["link"].as_str() {
            inner.link = Some(printable(link));
        }
        for line in text.lines() {
            inner.say(None, Severity::Info, line);
        }
    }

    /// A tracker says what happens to it.
    pub(crate) fn event(&self, device: &str, event: &Event) {
        if event.severity() == Severity::Debug {
            return;
        }
        let mut inner = self.inner();
        inner.tracked.entry(device.to_owned()).or_default().hears(event);
        inner.say(Some(device), event.severity(), &event.to_string());
    }

    /// The hub has a message.
    pub(crate) fn telemetry(&self, message: &TelemetryMessage) {
        let device = &message.device_id;
        let is_event = message.application_properties().contains_key("messageType");
        if let Some(notification) = Some(message).filter(|_| is_event).and_then(Notification::of_message) {
            let is_bad =
                !matches!(notification.property("state"), "" | "cleared" | "enter" | "exit" | "crossed");
            let severity = if is_bad { Severity::Warning } else { Severity::Info };
            return self.inner().say(Some(device), severity, &notification.text);
        }
        let readings = received::readings(message);
        let mut inner = self.inner();
        let tracked = inner.tracked.entry(device.clone()).or_default();
        for reading in readings {
            tracked.reading(reading);
        }
    }

    /// A tracker works, and shows itself.
    pub(crate) fn track(&self, device: &str, status: Status) {
        self.inner().tracked.entry(device.to_owned()).or_default().status = Some(status);
    }

    /// All containers, in brief, by their IDs.
    pub(crate) fn briefs(&self) -> Vec<Brief> {
        self.inner().tracked.iter_mut().map(|(id, tracked)| tracked.brief(id)).collect()
    }

    /// The course of a container's temperature over so many columns.
    pub(crate) fn course(&self, device: &str, columns: usize) -> String {
        let inner = self.inner();
        let trend = inner.tracked.get(device).and_then(|tracked| tracked.readings.trend("temperature"));
        trend.map(|trend| trend.columns(columns)).unwrap_or_default()
    }

    /// All that is known of one container, printable but its ID.
    pub(crate) fn close_up(&self, device: &str) -> Option<CloseUp> {
        Some(self.inner().tracked.get_mut(device)?.close_up(device))
    }

    /// Where else the fleet can be seen, if the laboratory has told.
    pub(crate) fn link(&self) -> Option<String> {
        self.inner().link.clone()
    }

    /// What was said last, the newest at the end.
    pub(crate) fn said(&self, lines: usize) -> Vec<Said> {
        let inner = self.inner();
        inner.said.iter().skip(inner.said.len().saturating_sub(lines)).cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Inner {
    fn say(&mut self, device: Option<&str>, severity: Severity, text: &str) {
        let said = Said { at: system_time(), device: device.map(printable), severity, text: printable(text) };
        if let Some(tracked) = device.and_then(|device| self.tracked.get_mut(device)) {
            tracked.remember(said.clone());
        }
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(said);
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Board({} containers)", self.inner().tracked.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracker_protocol::PropertyBag;

    use super::*;

    fn message(device: &str, body: &Value) -> TelemetryMessage {
        TelemetryMessage {
            hub: "hub".into(),
            device_id: device.into(),
            module_id: None,
            enqueued_time: chrono::DateTime::UNIX_EPOCH,
            sequence_number: 1,
            body: body.to_string().into(),
            properties: PropertyBag::default(),
            marked_duplicate: false,
            repeated_message_id: false,
        }
    }

    #[test]
    fn the_newest_reading_counts_whatever_comes_after_it() {
        let board = Board::default();
        let reading = |seq: u64, temperature: f64| json!({"seq": seq, "temperature": temperature});
        board.telemetry(&message("box", &reading(9, 5.0)));
        board.telemetry(&message("box", &json!([reading(3, 1.0), reading(4, 2.0), reading(9, 5.0)])));
        board.telemetry(&message("box", &reading(10, 6.0)));
        board.telemetry(&message("box", &json!("no reading")));
        board.telemetry(&message("box", &json!({"evidence": "start", "seq": 11})));
        let brief = &board.briefs()[0];
        assert_eq!((&*brief.id, brief.temperature, brief.silent_s), ("box", Some(6.0), Some(0)));
        assert_eq!(board.course("box", 9), "▁█");
    }

    #[test]
    fn what_was_said_is_kept_bounded_and_printable() {
        let board = Board::default();
        board.note(
            "voyage",
            "a: cheese\nby sea",
            &json!({"device": "a", "voyage": "v\u{1b}", "cargo": "cheese"}),
        );
        for _ in 0..300 {
            board.event("a", &Event::Trouble("a\u{1b}[2J".into()));
        }
        let said = board.said(1000);
        assert_eq!(said.len(), REMEMBERED);
        assert_eq!((&*said[199].text, said[199].device.as_deref()), ("a\\u{1b}[2J", Some("a")));
        let close_up = board.close_up("a").unwrap();
        assert_eq!(close_up.brief.voyage, "v\\u{1b}");
        assert!(close_up.said.len() <= 20 && board.close_up("b").is_none());
    }

    #[test]
    fn a_page_is_closed_once() {
        let board = Board::default();
        let (told, closed) = std::sync::mpsc::sync_channel(2);
        board.show(move || told.send(()).unwrap());
        assert!(board.is_shown());
        board.close();
        board.close();
        assert!(!board.is_shown());
        assert_eq!(closed.iter().count(), 1);
    }
}
