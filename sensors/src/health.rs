//! How a sensor is doing, as a value that others read: the log, the reported properties, a status method.

use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::watch;

/// How far a sensor can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing known yet.
    #[default]
    Starting,
    /// Gives what it should.
    Ok,
    /// Gives something, or nothing for an ordinary reason (no sky in sight).
    Degraded,
    /// Gives nothing.
    Failed,
}

/// The health of one sensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Health {
    /// How far it can be relied on.
    pub state: State,
    /// Why, in a sentence for people. Absent while all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// When the state began, on the monotonic clock that the sensor's owner counts with. Serialised as
    /// seconds.
    #[serde(rename = "since_s", serialize_with = "as_seconds")]
    pub since: Duration,
    /// Good readings: measurements of a chip, fixes of the GPS, changes of the door.
    pub readings: u64,
    /// Readings that failed: measurements with a fault, epochs without a fix, times that edges of the door were lost.
    pub failures: u64,
    /// How often the chip was started, the port opened or the line taken.
    pub starts: u64,
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// The writing end: the sensor reports, anybody watches.
#[derive(Debug)]
pub struct Monitor {
    health: watch::Sender<Health>,
}

impl Monitor {
    /// A sensor about which nothing is known yet.
    pub fn new() -> Self {
        Self { health: watch::Sender::new(Health::default()) }
    }

    /// The reading end. It always holds the latest value and can be awaited for a change.
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Reports the state. Watchers are woken only if the state or the cause is new.
    pub fn report(&self, now: Duration, state: State, cause: Option<String>) {
        self.health.send_if_modified(|health| {
            if health.state == state && health.cause == cause {
                return false;
            }
            if health.state != state {
                health.since = now;
            }
            health.state = state;
            health.cause = cause;
            true
        });
    }

    /// Updates the counters, without waking watchers: they change with every reading.
    pub fn count(&self, update: impl FnOnce(&mut Counters<'_>)) {
        self.health.send_if_modified(|health| {
            update(&mut Counters {
                readings: &mut health.readings,
                failures: &mut health.failures,
                starts: &mut health.starts,
            });
            false
        });
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

/// The counters of a [`Health`], for [`Monitor::count`].
#[derive(Debug)]
pub struct Counters<'a> {
    /// See [`Health::readings`].
    pub readings: &'a mut u64,
    /// See [`Health::failures`].
    pub failures: &'a mut u64,
    /// See [`Health::starts`].
    pub starts: &'a mut u64,
}
