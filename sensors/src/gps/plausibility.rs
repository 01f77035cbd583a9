//! Whether a fix can be true of a container. The decoder reports what the receiver says; this layer, which
//! is for the agent, doubts it.

use chrono::NaiveDate;

use super::gps_time::{GpsTime, TimeAgreement};
use super::{Fix, repair_date};

/// Faster than any container travels, by air included.
const FASTEST_KMH: f64 = 1000.0;
/// Positions wander beside stacks and cranes; so short a jump is never suspect, however short the time.
const WANDERING_M: f64 = 500.0;

/// What the layer needs to know about its surroundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlausibilitySettings {
    /// When this software was built: earlier dates are the receiver's mistake. Without it dates are taken as
    /// they come, which is right for recordings of the past.
    pub build_date: Option<NaiveDate>,
    /// How many seconds of the receiver pass in one second of the monotonic clock. 1 but in accelerated
    /// simulation.
    pub time_scale: f64,
}

/// A fix, judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// To be believed. The date is repaired, or absent if it cannot be.
    Plausible(Fix),
    /// It lies too far from the last plausible one. A third fix decides.
    Suspect {
        /// How fast the container would have travelled.
        implied_kmh: f64,
    },
}

/// Judges the fixes of one receiver, in their order.
#[derive(Debug)]
pub struct Plausibility {
    settings: PlausibilitySettings,
    last: Option<Fix>,
    suspect: Option<Fix>,
    agreement: TimeAgreement,
}

impl Plausibility {
    /// Nothing judged yet: the first fix is believed.
    pub fn new(settings: PlausibilitySettings) -> Self {
        Self { settings, last: None, suspect: None, agreement: TimeAgreement::default() }
    }

    /// Judges the next fix, and gives the time if it can be trusted.
    pub fn judge(&mut self, mut fix: Fix) -> (Judgement, Option<GpsTime>) {
        if let Some(build_date) = self.settings.build_date {
            fix.date = fix.date.and_then(|date| repair_date(date, build_date));
        }
        let time = fix.utc().map(|utc| GpsTime { utc, at: fix.received_at });
        let trusted = self.agreement.observe(time, self.settings.time_scale);
        let judgement = match self.implied_speed(self.last.as_ref(), &fix) {
            Some(implied_kmh) if !self.confirms_suspect(&fix) => {
                self.suspect = Some(fix);
                Judgement::Suspect { implied_kmh }
            }
            _ => {
                self.suspect = None;
                self.last = Some(fix.clone());
                Judgement::Plausible(fix)
            }
        };
        (judgement, trusted)
    }

    /// The receiver reported an epoch without a fix: the next time starts a new pair.
    pub fn no_fix(&mut self) {
        self.agreement.observe(None, self.settings.time_scale);
    }

    fn confirms_suspect(&self, fix: &Fix) -> bool {
        self.suspect.is_some() && self.implied_speed(self.suspect.as_ref(), fix).is_none()
    }

    /// The speed from one fix to the next, if it is too high to be true.
    fn implied_speed(&self, before: Option<&Fix>, fix: &Fix) -> Option<f64> {
        let before = before?;
        let distance_m = before.position.distance_m(&fix.position);
        let kmh = distance_m / 1000.0 / (self.seconds_between(before, fix) / 3600.0);
        (distance_m > WANDERING_M && kmh > FASTEST_KMH).then_some(kmh)
    }

    /// By the receiver's clock, which knows when a fix was taken; by ours where that one stands still or
    /// steps back. At least a tenth of a second, the shortest time between epochs.
    fn seconds_between(&self, before: &Fix, fix: &Fix) -> f64 {
        let by_receiver = match (before.utc(), fix.utc()) {
            (Some(before), Some(after)) => after.signed_duration_since(before).as_seconds_f64(),
            _ => fix.time.signed_duration_since(before.time).as_seconds_f64(),
        };
        let by_clock =
            fix.received_at.saturating_sub(before.received_at).as_secs_f64() * self.settings.time_scale;
        let seconds = if by_receiver > 0.0 { by_receiver } else { by_clock };
        seconds.max(0.1)
    }
}
