//! When a certificate is to be renewed.

use chrono::{DateTime, TimeDelta, Utc};

/// A fleet that got its certificates in one hour renews them over this part of their life.
const SPREAD: f64 = 0.05;
/// Who lives longer than twice this renews this long before the end at the latest.
const DAY: TimeDelta = TimeDelta::days(1);

/// When a new certificate is to be asked for in place of one of this validity: after the part `renew_at` of its life, a
/// fortieth of it earlier or later, and of two that live more than two days the last day is left free. `thumbprint` (hexadecimal)
/// tells which part of the spread is this certificate's: the same after each restart, another in each device.
pub fn renewal_due(
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    renew_at: f64,
    thumbprint: &str,
) -> DateTime<Utc> {
    let life = (not_after - not_before).max(TimeDelta::zero());
    let place =
        thumbprint.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    let spread = SPREAD * (f64::from(place) / f64::from(u32::MAX) - 0.5);
    let after = life.as_seconds_f64() * (renew_at + spread);
    let due = not_before + TimeDelta::milliseconds((after * 1000.0) as i64);
    if life > DAY * 2 { due.min(not_after - DAY) } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn after_a_part_of_its_life_and_a_day_before_its_end() {
        let due = |life, renew_at, thumbprint| {
            (renewal_due(at(0), at(life), renew_at, thumbprint) - at(0)).num_seconds()
        };
        assert_eq!(due(1000, 0.8, "80000000ff"), 800);
        assert_eq!((due(1000, 0.8, "00000000"), due(1000, 0.8, "ffffffff")), (775, 825));
        let day = 86_400;
        assert_eq!(due(30 * day, 0.8, "7fffffff") / day, 23);
        assert_eq!(due(3 * day, 0.95, "ffffffff"), 2 * day);
        assert_eq!(due(15, 0.95, "ffffffff"), 14, "a life of seconds is renewed within it");
        assert_eq!(due(-5, 0.8, "ffffffff"), 0);
        assert_eq!(due(1000, 0.8, "no thumbprint"), 775);
    }
}
