//! One reading: what the sensors said at one moment.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tracker_sensors::bme280::Environment;
use tracker_sensors::gps::Fix;

use crate::config::Alerts;
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
    /// The telemetry fields but `time` and `seq`. A field without a true value is absent.
    pub fields: Map<String, Value>,
    /// Names of the bounds that the reading crosses.
    pub alerts: Vec<String>,
}

impl Reading {
    /// Puts together what the sensors said. `environment` is `None` when the sensor failed or there is none; `fix` is
    /// `None` without a plausible young one; `listening` says whether a receiver is heard at all.
    pub fn new(
        stamp: Stamp,
        environment: Option<&Environment>,
        fix: Option<&Fix>,
        listening: bool,
        bounds: &Alerts,
    ) -> Self {
        let mut fields = Map::new();
        let mut alerts = Vec::new();
        if let Some(environment) = environment {
            set(&mut fields, "temperature", environment.temperature_c, 2);
            set(&mut fields, "humidity", environment.humidity_rh, 2);
            set(&mut fields, "pressure", environment.pressure_hpa, 2);
            alerts = crossed(bounds, environment);
        }
        if let Some(fix) = fix {
            let mut location = Map::new();
            set(&mut location, "lat", Some(fix.position.latitude), 7);
            set(&mut location, "lon", Some(fix.position.longitude), 7);
            set(&mut location, "alt", fix.altitude_m, 1);
            fields.insert("location".into(), location.into());
            set(&mut fields, "speed", fix.speed_kmh(), 2);
            set(&mut fields, "course", fix.course_deg, 1);
            fields.insert("fix".into(), quality(fix.quality).into());
            if let Some(satellites) = fix.satellites {
                fields.insert("satellites".into(), satellites.into());
            }
            set(&mut fields, "hdop", fix.hdop, 2);
        } else if listening {
            fields.insert("fix".into(), "none".into());
        }
        Self { stamp, fields, alerts }
    }
}

/// Sets `name` to `value`, rounded to what the sensor can tell; leaves it out without a finite value.
fn set(fields: &mut Map<String, Value>, name: &str, value: Option<f64>, decimals: i32) {
    if let Some(value) = value.filter(|value| value.is_finite()) {
        let scale = 10_f64.powi(decimals);
        fields.insert(name.into(), json!((value * scale).round() / scale));
    }
}

/// The quality digit of GGA as a word.
fn quality(digit: Option<u8>) -> &'static str {
    match digit {
        Some(2) => "dgps",
        Some(3) => "pps",
        Some(4) => "rtk",
        Some(5) => "rtkFloat",
        Some(6) => "estimated",
        Some(7) => "manual",
        Some(8) => "simulator",
        _ => "gps",
    }
}

fn crossed(bounds: &Alerts, environment: &Environment) -> Vec<String> {
    let Environment { temperature_c, humidity_rh, .. } = environment;
    let below = |value: &Option<f64>, bound: Option<f64>| {
        value.zip(bound).is_some_and(|(value, bound)| value < bound)
    };
    let above = |value: &Option<f64>, bound: Option<f64>| {
        value.zip(bound).is_some_and(|(value, bound)| value > bound)
    };
    [
        ("temperatureLow", below(temperature_c, bounds.temperature_low)),
        ("temperatureHigh", above(temperature_c, bounds.temperature_high)),
        ("humidityLow", below(humidity_rh, bounds.humidity_low)),
        ("humidityHigh", above(humidity_rh, bounds.humidity_high)),
    ]
    .into_iter()
    .filter(|(_, crossed)| *crossed)
    .map(|(name, _)| name.to_owned())
    .collect()
}
