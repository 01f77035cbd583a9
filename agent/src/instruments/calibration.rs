//! What a laboratory has found out about a sensor: by how much it is off, and when.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Further off than this a sensor is broken and not to be corrected.
const FURTHEST: f64 = 20.0;
/// Characters of a certificate's number.
const LONGEST: usize = 100;

/// `[sensors.bme280.calibration]`: offsets are added to what is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// The day, as `"2026-05-01"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What the laboratory calls its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// °C.
    #[serde(rename(serialize = "temperatureOffset"))]
    pub temperature_offset: f64,
    /// %RH.
    #[serde(rename(serialize = "humidityOffset"))]
    pub humidity_offset: f64,
    /// hPa.
    #[serde(rename(serialize = "pressureOffset"))]
    pub pressure_offset: f64,
}

impl Calibration {
    /// The key that is wrong, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let offsets = [
            ("sensors.bme280.calibration.temperature_offset", self.temperature_offset),
            ("sensors.bme280.calibration.humidity_offset", self.humidity_offset),
            ("sensors.bme280.calibration.pressure_offset", self.pressure_offset),
        ];
        if let Some((key, offset)) =
            offsets.into_iter().find(|(_, offset)| offset.is_nan() || offset.abs() > FURTHEST)
        {
            return Some((
                key,
                format!(
                    "{offset} is not between -{FURTHEST} and {FURTHEST}; a sensor that is so far off is broken"
                ),
            ));
        }
        let date = self.date.as_ref().filter(|date| date.parse::<NaiveDate>().is_err() || date.len() != 10);
        if let Some(date) = date {
            return Some((
                "sensors.bme280.calibration.date",
                format!("{date:?} is no date like \"2026-05-01\""),
            ));
        }
        let certificate = self.certificate.as_ref().filter(|name| name.chars().count() > LONGEST);
        certificate.map(|_| {
            ("sensors.bme280.calibration.certificate", format!("it has more than {LONGEST} characters"))
        })
    }

    /// As reports of trips have it; `None` where nothing is known.
    pub fn report(&self) -> Option<Value> {
        (*self != Self::default()).then(|| serde_json::to_value(self).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_meant_is_told_by_its_key() {
        let with = |text: &str| toml::from_str::<Calibration>(text).unwrap();
        let good = with("date = \"2026-05-01\"\ntemperature_offset = -0.3");
        assert_eq!(good.problem(), None);
        let report = good.report().unwrap();
        assert_eq!((&report["date"], &report["temperatureOffset"]), (&"2026-05-01".into(), &(-0.3).into()));
        assert_eq!(with("").report(), None);
        for (text, key) in [
            ("date = \"1 May\"", "date"),
            ("date = \"2026-5-1\"", "date"),
            ("temperature_offset = 21.0", "temperature_offset"),
            ("pressure_offset = nan", "pressure_offset"),
            (&format!("certificate = \"{}\"", "x".repeat(101)), "certificate"),
        ] {
            let (found, _) = with(text).problem().unwrap();
            assert!(found.ends_with(key), "{text}: {found}");
        }
    }
}
