//! What happened lately: the last troubles, and the last reading that the hub has acknowledged.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::event::model::Event;
use crate::event::severity::Severity;
use crate::event::sink::Events;
use crate::platform::clock::Clock;
use crate::platform::timestamp::Timestamp;

/// So many troubles are remembered.
const KEPT: usize = 10;

/// Remembers what happened lately, to be shared.
#[derive(Clone)]
pub struct Recent {
    clock: Arc<dyn Clock>,
    memory: Arc<Mutex<Memory>>,
    news: Arc<Notify>,
}

#[derive(Default)]
struct Memory {
    troubles: VecDeque<Trouble>,
    delivered: Option<LastDelivered>,
    offline_cause: Option<String>,
}

/// A warning or an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// When, if the time was known.
    pub time: Option<Timestamp>,
    /// How bad.
    pub level: Level,
    /// What.
    pub text: String,
    /// When, in seconds since the boot of the machine; versions before this field was there did not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<f64>,
}

/// How bad a trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The agent goes on, and somebody should know.
    Warning,
    /// It can't do its work.
    Error,
}

/// The last reading that the hub has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastDelivered {
    /// Its number.
    pub seq: u64,
    /// When it was acknowledged, if the time was known.
    pub time: Option<Timestamp>,
    /// When, in seconds since the boot of the machine; versions before this field was there did not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<f64>,
}

impl Recent {
    /// Nothing happened yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, memory: Arc::default(), news: Arc::default() }
    }

    /// Listens to these events beside those who do already.
    pub fn listen(&self, events: Events) -> Events {
        let recent = self.clone();
        events.and_to(Arc::new(move |event| recent.remember(event)))
    }

    fn remember(&self, event: &Event) {
        let now = || self.clock.utc().map(Timestamp);
        let uptime = Some(self.clock.monotonic().as_secs_f64());
        let level = match event.severity() {
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
            Severity::Debug | Severity::Info => {
                let mut memory = self.memory();
                if let Event::Delivered { seq } = event {
                    let before = memory.delivered.replace(LastDelivered { seq: *seq, time: now(), uptime });
                    if before.is_none() {
                        self.news.notify_one();
                    }
                } else if matches!(event, Event::Online { .. }) {
                    memory.offline_cause = None;
                } else if matches!(event, Event::Sensor { .. }) {
                    self.news.notify_one();
                }
                return;
            }
        };
        let trouble = Trouble { time: now(), level, text: event.to_string(), uptime };
        let mut memory = self.memory();
        if let Some(cause) = event.keeps_offline() {
            memory.offline_cause = Some(cause);
        }
        if memory.troubles.len() == KEPT {
            memory.troubles.pop_front();
        }
        memory.troubles.push_back(trouble);
        self.news.notify_one();
    }

    /// Waits for a trouble, a sensor that is well again, or the first delivery; what came before the call counts. Cancel-safe, and for one listener.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Why the device is not online.
    pub fn offline_cause(&self) -> Option<String> {
        self.memory().offline_cause.clone()
    }

    /// The last warnings and errors, oldest first.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.memory().troubles.iter().cloned().collect()
    }

    /// The last reading that was acknowledged.
    pub fn delivered(&self) -> Option<LastDelivered> {
        self.memory().delivered
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recent({} troubles)", self.memory().troubles.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::platform::clock::SystemClock;

    #[test]
    fn keeps_the_last_troubles_and_the_last_delivery() {
        let recent = Recent::new(Arc::new(SystemClock::new(true)));
        let events = recent.listen(Events::to("test", Arc::new(|_| {})));
        for number in 0..12 {
            events.emit(Event::Trouble(format!("trouble {number}")));
            events.emit(Event::Delivered { seq: number });
        }
        let troubles = recent.troubles();
        assert_eq!(troubles.len(), 10);
        assert_eq!((&*troubles[0].text, &*troubles[9].text), ("trouble 2", "trouble 11"));
        assert_eq!(troubles[0].level, Level::Warning);
        assert!(troubles[0].time.is_some());
        assert_eq!(recent.delivered().unwrap().seq, 11);
    }

    #[test]
    fn knows_why_the_device_is_offline_until_it_is_online() {
        let recent = Recent::new(Arc::new(SystemClock::new(true)));
        let events = recent.listen(Events::to("test", Arc::new(|_| {})));
        let again = Duration::from_secs(7);
        events.emit(Event::Offline("the time is not known yet".into()));
        assert_eq!(recent.offline_cause().unwrap(), "the time is not known yet");
        events.emit(Event::ConnectLater { why: "nobody listens there".into(), again });
        events.emit(Event::Trouble("something else".into()));
        assert_eq!(recent.offline_cause().unwrap(), "nobody listens there");
        events.emit(Event::Online { hub: "hub".into(), backlog: 3 });
        assert_eq!(recent.offline_cause(), None);
    }
}
