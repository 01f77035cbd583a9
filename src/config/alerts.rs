//! `[telemetry.alerts]`: bounds that name an alert.

use serde::Deserialize;

/// `[telemetry.alerts]`: a reading beyond a bound carries the alert's name as a message property.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// °C; below it `temperatureLow`.
    pub temperature_low: Option<f64>,
    /// °C; above it `temperatureHigh`.
    pub temperature_high: Option<f64>,
    /// %RH; below it `humidityLow`.
    pub humidity_low: Option<f64>,
    /// %RH; above it `humidityHigh`.
    pub humidity_high: Option<f64>,
}
