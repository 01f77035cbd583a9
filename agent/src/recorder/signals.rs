//! What the alarms look at beside the fields of a reading.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use tokio::sync::watch;
use tracker_sensors::gps::GpsState;

use crate::alarms::rule::Rule;
use crate::alarms::signal::{Door, Signal};
use crate::identity::Chain;
use crate::identity::certificate::{Certificate, RENEW_AT};
use crate::instruments::fields::Fields;
use crate::instruments::health::SensorHealth;
use crate::journal::Journal;
use crate::link::roots::RootEnd;
use crate::places::Here;
use crate::platform::watched_file::WatchedFile;
use crate::reading::Stamp;

/// How often it is looked whether the certificate is another one.
const LOOK_AT_CERTIFICATE: Duration = Duration::from_hours(1);
/// Certificates that live shorter than this are renewed when a tenth of their life is left.
const SHORT_LIFE: TimeDelta = TimeDelta::days(90);
/// Mean radius of the earth.
const EARTH_M: f64 = 6_371_000.0;

/// Where they come from.
pub struct Sources {
    /// Name and health of every sensor.
    pub sensors: Vec<(&'static str, SensorHealth)>,
    /// Where the container is, as far as an instrument knows.
    pub position: Option<watch::Receiver<GpsState>>,
    /// In which fences that is.
    pub here: watch::Receiver<Here>,
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// The root of servers that ends first, once the roots are in use.
    pub first_root_end: watch::Receiver<Option<RootEnd>>,
    /// Which may be thinned.
    pub journal: Arc<Journal>,
}

/// Sources, and what was last seen of them.
pub(super) struct Signals {
    sources: Sources,
    /// Where the box was when it began to be watched whether it moves.
    anchor: Option<(f64, f64)>,
    /// Openings of the door, and readings thinned, at the last reading.
    openings: Option<f64>,
    thinned: Option<u64>,
    chain: Option<(WatchedFile, Vec<Certificate>)>,
    looked: Option<Duration>,
}

impl Signals {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, anchor: None, openings: None, thinned: None, chain: None, looked: None }
    }

    /// Latitude and longitude, if the receiver has a fix.
    pub(super) fn position(&self) -> Option<(f64, f64)> {
        let gps = self.sources.position.as_ref()?.borrow();
        gps.fix.as_ref().map(|fix| (fix.position.latitude, fix.position.longitude))
    }

    /// Where the box was when it began to be watched, to be kept.
    pub(super) fn anchor(&self) -> Option<(f64, f64)> {
        self.anchor
    }

    pub(super) fn set_anchor(&mut self, anchor: Option<(f64, f64)>) {
        self.anchor = anchor;
    }

    /// What a rule watches, as far as it is known.
    pub(super) fn value(&mut self, rule: &Rule, stamp: Stamp, fields: &Fields) -> Option<f64> {
        let flag = |is: bool| f64::from(u8::from(is));
        match &rule.signal {
            Signal::Field(name) => fields.get(name),
            Signal::SensorFailed(name) => {
                let (_, health) = self.sources.sensors.iter().find(|(sensor, _)| sensor == name)?;
                Some(flag(health.has_failed()))
            }
            Signal::GpsGone => self.sources.position.as_ref().map(|gps| flag(gps.borrow().fix.is_none())),
            Signal::DoorOpened(door) => self.door(door, stamp, fields).map(flag),
            Signal::Moved => {
                let here = self.position()?;
                Some(distance_m(*self.anchor.get_or_insert(here), here))
            }
            Signal::CertificateEnds { days } => self.certificate_ends(*days, stamp).map(flag),
            Signal::RootsEnd => {
                let end = self.sources.first_root_end.borrow();
                Some(end.as_ref()?.days_left(stamp.utc?) as f64)
            }
            Signal::JournalThinned => {
                let thinned = self.sources.journal.stats().thinned;
                let before = self.thinned.replace(thinned);
                before.map(|before| flag(thinned > before))
            }
        }
    }

    /// Whether the door is open, or was since the last reading, when and where it must not be.
    fn door(&mut self, Door { night, outside }: &Door, stamp: Stamp, fields: &Fields) -> Option<bool> {
        let openings = fields.get("doorOpenings")?;
        let before = self.openings.replace(openings);
        let was_opened =
            fields.get(Fields::DOOR_OPEN)? > 0.5 || before.is_some_and(|before| openings > before);
        if !was_opened {
            return Some(false);
        }
        if let Some(outside) = outside {
            let here = self.sources.here.borrow();
            let mut fences = here.as_ref()?.iter();
            if fences.any(|fence| outside == Door::FENCES || **fence == **outside) {
                return Some(false);
            }
        }
        let Some(night) = night else { return Some(true) };
        let east = self.position().map_or(0.0, |(_, longitude)| longitude);
        Some(night.is_at(stamp.utc?.num_seconds_from_midnight(), east))
    }

    /// Whether the certificate, or an issuer beside it, is near its end. Looked at now and then: it is a file.
    fn certificate_ends(&mut self, days: Option<u32>, stamp: Stamp) -> Option<bool> {
        let is_due = self.looked.is_none_or(|looked| stamp.monotonic >= looked + LOOK_AT_CERTIFICATE);
        if is_due {
            self.looked = Some(stamp.monotonic);
            if self.chain.as_ref().is_none_or(|(file, _)| file.has_changed()) {
                let file = WatchedFile::new(&self.sources.certificate);
                let chain = Chain::read(&self.sources.certificate);
                self.chain = chain.ok().map(|chain| (file, chain.certificates().to_vec()));
            }
        }
        let (_, chain) = self.chain.as_ref()?;
        let now = stamp.utc?;
        let ends =
            |certificate: &Certificate| is_near_end(certificate.not_before, certificate.not_after, days, now);
        Some(chain.iter().any(ends))
    }
}

/// Under so many days; without a number under 30, and of one that lives shorter than 90 days under a tenth of its life.
fn is_near_end(from: DateTime<Utc>, until: DateTime<Utc>, days: Option<u32>, now: DateTime<Utc>) -> bool {
    let life = until - from;
    let least = match days {
        Some(days) => TimeDelta::days(days.into()),
        None if life < SHORT_LIFE => life / 10,
        None => RENEW_AT,
    };
    until - now < least
}

/// Along the surface of the earth, between latitudes and longitudes in degrees.
pub(super) fn distance_m((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let cosines = lat_a.to_radians().cos() * lat_b.to_radians().cos();
    2.0 * EARTH_M * (half(lat_a, lat_b) + cosines * half(lon_a, lon_b)).sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_near_its_end_at_thirty_days_or_a_tenth() {
        let from = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let near = |life: i64, age: i64| {
            is_near_end(from, from + TimeDelta::days(life), None, from + TimeDelta::hours(age))
        };
        assert!(!near(365, 334 * 24) && near(365, 336 * 24));
        assert!(!near(90, 59 * 24) && near(90, 61 * 24), "of ninety days, thirty");
        assert!(!near(30, 26 * 24) && near(30, 28 * 24), "of thirty, three");
        let at = |days| is_near_end(from, from + TimeDelta::days(30), Some(days), from + TimeDelta::days(20));
        assert!(!at(10) && at(11), "by the days that were set");
    }

    #[test]
    fn distances_are_those_of_a_map() {
        let apart = distance_m((51.95, 4.05), (51.95, 4.06));
        assert!((apart - 685.3).abs() < 1.0, "{apart}");
        let across = distance_m((0.0, 179.999), (0.0, -179.999));
        assert!((across - 222.4).abs() < 1.0, "over the antimeridian: {across}");
        assert_eq!(distance_m((90.0, 0.0), (90.0, 0.0)), 0.0);
    }
}
