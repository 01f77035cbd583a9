//! What is in force where the twin says nothing.

use std::time::Duration;

use crate::alarms::schema::Alarms;
use crate::config::{DeliveryMode, Intervals, LastInterval};

/// What is in force where the twin says nothing: the configuration's values.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Time between readings.
    pub interval: Duration,
    /// Time between readings in some states.
    pub intervals: Intervals,
    /// Time between reports of place and temperature.
    pub last: LastInterval,
    /// How readings share messages.
    pub delivery: DeliveryMode,
    /// When a reading is an alarm.
    pub alarms: Alarms,
}
