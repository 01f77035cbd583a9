//! Time from the receiver, once it can be trusted.
//!
//! A receiver that starts cold may tell 1980, the time of its battery-backed clock, or a time that is wrong
//! by the leap seconds, and correct itself a moment later. So its time counts only from a valid fix, and
//! only when two epochs in a row agree with the monotonic clock about how much time has passed between them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How far two epochs may disagree with the monotonic clock: sentences come 0.1 to 0.6 s after their moment, and are read
/// up to a second later.
const TOLERANCE_S: f64 = 1.5;

/// A moment known on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpsTime {
    /// What the receiver says.
    pub utc: DateTime<Utc>,
    /// When it came, on the monotonic clock: never too early, and too late by the transmission, 0.1 to 0.6 s without a
    /// pulse line, and by how long it waited to be read.
    pub at: Duration,
}

/// Watches the times of successive epochs.
#[derive(Debug, Default)]
pub(super) struct TimeAgreement {
    last: Option<GpsTime>,
}

impl TimeAgreement {
    /// The next epoch. `time_scale` is how many seconds of the receiver pass in one of the monotonic clock.
    /// Gives the time if it agrees with the epoch before.
    pub(super) fn observe(&mut self, time: Option<GpsTime>, time_scale: f64) -> Option<GpsTime> {
        let before = std::mem::replace(&mut self.last, time);
        let (before, now) = (before?, time?);
        let by_receiver = now.utc.signed_duration_since(before.utc).as_seconds_f64();
        let by_clock = now.at.saturating_sub(before.at).as_secs_f64() * time_scale;
        let agrees = by_receiver > 0.0 && (by_receiver - by_clock).abs() <= TOLERANCE_S * time_scale.max(1.0);
        agrees.then_some(now)
    }
}
