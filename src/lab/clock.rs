//! The time of a simulated voyage, which runs faster than life.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracker_sensors::simulated::SimulatedClock;

use crate::platform::clock::{Clock, SystemClock};

/// Time of a simulated voyage. Certificates live in real time all the same.
#[derive(Debug)]
pub(crate) struct VoyageClock {
    voyage: SimulatedClock,
    system: SystemClock,
    boot: String,
}

impl VoyageClock {
    pub(crate) fn new(voyage: SimulatedClock) -> Self {
        // Every voyage begins a time of its own.
        let boot = format!("voyage-{:016x}", rand::random::<u64>());
        Self { voyage, system: SystemClock::new(true), boot }
    }
}

impl Clock for VoyageClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        Some(self.voyage.utc())
    }

    fn certificate_time(&self) -> Option<DateTime<Utc>> {
        self.system.utc()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs_f64(self.voyage.hours().max(0.0) * 3600.0)
    }

    fn time_scale(&self) -> f64 {
        self.voyage.time_scale()
    }

    fn boot(&self) -> &str {
        &self.boot
    }
}
