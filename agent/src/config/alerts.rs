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

impl Alerts {
    /// What does more, and is told where one of these is set.
    pub const REPLACED: &str = "telemetry.alerts marks single readings, and a defrost is one too; [alarms], or the twin's \
                                \"alarms\", tell when something begins and ends (docs/alarms.md)";

    /// The first bound that can't be meant: `table.key`, and what is wrong and what would be right.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let temperature = (self.temperature_low, self.temperature_high);
        let humidity = (self.humidity_low, self.humidity_high);
        let pairs = [
            ("telemetry.alerts.temperature_low", temperature, "telemetry.alerts.temperature_high"),
            ("telemetry.alerts.humidity_low", humidity, "telemetry.alerts.humidity_high"),
        ];
        pairs.into_iter().find_map(|(low_key, (low, high), high_key)| {
            let is_no_number = |bound: Option<f64>| bound.filter(|bound| !bound.is_finite());
            if let Some(bound) = is_no_number(low) {
                return Some((low_key, format!("{bound} is no bound; leave it out for none")));
            }
            if let Some(bound) = is_no_number(high) {
                return Some((high_key, format!("{bound} is no bound; leave it out for none")));
            }
            let (low, high) = low.zip(high).filter(|(low, high)| low > high)?;
            let why = format!(
                "{low} is above {high_key}, which is {high}: every reading would be an alert; exchange them"
            );
            Some((low_key, why))
        })
    }
}
