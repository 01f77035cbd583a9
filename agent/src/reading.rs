//! One reading: what the sensors said at one moment.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::Alerts;
use crate::instruments::SUMMARISED;
use crate::instruments::fields::Fields;
use crate::platform::clock::Clock;

/// When a reading was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stamp {
    /// Universal time, if it was known then.
    pub utc: Option<DateTime<Utc>>,
    /// On the agent's monotonic clock; tells the time later, when universal time has become known.
    pub monotonic: Duration,
}

impl Stamp {
    /// Now.
    pub fn now(clock: &dyn Clock) -> Self {
        Self { utc: clock.utc(), monotonic: clock.monotonic() }
    }
}

/// What was measured, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When.
    pub stamp: Stamp,
    /// The telemetry fields but `time` and `seq`, a JSON object. A field without a true value is absent.
    pub fields: String,
    /// Names of the bounds that the reading crosses.
    pub alerts: Vec<String>,
}

impl Reading {
    /// What the instruments said at one moment, held against `bounds`.
    pub fn new(stamp: Stamp, fields: Fields, bounds: &Alerts) -> Self {
        let alerts = crossed(bounds, &fields);
        Self { stamp, fields: fields.into_json(), alerts }
    }
}

fn crossed(bounds: &Alerts, fields: &Fields) -> Vec<String> {
    let [temperature, humidity, ..] = SUMMARISED;
    // Also where it was crossed only by a measurement that was not reported.
    let any = |names: [&str; 2], is_beyond: &dyn Fn(f64) -> bool| {
        names.into_iter().filter_map(|name| fields.get(name)).any(is_beyond)
    };
    let below = |[name, min, ..]: [&str; 4], bound: Option<f64>| {
        bound.is_some_and(|bound| any([name, min], &|value| value < bound))
    };
    let above = |[name, _, max, _]: [&str; 4], bound: Option<f64>| {
        bound.is_some_and(|bound| any([name, max], &|value| value > bound))
    };
    [
        ("temperatureLow", below(temperature, bounds.temperature_low)),
        ("temperatureHigh", above(temperature, bounds.temperature_high)),
        ("humidityLow", below(humidity, bounds.humidity_low)),
        ("humidityHigh", above(humidity, bounds.humidity_high)),
    ]
    .into_iter()
    .filter(|(_, crossed)| *crossed)
    .map(|(name, _)| name.to_owned())
    .collect()
}
