//! `intervals`: seconds between readings by the state in which the container is.

use serde_json::Value;
use tracker_protocol::hub::AckCode;

use crate::config::Intervals;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// See [`Intervals`]. A value is taken as a whole or not at all; it replaces that of the configuration.
#[derive(Debug)]
pub(crate) struct ByState;

impl Property for ByState {
    const NAME: &'static str = "intervals";
    const GONE: &'static str = "null or removed is no set of intervals; {} ends them";

    type Value = Intervals;

    fn read(value: &Value) -> Result<Intervals, String> {
        Intervals::read(value, Intervals::MEMBERS)
    }

    fn default(defaults: &Defaults) -> Intervals {
        defaults.intervals
    }

    fn write(value: &Intervals) -> Value {
        value.value()
    }

    fn applied(value: &Intervals) -> (AckCode, String) {
        let Intervals { moving, still, in_fence, alarm } = *value;
        let is_longer = [moving, still, in_fence].into_iter().flatten().any(|other| alarm > Some(other));
        let what = if is_longer { "applied; alarm is meant to be the shortest" } else { "applied" };
        (AckCode::Applied, what.into())
    }
}
