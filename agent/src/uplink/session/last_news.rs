//! When it is reported where the container was last, and how cold (`last`), so that a query over twins finds it.
//!
//! Nothing of it is kept here or on a disk: when it was reported last stands in the twin, over restarts and outages, and what is
//! reported is always the newest.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::config::LastInterval;
use crate::instruments::fields::{POSITION_DECIMALS, rounded};
use crate::platform::timestamp::Timestamp;
use crate::recorder::Sighting;

/// The reported property.
pub(super) const LAST: &str = "last";
/// Of degrees Celsius, as in telemetry.
const DECIMALS: i32 = 2;

/// What there is to report, where it is to be reported at all and since when a device that has no position has looked for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastNews<'a> {
    pub(super) every: LastInterval,
    pub(super) sighting: Option<&'a Sighting>,
    /// One may come: without it nothing is reported until an interval is over.
    pub(super) awaits_position: bool,
}

impl LastNews<'_> {
    /// Whether it is time to report it, `told` being what was reported last.
    pub(super) fn is_due(self, told: Option<&Value>) -> bool {
        let told = told.filter(|told| !told.is_null());
        let Some(every) = self.every.duration() else { return told.is_some() };
        let Some((sighting, at)) = self.dated() else { return false };
        // A position of yesterday says more than none.
        let is_less = sighting.position.is_none()
            && (self.awaits_position || told.is_some_and(|told| told.get("lat").is_some()));
        let Some(told_at) = told.and_then(time) else { return !is_less };
        // A clock that was set back must not keep it from being told until then.
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        !is_less && at.signed_duration_since(told_at).abs() >= every
    }

    /// As it is reported: a null takes it away.
    pub(super) fn value(self) -> Value {
        let Some((sighting, at)) = self.dated().filter(|_| self.every.duration().is_some()) else {
            return Value::Null;
        };
        let Sighting { position, place, temperature, .. } = sighting;
        let mut last = Map::new();
        last.insert("at".into(), json!(Timestamp(at)));
        if let Some((latitude, longitude)) = position {
            last.insert("lat".into(), rounded(*latitude, POSITION_DECIMALS).into());
            last.insert("lon".into(), rounded(*longitude, POSITION_DECIMALS).into());
        }
        if let Some(place) = place {
            last.insert("place".into(), place.as_str().into());
        }
        if let Some(temperature) = temperature {
            last.insert("temperature".into(), rounded(*temperature, DECIMALS).into());
        }
        last.into()
    }

    /// Without a time it would not be known what it is worth.
    fn dated(&self) -> Option<(&Sighting, DateTime<Utc>)> {
        let sighting = self.sighting?;
        Some((sighting, sighting.stamp.utc?))
    }
}

fn time(told: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(told.get("at")?.as_str()?).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reading::Stamp;

    fn seen(second: i64, position: Option<(f64, f64)>) -> Sighting {
        let utc = DateTime::from_timestamp(1_790_000_000 + second, 0);
        let stamp = Stamp { utc, monotonic: Duration::ZERO };
        Sighting { stamp, position, place: Some("yard".into()), temperature: Some(4.987_6) }
    }

    const BERTH: Option<(f64, f64)> = Some((51.95, 4.123_456_789));

    fn news(every: u64, sighting: &Sighting) -> LastNews<'_> {
        let every = LastInterval::from_seconds(every).unwrap();
        LastNews { every, sighting: Some(sighting), awaits_position: false }
    }

    #[test]
    fn what_was_seen_is_told_at_most_once_an_interval_by_the_device_s_own_time() {
        let (mut told, mut times) = (None, Vec::new());
        for second in 0..10_000 {
            let sighting = seen(second, BERTH);
            let news = news(3600, &sighting);
            if news.is_due(told.as_ref()) {
                told = Some(news.value());
                times.push(second);
            }
        }
        assert_eq!(times, [0, 3600, 7200]);
        let expected = json!({
            "at": "2026-09-21T16:13:20.000Z", "lat": 51.95, "lon": 4.123_456_8, "place": "yard", "temperature": 4.99,
        });
        assert_eq!(told, Some(expected));
        // A clock that was a year ahead when it was told.
        assert!(news(3600, &seen(-40_000_000, BERTH)).is_due(told.as_ref()));
    }

    #[test]
    fn without_a_time_nothing_is_told_and_without_a_fix_nothing_is_taken_back() {
        let mut undated = seen(0, BERTH);
        undated.stamp.utc = None;
        assert!(!news(3600, &undated).is_due(None));
        let (berth, blind) = (seen(0, BERTH), seen(9000, None));
        let told = news(60, &berth).value();
        assert!(!news(60, &blind).is_due(Some(&told)), "where it was is worth more");
        assert!(news(60, &blind).is_due(None), "one without a receiver");
        let waiting = LastNews { awaits_position: true, ..news(60, &blind) };
        assert!(!waiting.is_due(None), "a fix may be near");
        assert_eq!(news(60, &blind).value().get("lat"), None);
    }

    #[test]
    fn switched_off_it_is_taken_away_once() {
        let sighting = seen(0, BERTH);
        let told = news(60, &sighting).value();
        let off = news(0, &sighting);
        assert!(off.is_due(Some(&told)) && off.value().is_null());
        assert!(!off.is_due(Some(&Value::Null)) && !off.is_due(None));
        assert!(news(60, &sighting).is_due(Some(&Value::Null)), "and on again");
    }
}
