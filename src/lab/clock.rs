use std::time::Duration;

use chrono::{DateTime, Utc};
use tracker_sensors::simulated::SimulatedClock;

use crate::clock::{Clock, SystemClock};

/// Time of a simulated voyage. Certificates live in real time all the same.
#[derive(Debug)]
pub(super) struct VoyageClock {
    pub(super) voyage: SimulatedClock,
    pub(super) system: SystemClock,
}

impl Clock for VoyageClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        Some(self.voyage.utc())
    }

    fn certificate_time(&self) -> Option<DateTime<Utc>> {
        self.system.utc()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}
