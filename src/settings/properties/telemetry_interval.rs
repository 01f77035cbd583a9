//! `telemetryInterval`: seconds between readings.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Interval;
use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// A whole number of seconds; `5.0` is one as well.
#[derive(Debug)]
pub struct TelemetryInterval;

impl Property for TelemetryInterval {
    const NAME: &'static str = "telemetryInterval";
    const GONE: &'static str = "null or removed is no interval";

    type Value = Duration;

    fn read(value: &Value) -> Result<Duration, String> {
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|seconds| seconds.fract() == 0.0 && (0.0..1e18).contains(seconds))
                .map(|seconds| seconds as u64)
        });
        whole.and_then(Interval::from_seconds).map(Interval::duration).ok_or_else(|| {
            let (least, most) = (Interval::SHORTEST, Interval::LONGEST);
            format!("{} is not a whole number of seconds from {least} to {most}", quoted(value))
        })
    }

    fn default(defaults: &Defaults) -> Duration {
        defaults.interval
    }

    fn write(value: &Duration) -> Value {
        json!(value.as_secs())
    }
}
