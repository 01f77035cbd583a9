//! Where time comes from. A tracker has no real-time clock: after a power cut it wakes in 1970 or at the moment the
//! file system was last written, so nothing here trusts the system's clock blindly.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// When this program was built: no true time is earlier.
pub fn build_date() -> DateTime<Utc> {
    let seconds = env!("BUILD_EPOCH").parse().unwrap_or(0);
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Universal time, if it can be trusted.
    fn utc(&self) -> Option<DateTime<Utc>>;

    /// The time by which certificates are judged. It differs from [`Clock::utc`] only where that runs faster than
    /// life, in simulation.
    fn certificate_time(&self) -> Option<DateTime<Utc>> {
        self.utc()
    }

    /// Time since a fixed moment that no change of the wall clock moves.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clock, trusted once it shows a time after the build of this program.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clock; its monotonic time counts from now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        let now = system_time();
        (now >= build_date()).then_some(now)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What the operating system's clock shows, right or wrong.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the system's clock is read"
)]
pub fn system_time() -> DateTime<Utc> {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    DateTime::from_timestamp(since.as_secs() as i64, since.subsec_nanos()).unwrap_or_default()
}

/// RFC 3339 in UTC with milliseconds, as telemetry carries it.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
