//! Times as people say them.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// From so many days on the date says more.
const DAYS: i64 = 100;

/// `3 min ago`, `in 12 d`, or the date, if this is a time; `-` for the one that has never been.
pub(in crate::cli::cloud) fn relative(value: &Value, now: DateTime<Utc>) -> Option<String> {
    let text = value.as_str()?;
    // So Azure writes a time that has not come.
    if text.starts_with("0001-01-01T00:00:00") {
        return Some("-".into());
    }
    let shape = text.as_bytes();
    if !(20..=35).contains(&shape.len()) || shape.get(10) != Some(&b'T') {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let seconds = now.signed_duration_since(time).num_seconds();
    let told = match seconds.abs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => format!("{} h", s / 3600),
        s if s / 86_400 < DAYS => format!("{} d", s / 86_400),
        _ => return Some(time.format("%Y-%m-%d").to_string()),
    };
    Some(if seconds < 0 { format!("in {told}") } else { format!("{told} ago") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_told_from_now_and_nothing_else_is_a_time() {
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        for (text, told) in [
            ("2026-11-29T11:59:55.1234567Z", Some("4 s ago")),
            ("2026-11-29T13:57:00+02:00", Some("3 min ago")),
            ("2026-11-29T06:00:00Z", Some("6 h ago")),
            ("2026-11-09T06:00:00Z", Some("20 d ago")),
            ("2026-12-11T13:00:00Z", Some("in 12 d")),
            ("2024-01-31T06:00:00Z", Some("2024-01-31")),
            ("0001-01-01T00:00:00.0000000Z", Some("-")),
            ("2026-11-29", None),
            ("sensor-thl-001T000000", None),
        ] {
            assert_eq!(relative(&json!(text), now).as_deref(), told, "{text}");
        }
        assert_eq!(relative(&json!(7), now), None);
    }
}
