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
        Interval::read(value, quoted).map(Interval::duration)
    }

    fn default(defaults: &Defaults) -> Duration {
        defaults.interval
    }

    fn write(value: &Duration) -> Value {
        json!(value.as_secs())
    }
}
