//! Dates that are 1024 weeks too early.
//!
//! GPS sends the number of the week modulo 1024, so an old receiver may take one era for the next. The time of day stays
//! right. Software cannot run before it was built, which tells the era. But not every early date is one era early: a
//! receiver that does not know the date shows the one that it was made with, and a log that is played back its own.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate};

/// One era of GPS week numbers, in days.
const ERA_DAYS: u64 = 1024 * 7;
/// No software is in use so long after it was built, in days (20 years).
const LONGEST_USE_DAYS: i64 = 7305;

/// What is known about the time from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownDates {
    /// The newest date that has been noted, before the last power cut perhaps.
    pub newest: Option<NaiveDate>,
    /// When the device's certificate is valid.
    pub validity: Option<RangeInclusive<NaiveDate>>,
}

/// A date that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRefused {
    /// As the receiver gave it.
    pub sent: NaiveDate,
    /// The same day of the next era, where that was considered.
    pub repaired: Option<NaiveDate>,
    /// Why neither can be.
    pub because: &'static str,
}

impl fmt::Display for DateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the receiver says that it is {}", self.sent)?;
        if let Some(repaired) = self.repaired {
            write!(f, " (or {repaired}, where its week number has rolled over)")?;
        }
        write!(
            f,
            ", {}: its time is not used; if that lasts, update its firmware or let NTP set the clock",
            self.because
        )
    }
}

/// The date that the receiver means.
///
/// # Errors
/// When it cannot be: more than 20 years after `build_date`, or before it and not one era early. Of two eras the nearer
/// to the build is meant, and a date in it must agree with `known`.
pub fn repair_date(
    date: NaiveDate,
    build_date: NaiveDate,
    known: &KnownDates,
) -> Result<NaiveDate, DateRefused> {
    let refused = |repaired, because| Err(DateRefused { sent: date, repaired, because });
    let days_after = |date: NaiveDate| date.signed_duration_since(build_date).num_days();
    if date >= build_date {
        return match days_after(date) {
            ..=LONGEST_USE_DAYS => Ok(date),
            _ => refused(None, "more than 20 years after this program was built"),
        };
    }
    let is_near = |date: NaiveDate| (0..=ERA_DAYS as i64 / 2).contains(&days_after(date));
    let Some(repaired) = one_era_later(date).filter(|date| is_near(*date)) else {
        return refused(None, "before this program was built");
    };
    if known.newest.is_some_and(|newest| is_near(newest) && repaired < newest) {
        return refused(Some(repaired), "before the newest reading in the journal");
    }
    if known.validity.as_ref().is_some_and(|validity| !validity.contains(&repaired)) {
        return refused(Some(repaired), "when the certificate is not valid");
    }
    Ok(repaired)
}

/// The same day of the next era.
pub(super) fn one_era_later(date: NaiveDate) -> Option<NaiveDate> {
    date.checked_add_days(Days::new(ERA_DAYS))
}
