//! The emulator's time: certificates are judged and records are stamped by it.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// A source of the current time (UTC).
///
/// It serves validity of certificates, time stamps of records and of messages. Durations on the wire (`retry-after`,
/// keep-alive, method timeouts) run on the machine's monotonic clock.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the emulator plays a data centre, which knows the time")]
    fn now(&self) -> DateTime<Utc> {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        DateTime::from_timestamp(seconds, elapsed.subsec_nanos()).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// A clock that stands still until it is moved: for tests of expiry.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now))
    }

    /// Sets the time.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves the time; a negative `by` moves it back.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Azure's form of a time: seven decimals and `Z`, for `#[serde(with)]`.
pub(crate) mod wire_time {
    use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// `2020-04-10T03:11:15.4739023Z`.
    pub(crate) fn print(time: DateTime<Utc>) -> String {
        // A leap second has nanoseconds of 10^9 and more.
        let ticks = (time.nanosecond() / 100).min(9_999_999);
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z")
    }

    pub(crate) fn serialize<S: Serializer>(time: &DateTime<Utc>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&print(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(input)?;
        DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(D::Error::custom)
    }

    /// The same for a time that may be absent.
    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(crate) mod option {
        use chrono::{DateTime, Utc};
        use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

        use crate::clock::wire_time;

        pub(crate) fn serialize<S: Serializer>(
            time: &Option<DateTime<Utc>>,
            out: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => wire_time::serialize(time, out),
                None => out.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            input: D,
        ) -> Result<Option<DateTime<Utc>>, D::Error> {
            Option::<String>::deserialize(input)?
                .map(|text| DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()))
                .transpose()
                .map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_printed_with_seven_decimals() {
        let time = DateTime::from_timestamp(1_586_488_275, 473_902_399).expect("in range");
        assert_eq!(wire_time::print(time), "2020-04-10T03:11:15.4739023Z");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        clock.advance(TimeDelta::days(1));
        assert_eq!(clock.now().timestamp(), 86_400);
    }
}
