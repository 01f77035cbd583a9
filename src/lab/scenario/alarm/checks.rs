//! What is right about what was seen, and how it is said.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::stage::{INTERVAL, Measured, SPEED};
use crate::lab::notification::{Notification, lasted};

pub(super) const CONTAINER: &str = "MSKU9070323";
/// Of the profile `gouda`: °C, and how long the air must be above.
pub(super) const WARNING: (f64, TimeDelta) = (7.0, TimeDelta::minutes(30));
pub(super) const CRITICAL: (f64, TimeDelta) = (10.0, TimeDelta::minutes(60));

/// Three intervals of the voyage: readings that are farther apart say nothing of what was between.
const LONGEST_STEP: TimeDelta = TimeDelta::milliseconds((3.0 * INTERVAL as f64 * SPEED * 3_600_000.0) as i64);

/// Whether an event came when the air had been above the limit for the delay, and not before; and the finding in words.
pub(super) fn after_delay(
    measured: &[Measured],
    told: Option<&Notification>,
    (limit, delay): (f64, TimeDelta),
) -> (bool, String) {
    let Some(at) = told.and_then(|told| told.moment("time")) else {
        return (false, "nothing was told".into());
    };
    let Some((held, step)) = held_above(measured, limit, at) else {
        return (false, format!("no reading above {limit} °C at {}", time(at)));
    };
    let how = format!("above {limit} °C for {}", lasted(held.as_seconds_f64()));
    (is_due(held, step, delay), how)
}

/// How long the readings until `at` have been above `limit` without a break, and how much of that the last one has added. Steps that
/// are too long, as the machine was busy, count for nothing.
fn held_above(measured: &[Measured], limit: f64, at: DateTime<Utc>) -> Option<(TimeDelta, TimeDelta)> {
    let until = &measured[..measured.partition_point(|it| it.time <= at)];
    let begin = until.iter().rposition(|it| it.celsius <= limit).map_or(0, |below| below + 1);
    let above = until.get(begin..).filter(|above| !above.is_empty())?;
    let steps = above.windows(2).map(|pair| pair[1].time - pair[0].time);
    let mut counted = steps.map(|step| if step > LONGEST_STEP { TimeDelta::zero() } else { step });
    Some((counted.clone().sum(), counted.next_back().unwrap_or_default()))
}

/// Whether this is the first reading at which the delay has passed.
fn is_due(held: TimeDelta, step: TimeDelta, delay: TimeDelta) -> bool {
    held >= delay && held - step < delay
}

pub(super) fn names_container(notification: &Notification) -> bool {
    notification.text.contains(CONTAINER)
}

/// What a person was told.
pub(super) fn words(notification: Option<&Notification>) -> String {
    notification.map_or("nobody was told".into(), |notification| format!("“{}”", notification.text))
}

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A number in a report.
pub(super) fn number(report: &Value, names: &[&str]) -> f64 {
    names.iter().fold(report, |value, name| &value[name]).as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(celsius: &[f64]) -> Vec<Measured> {
        let at = |index: usize| DateTime::UNIX_EPOCH + TimeDelta::minutes(12 * index as i64);
        let indexed = celsius.iter().enumerate();
        indexed
            .map(|(index, celsius)| Measured { seq: index as u64, time: at(index), celsius: *celsius })
            .collect()
    }

    /// Whether an event at this reading is on time, with a delay of 30 minutes.
    fn on_time(celsius: &[f64], at: usize) -> bool {
        let measured = readings(celsius);
        held_above(&measured, 7.0, measured[at].time)
            .is_some_and(|(held, step)| is_due(held, step, WARNING.1))
    }

    #[test]
    fn an_event_is_on_time_at_the_first_reading_after_the_delay() {
        let rising = [5.0, 6.0, 7.2, 7.6, 8.0, 8.4, 8.8];
        let right: Vec<_> = (0..7).filter(|at| on_time(&rising, *at)).collect();
        assert_eq!(right, [5], "36 minutes after the third reading");
        let broken = [7.5, 7.5, 6.0, 7.2, 7.6, 8.0, 8.4];
        assert_eq!((0..7).filter(|at| on_time(&broken, *at)).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn time_that_nobody_has_measured_does_not_count() {
        let mut measured = readings(&[5.0, 7.2, 7.6, 8.0, 8.4]);
        for late in &mut measured[2..] {
            late.time += TimeDelta::hours(1);
        }
        let held =
            |at: usize| held_above(&measured, 7.0, measured[at].time).map(|(held, _)| held.num_minutes());
        assert_eq!([held(0), held(1), held(2), held(4)], [None, Some(0), Some(0), Some(24)]);
    }
}
