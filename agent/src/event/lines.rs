//! The last sentences of the log, in memory, for who can't come to the device.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::model::Event;
use crate::event::severity::Severity;
use crate::event::sink::Events;
use crate::platform::clock::{Clock, rfc3339};
use crate::platform::secrets::hidden;
use crate::platform::shorten::shorten;

/// So many are remembered.
pub const KEPT: usize = 50;
/// Characters of each.
const LONGEST: usize = 240;

/// What the log told, but for what is only for those who look closely.
#[derive(Clone)]
pub struct Lines {
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<VecDeque<String>>>,
}

impl Lines {
    /// Nothing was told yet. From now on it listens to these events beside those who do already.
    pub fn beside(events: Events, clock: Arc<dyn Clock>) -> (Self, Events) {
        let lines = Self { clock, kept: Arc::default() };
        let listener = lines.clone();
        (lines, events.and_to(Arc::new(move |event| listener.remember(event))))
    }

    /// The last ones, at most so many, oldest first.
    pub fn newest(&self, count: usize) -> Vec<String> {
        let kept = self.kept();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    fn remember(&self, event: &Event) {
        let word = match event.severity() {
            Severity::Debug => return,
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        // Secrets go before it is cut, as half of one is known by nothing.
        let text = shorten(hidden(&event.to_string()), LONGEST);
        let when = match self.clock.utc() {
            Some(time) => rfc3339(time),
            None => format!("+{}s", self.clock.monotonic().as_secs()),
        };
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(format!("{when} {word} {text}"));
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines({})", self.kept().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::clock::SystemClock;

    #[test]
    fn the_last_sentences_are_kept_short_and_without_secrets() {
        let clock = Arc::new(SystemClock::new(true));
        let (lines, events) = Lines::beside(Events::to("test", Arc::new(|_| {})), clock.clone());
        // Beside another listener, which hears them too.
        let (other, events) = Lines::beside(events, clock);
        for number in 0..60 {
            events.emit(Event::Delivered { seq: number });
            events.emit(Event::Note(format!("note {number} {}", "x".repeat(500))));
        }
        events.emit(Event::Trouble("SharedAccessKey=Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A=".into()));
        let kept = lines.newest(1000);
        assert_eq!((kept.len(), other.newest(1000).len()), (KEPT, KEPT));
        assert!(kept[0].contains("info note 11 xx") && kept[0].chars().count() < 300, "{}", kept[0]);
        assert!(kept[49].ends_with("warning SharedAccessKey=[hidden]"), "{}", kept[49]);
        assert_eq!(lines.newest(1), kept[49..]);
    }
}
