//! Dates that are 1024 weeks too early.
//!
//! GPS sends the number of the week modulo 1024, so an old receiver, or one without a battery, may take one
//! era for another. The time of day stays right. Software cannot run before it was built, which tells the
//! era.

use chrono::{Days, NaiveDate};

/// One era of GPS week numbers.
const ERA: Days = Days::new(1024 * 7);
/// No software is in use so long after it was built, in days (20 years).
const LONGEST_USE_DAYS: i64 = 7305;

/// The date that the receiver means, or nothing if it cannot be: more than 20 years after `build_date`.
pub fn repair_date(date: NaiveDate, build_date: NaiveDate) -> Option<NaiveDate> {
    let mut date = date;
    while date < build_date {
        date = date.checked_add_days(ERA)?;
    }
    (date.signed_duration_since(build_date).num_days() <= LONGEST_USE_DAYS).then_some(date)
}
