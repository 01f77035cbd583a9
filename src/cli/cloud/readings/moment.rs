//! A time as people say it: some days ago, a day, a moment.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::platform::clock::system_time;

const FORMS: &str = "a time is like 7d, 12h, 30m, 90s (so long ago), 2026-01-31 or 2026-01-31T12:00:00Z";

/// A time before now, or one of the calendar, in UTC.
pub(in crate::cli::cloud) fn since(text: &str) -> Result<DateTime<Utc>, String> {
    parse(text, system_time())
}

fn parse(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    if let Some(ago) = ago(text) {
        return now.checked_sub_signed(ago).ok_or_else(|| format!("that is before all calendars; {FORMS}"));
    }
    let moment = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    // As the Azure CLI takes it; fewer digits are rather a slip.
    let milliseconds = || {
        text.parse().ok().filter(|_| text.len() > 8 || text == "0").and_then(DateTime::from_timestamp_millis)
    };
    moment.or_else(day).or_else(milliseconds).ok_or_else(|| FORMS.to_owned())
}

fn ago(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    TimeDelta::try_seconds(number.checked_mul(seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_many_ways() {
        let now: DateTime<Utc> = "2026-11-28T12:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("7d", "2026-11-21T12:00:00Z"),
            ("90m", "2026-11-28T10:30:00Z"),
            ("2w", "2026-11-14T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
            ("1793448000000", "2026-10-31T12:00:00Z"),
            ("0", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(parse(text, now), Ok(wanted.parse().unwrap()), "{text}");
        }
        for text in ["", "d", "-1d", "7", "7 days", "yesterday", "2026-13-01", "999999999999999d", "é"] {
            assert!(parse(text, now).is_err(), "{text}");
        }
    }
}
