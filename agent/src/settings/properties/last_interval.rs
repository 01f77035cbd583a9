//! `lastInterval`: seconds between reports of the property `last`.

use serde_json::{Value, json};

use crate::config;
use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// A whole number of seconds, or 0 for never.
#[derive(Debug)]
pub(crate) struct LastInterval;

impl Property for LastInterval {
    const NAME: &'static str = "lastInterval";
    const GONE: &'static str = "null or removed is no interval; 0 ends it";

    type Value = config::LastInterval;

    fn read(value: &Value) -> Result<config::LastInterval, String> {
        config::LastInterval::read(value, quoted)
    }

    fn default(defaults: &Defaults) -> config::LastInterval {
        defaults.last
    }

    fn write(value: &config::LastInterval) -> Value {
        json!(value.seconds())
    }
}
