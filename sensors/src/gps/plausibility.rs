//! Whether a fix can be true of a container. The decoder reports what the receiver says; this layer, which
//! is for the agent, doubts it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};

use super::Fix;
use super::gps_time::{GpsTime, TimeAgreement};
use super::rollover::{DateRefused, KnownDates, one_era_later, repair_date};

/// Faster than any container travels, by air included.
const FASTEST_KMH: f64 = 1000.0;
/// Positions wander beside stacks and cranes; so short a jump is never suspect, however short the time.
const WANDERING_M: f64 = 500.0;

/// No container is lower (the Dead Sea), or higher (air freight), in metres.
const ALTITUDES_M: std::ops::RangeInclusive<f64> = -600.0..=18_000.0;
/// Receivers write 99.99 for "not known"; with more than half of that a position says nothing.
const WORST_HDOP: f64 = 50.0;
/// More satellites are not in sight at once.
const MOST_SATELLITES: u8 = 99;
/// What a clock may be off by that is to tell the era.
const SAME_TIME: TimeDelta = TimeDelta::days(1);

/// A date that cannot be is judged anew so often: another certificate may have been installed.
const ASK_AGAIN: Duration = Duration::from_mins(5);

/// Tells what is known about the time from elsewhere. Asked only when a date has to be repaired.
pub type Known = Arc<dyn Fn() -> KnownDates + Send + Sync>;

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
    /// To be believed. The date is repaired, or absent if it cannot be; so is any other value that cannot be.
    Plausible(Fix),
    /// It lies too far from the last plausible one. A third fix decides.
    Suspect {
        /// How fast the container would have travelled.
        implied_kmh: f64,
    },
}

/// Judges the fixes of one receiver, in their order.
pub struct Plausibility {
    settings: PlausibilitySettings,
    known: Known,
    last: Option<Fix>,
    suspect: Option<Fix>,
    agreement: TimeAgreement,
    trusted: Option<GpsTime>,
    refused: Option<DateRefused>,
    /// When it was last asked what is known, about which date, and what came of it.
    asked: Option<(Duration, NaiveDate, Result<NaiveDate, DateRefused>)>,
}

impl Plausibility {
    /// Nothing judged yet: the first fix is believed.
    pub fn new(settings: PlausibilitySettings) -> Self {
        Self {
            settings,
            known: Arc::new(KnownDates::default),
            last: None,
            suspect: None,
            agreement: TimeAgreement::default(),
            trusted: None,
            refused: None,
            asked: None,
        }
    }

    /// The same, with knowledge of the time from elsewhere.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// The date of the last fix, if it could not be.
    pub fn refused_date(&self) -> Option<&DateRefused> {
        self.refused.as_ref()
    }

    /// Judges the next fix, and gives the time if it can be trusted.
    pub fn judge(&mut self, mut fix: Fix) -> (Judgement, Option<GpsTime>) {
        self.refused = None;
        if let (Some(date), Some(build_date)) = (fix.date, self.settings.build_date) {
            fix.date =
                self.date_meant(date, build_date, &fix).map_err(|error| self.refused = Some(error)).ok();
        }
        leave_out_what_cannot_be(&mut fix);
        let time = fix.utc().map(|utc| GpsTime { utc, at: fix.received_at });
        let trusted = self.agreement.observe(time, self.settings.time_scale);
        self.trusted = trusted.or(self.trusted);
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

    fn date_meant(
        &mut self,
        date: NaiveDate,
        build_date: NaiveDate,
        fix: &Fix,
    ) -> Result<NaiveDate, DateRefused> {
        // An era that was once found to be right stays so, whatever becomes of the certificate.
        let goes_on = |later: &NaiveDate| {
            self.trusted.is_some_and(|trusted| {
                let elapsed = fix.received_at.saturating_sub(trusted.at).mul_f64(self.settings.time_scale);
                let expected = TimeDelta::from_std(elapsed).map(|elapsed| trusted.utc + elapsed);
                expected.is_ok_and(|now| (later.and_time(fix.time).and_utc() - now).abs() < SAME_TIME)
            })
        };
        let later = one_era_later(date).filter(|later| date < build_date && goes_on(later));
        if let Some(later) = later {
            return Ok(later);
        }
        if date >= build_date {
            return repair_date(date, build_date, &KnownDates::default());
        }
        // What is known lies in files.
        let asked = self
            .asked
            .take()
            .filter(|(at, sent, _)| *sent == date && fix.received_at.saturating_sub(*at) < ASK_AGAIN);
        let asked =
            asked.unwrap_or_else(|| (fix.received_at, date, repair_date(date, build_date, &(self.known)())));
        self.asked.insert(asked).2.clone()
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

impl fmt::Debug for Plausibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plausibility")
            .field("settings", &self.settings)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// Each value of a fix that no container can have is absent.
fn leave_out_what_cannot_be(fix: &mut Fix) {
    let fastest_kmh = 0.0..=FASTEST_KMH;
    if !fix.speed_kmh().is_some_and(|speed| fastest_kmh.contains(&speed)) {
        fix.speed_kn = None;
    }
    fix.course_deg = fix.course_deg.filter(|course| (0.0..=360.0).contains(course));
    fix.altitude_m = fix.altitude_m.filter(|altitude| ALTITUDES_M.contains(altitude));
    fix.hdop = fix.hdop.filter(|hdop| (0.0..=WORST_HDOP).contains(hdop));
    fix.satellites = fix.satellites.filter(|number| *number <= MOST_SATELLITES);
}
