//! What happened lately: the last troubles, and the last reading that the hub has acknowledged.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::event::model::Event;
use crate::event::severity::Severity;
use crate::event::sink::Events;
use crate::platform::clock::{Clock, rfc3339};

/// So many troubles are remembered.
const KEPT: usize = 10;

/// Remembers what happened lately, to be shared.
#[derive(Clone)]
pub struct Recent {
    clock: Arc<dyn Clock>,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    troubles: VecDeque<Value>,
    delivered: Value,
}

impl Recent {
    /// Nothing happened yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, memory: Arc::default() }
    }

    /// Listens to these events beside those who do already.
    pub fn listen(&self, events: Events) -> Events {
        let recent = self.clone();
        events.and_to(Arc::new(move |event| recent.remember(event)))
    }

    fn remember(&self, event: &Event) {
        let level = match event.severity() {
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Debug | Severity::Info => {
                if let Event::Delivered { seq } = event {
                    self.memory().delivered = json!({"seq": seq, "time": self.clock.utc().map(rfc3339)});
                }
                return;
            }
        };
        let trouble =
            json!({"time": self.clock.utc().map(rfc3339), "level": level, "text": event.to_string()});
        let mut memory = self.memory();
        if memory.troubles.len() == KEPT {
            memory.troubles.pop_front();
        }
        memory.troubles.push_back(trouble);
    }

    /// The last warnings and errors, oldest first: `{time, level, text}`.
    pub fn troubles(&self) -> Value {
        self.memory().troubles.iter().cloned().collect()
    }

    /// The last reading that was acknowledged, `{seq, time}`, or null.
    pub fn delivered(&self) -> Value {
        self.memory().delivered.clone()
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
        assert_eq!(troubles.as_array().unwrap().len(), 10);
        assert_eq!((&troubles[0]["text"], &troubles[9]["text"]), (&"trouble 2".into(), &"trouble 11".into()));
        assert_eq!(troubles[0]["level"], "warning");
        assert!(troubles[0]["time"].is_string());
        assert_eq!(recent.delivered()["seq"], 11);
    }
}
