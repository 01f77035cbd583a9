//! Simulated time: the real clock, sped up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Longer than any simulation runs.
const LONGEST_S: f64 = 100.0 * 365.0 * 86_400.0;

/// The time that chip, receiver and voyage of one container share.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    start: DateTime<Utc>,
    begun: Instant,
    hours_per_second: f64,
}

impl SimulatedClock {
    /// Real time: one simulated second a second.
    pub const REAL_TIME: f64 = 1.0 / 3600.0;

    /// A clock that shows `start` now and runs `hours_per_second` simulated hours in a real second.
    pub fn new(start: DateTime<Utc>, hours_per_second: f64) -> Self {
        Self { start, begun: Instant::now(), hours_per_second }
    }

    /// Simulated hours since the start.
    pub fn hours(&self) -> f64 {
        self.begun.elapsed().as_secs_f64() * self.hours_per_second
    }

    /// The real moment when so many simulated hours will have passed, or did.
    pub fn instant(&self, hours: f64) -> Instant {
        let seconds = (hours / self.hours_per_second).clamp(0.0, LONGEST_S);
        self.begun + Duration::from_secs_f64(seconds)
    }

    /// Simulated date and time.
    pub fn utc(&self) -> DateTime<Utc> {
        self.at(self.hours())
    }

    /// Date and time so many hours after the start; beyond what the calendar holds, the start.
    pub fn at(&self, hours: f64) -> DateTime<Utc> {
        after(self.start, hours)
    }

    /// Date and time of the start.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// Simulated seconds in a real second: what the plausibility of fixes has to be told.
    pub fn time_scale(&self) -> f64 {
        self.hours_per_second * 3600.0
    }
}

pub(super) fn after(start: DateTime<Utc>, hours: f64) -> DateTime<Utc> {
    start.checked_add_signed(TimeDelta::milliseconds((hours * 3_600_000.0) as i64)).unwrap_or(start)
}
