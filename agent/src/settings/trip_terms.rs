//! By what a trip is measured that begins now: the settings in force, and what the configuration says of the sensors.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::alarms::rule::{Rule, Severity};
use crate::alarms::schema;
use crate::alarms::signal::Signal;
use crate::config::{Alerts, Config, Pace};
use crate::instruments::NUMBERS;
use crate::settings::in_force::InForce;
use crate::trip::{Limits, Terms};

/// Makes the terms of trips.
#[derive(Debug, Clone)]
pub struct TripTerms {
    pace: watch::Receiver<Pace>,
    alarms: watch::Receiver<schema::Alarms>,
    container_number: watch::Receiver<Option<Arc<str>>>,
    /// Bounds of the configuration, by field.
    alerts: BTreeMap<String, Limits>,
    calibration: Map<String, Value>,
}

impl TripTerms {
    /// Follows `settings`.
    pub fn new(settings: &InForce, config: &Config) -> Self {
        let of_bme280 = config.sensors.bme280.calibration.report();
        Self {
            pace: settings.pace(),
            alarms: settings.alarms(),
            container_number: settings.container_number(),
            alerts: of_alerts(&config.telemetry.alerts),
            calibration: of_bme280.map(|report| ("bme280".to_owned(), report)).into_iter().collect(),
        }
    }

    /// Of what is set by hand, without alarms.
    #[cfg(test)]
    pub(crate) fn by_hand(pace: watch::Receiver<Pace>, alerts: &Alerts) -> Self {
        let (alarms, container_number) = (watch::Sender::new(schema::Alarms::NONE), watch::Sender::default());
        Self {
            pace,
            alarms: alarms.subscribe(),
            container_number: container_number.subscribe(),
            alerts: of_alerts(alerts),
            calibration: Map::new(),
        }
    }

    /// Those of a trip that begins now, begun by `by`; see [`Terms::of_wish`].
    pub fn of_wish(&self, wish: &Value, by: &str) -> Result<Terms, String> {
        let interval_s = self.pace.borrow().longest().as_secs();
        let bounds = bounds(&self.alarms.borrow().rules(), &self.alerts);
        let terms = Terms::of_wish(wish, by, interval_s, &bounds).map_err(|error| error.to_string())?;
        let container_number = self.container_number.borrow().as_deref().map(str::to_owned);
        Ok(Terms { calibration: self.calibration.clone(), container_number, ..terms })
    }

    /// The same, of whom nothing is wished.
    pub fn now(&self, by: &str) -> Terms {
        // Nothing that could be refused is wished for.
        self.of_wish(&Value::Null, by).unwrap_or_default()
    }
}

/// The bounds of the alarms, of several over one field the nearest; and of fields over which there is none, those of the
/// configuration's alerts.
fn bounds(rules: &[Rule], alerts: &BTreeMap<String, Limits>) -> BTreeMap<String, Limits> {
    let mut bounds: BTreeMap<String, Limits> = BTreeMap::new();
    for rule in rules {
        let Signal::Field(field) = &rule.signal else { continue };
        if !NUMBERS.contains(&field.as_str()) {
            continue;
        }
        let limits = bounds.entry(field.clone()).or_default();
        let sides = [
            (Severity::Warning, &mut limits.low, &mut limits.high),
            (Severity::Critical, &mut limits.critical_low, &mut limits.critical_high),
        ];
        for (severity, low, high) in sides {
            if let Some(level) = rule.level(severity) {
                *low = nearest(*low, level.low, f64::max);
                *high = nearest(*high, level.high, f64::min);
            }
        }
    }
    for (field, limits) in alerts {
        bounds.entry(field.clone()).or_insert(*limits);
    }
    bounds
}

fn nearest(one: Option<f64>, other: Option<f64>, of: fn(f64, f64) -> f64) -> Option<f64> {
    one.zip(other).map(|(one, other)| of(one, other)).or(one).or(other)
}

fn of_alerts(alerts: &Alerts) -> BTreeMap<String, Limits> {
    let Alerts { temperature_low, temperature_high, humidity_low, humidity_high } = *alerts;
    let fields =
        [("temperature", temperature_low, temperature_high), ("humidity", humidity_low, humidity_high)];
    let set = fields.into_iter().filter(|(_, low, high)| low.or(*high).is_some());
    set.map(|(name, low, high)| (name.to_owned(), Limits { low, high, ..Limits::default() })).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bounds_are_those_of_the_alarms_the_nearest_of_several_and_else_those_of_alerts() {
        let alarms = json!({"profile": "gouda", "batteryLow": true, "moved": true, "bounds": {
            "warm": {"field": "temperature", "warning": {"high": 6}, "critical": {"high": 12}},
            "fast": {"field": "speed", "critical": {"high": 130}},
        }});
        let rules = schema::Alarms::read(&alarms).unwrap().rules();
        let alerts = Alerts { temperature_high: Some(5.0), humidity_low: Some(40.0), ..Alerts::default() };
        let bounds = bounds(&rules, &of_alerts(&alerts));
        let expected = json!({
            "temperature": {"low": 1.0, "high": 6.0, "criticalLow": 0.0, "criticalHigh": 10.0},
            "speed": {"criticalHigh": 130.0},
            "humidity": {"low": 40.0},
        });
        assert_eq!(serde_json::to_value(bounds).unwrap(), expected);
    }
}
