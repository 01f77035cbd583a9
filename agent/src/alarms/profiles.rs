//! What goods stand, by one word: bounds and their delays.
//!
//! The figures are usual in the trade, and limits of quality that a shipper sets: none of them is a norm. Where there was one
//! band for a cargo it is a warning after half an hour and critical after an hour; the margin and the time to clear are ours.

use crate::alarms::rule::{Level, Rule};
use crate::alarms::signal::Signal;

const MINUTE: i64 = 60_000;
/// The time for which a value must be back.
const CLEAR_MS: i64 = 10 * MINUTE;

/// Bounds of one severity.
type Band = (Option<f64>, Option<f64>);

/// The alarms of a profile: field, margin, and band and minutes for warning and critical.
type Bounds = (&'static str, f64, (Band, i64), Option<(Band, i64)>);

const fn within(low: f64, high: f64) -> Band {
    (Some(low), Some(high))
}

const fn below(high: f64) -> Band {
    (None, Some(high))
}

const fn temperature(warning: Band, critical: Band) -> Bounds {
    ("temperature", 0.3, (warning, 30), Some((critical, 60)))
}

const FROZEN: &[Bounds] = &[temperature(below(-15.0), below(-12.0))];
const GOUDA: &[Bounds] = &[temperature(within(1.0, 7.0), within(0.0, 10.0))];

/// Every profile by its word.
const PROFILES: [(&str, &[Bounds]); 11] = [
    ("bananas", &[temperature(within(12.5, 14.5), within(12.0, 16.0))]),
    ("butter", FROZEN),
    ("cheddar", &[temperature(within(0.0, 5.0), within(-1.0, 8.0))]),
    ("cherries", &[temperature(within(-1.0, 1.0), within(-1.5, 3.0))]),
    ("dry", &[("humidity", 2.0, (below(85.0), 360), None), temperature(below(50.0), below(50.0))]),
    ("edam", GOUDA),
    ("frozen", FROZEN),
    ("gouda", GOUDA),
    ("pharma2to8", &[temperature(within(2.0, 8.0), within(2.0, 8.0))]),
    ("pharma15to25", &[temperature(within(15.0, 25.0), within(15.0, 25.0))]),
    ("softCheese", &[temperature(within(0.0, 4.0), within(0.0, 6.0))]),
];

/// The words.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

/// The alarms of a profile, each named as its field.
pub fn rules(name: &str) -> Option<Vec<Rule>> {
    let (_, bounds) = PROFILES.iter().find(|(known, _)| *known == name)?;
    let level = |((low, high), minutes): (Band, i64)| Level { low, high, delay_ms: minutes * MINUTE };
    let rule = |(field, hysteresis, warning, critical): &Bounds| Rule {
        name: (*field).into(),
        signal: Signal::Field((*field).into()),
        levels: [Some(level(*warning)), critical.map(level)],
        hysteresis: *hysteresis,
        clear_ms: CLEAR_MS,
    };
    Some(bounds.iter().map(rule).collect())
}
