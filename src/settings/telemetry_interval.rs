//! `telemetryInterval`: seconds between readings.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// Shortest and longest, in seconds: one second to one day.
const RANGE: RangeInclusive<u64> = 1..=86_400;

/// A whole number of seconds; `5.0` is one as well.
#[derive(Debug)]
pub struct TelemetryInterval;

impl Property for TelemetryInterval {
    const NAME: &'static str = "telemetryInterval";
    const GONE: &'static str = "null or removed is no interval; the last one stays in force";

    type Value = Duration;

    fn read(value: &Value) -> Result<Duration, String> {
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|seconds| seconds.fract() == 0.0 && (0.0..1e18).contains(seconds))
                .map(|seconds| seconds as u64)
        });
        match whole {
            Some(seconds) if RANGE.contains(&seconds) => Ok(Duration::from_secs(seconds)),
            _ => {
                let (least, most) = (RANGE.start(), RANGE.end());
                Err(format!("{value} is not a whole number of seconds from {least} to {most}"))
            }
        }
    }

    fn default(defaults: &Defaults) -> Duration {
        defaults.interval
    }

    fn write(value: &Duration) -> Value {
        json!(value.as_secs())
    }
}
