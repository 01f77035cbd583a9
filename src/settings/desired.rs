//! Desired properties of the device twin become settings, and every one of them is answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracker_protocol::hub::{AckCode, Acknowledgement};

use crate::config::DeliveryMode;

/// `telemetryInterval`: seconds between readings.
pub const TELEMETRY_INTERVAL: &str = "telemetryInterval";
/// `delivery`: how readings share messages, `{"batchBacklog": bool, "gzip": bool}`.
pub const DELIVERY: &str = "delivery";
/// `firmware`: the version that should run.
pub const FIRMWARE: &str = "firmware";

/// Shortest and longest `telemetryInterval`, in seconds: one second to one day.
const INTERVAL_RANGE: std::ops::RangeInclusive<u64> = 1..=86_400;

/// What is in force where the twin says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Time between readings.
    pub interval: Duration,
    /// How readings share messages.
    pub delivery: DeliveryMode,
}

/// What the twin has set, kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Seconds between readings; `None` until the twin has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telemetry_interval: Option<u64>,
    /// How readings share messages; `None` until the twin has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryMode>,
    /// Desired properties without a meaning to this version.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    others: Map<String, Value>,
}

/// What became of one desired property.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its name.
    pub property: String,
    /// What is reported.
    pub acknowledgement: Acknowledgement,
}

impl Settings {
    /// Time between readings.
    pub fn telemetry_interval(&self, defaults: Defaults) -> Duration {
        self.telemetry_interval.map_or(defaults.interval, Duration::from_secs)
    }

    /// How readings share messages.
    pub fn delivery(&self, defaults: Defaults) -> DeliveryMode {
        self.delivery.unwrap_or(defaults.delivery)
    }

    /// Takes the whole desired section and answers every property in it. A bad value changes nothing and is told why.
    /// A property that was set and is now gone stays in force, and that is told as well.
    pub fn apply(&mut self, desired: &Map<String, Value>, version: u64, defaults: Defaults) -> Vec<Answer> {
        let mut answers = vec![self.apply_interval(desired, version, defaults)];
        for (property, value) in desired {
            let acknowledgement = match property.as_str() {
                TELEMETRY_INTERVAL => continue,
                FIRMWARE => firmware(value, version),
                DELIVERY => self.apply_delivery(value, version, defaults),
                _ => Acknowledgement {
                    value: value.clone(),
                    code: AckCode::Applied,
                    version,
                    description: "kept; this version gives it no meaning".into(),
                },
            };
            answers.push(Answer { property: property.clone(), acknowledgement });
        }
        self.others.clone_from(desired);
        self.others
            .retain(|property, _| ![TELEMETRY_INTERVAL, FIRMWARE, DELIVERY].contains(&property.as_str()));
        if !desired.contains_key(DELIVERY) {
            self.delivery = None;
        }
        answers
    }

    fn apply_interval(&mut self, desired: &Map<String, Value>, version: u64, defaults: Defaults) -> Answer {
        let (code, version, description) = match desired.get(TELEMETRY_INTERVAL) {
            Some(value) => match interval(value) {
                Ok(seconds) => {
                    self.telemetry_interval = Some(seconds);
                    (AckCode::Applied, version, "applied".into())
                }
                Err(why) => (AckCode::Bad, version, why),
            },
            None if self.telemetry_interval.is_some() => {
                (AckCode::Bad, version, "null or removed is no interval; the last one stays in force".into())
            }
            None => {
                (AckCode::Default, 0, "not set in the twin; the configuration's value is in force".into())
            }
        };
        let value = json!(self.telemetry_interval(defaults).as_secs());
        let acknowledgement = Acknowledgement { value, code, version, description };
        Answer { property: TELEMETRY_INTERVAL.into(), acknowledgement }
    }

    fn apply_delivery(&mut self, value: &Value, version: u64, defaults: Defaults) -> Acknowledgement {
        match serde_json::from_value(value.clone()) {
            Ok(mode) => {
                self.delivery = Some(mode);
                Acknowledgement {
                    value: value.clone(),
                    code: AckCode::Applied,
                    version,
                    description: "applied".into(),
                }
            }
            Err(error) => {
                let mode = self.delivery(defaults);
                let value = json!({"batchBacklog": mode.batch_backlog, "gzip": mode.gzip});
                let description = format!(
                    "it must be {{\"batchBacklog\": true or false, \"gzip\": true or false}}: {error}"
                );
                Acknowledgement { value, code: AckCode::Bad, version, description }
            }
        }
    }
}

/// A whole number of seconds in range; `5.0` is one as well.
fn interval(value: &Value) -> Result<u64, String> {
    let whole = value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|seconds| seconds.fract() == 0.0 && (0.0..1e18).contains(seconds))
            .map(|s| s as u64)
    });
    match whole {
        Some(seconds) if INTERVAL_RANGE.contains(&seconds) => Ok(seconds),
        _ => {
            let (least, most) = (INTERVAL_RANGE.start(), INTERVAL_RANGE.end());
            Err(format!("{value} is not a whole number of seconds from {least} to {most}"))
        }
    }
}

/// The agent does not replace itself: it reports what runs and whether that is what is wanted.
fn firmware(wanted: &Value, version: u64) -> Acknowledgement {
    let running = env!("CARGO_PKG_VERSION");
    let (code, description) = match wanted.as_str() {
        Some(wanted) if wanted == running => (AckCode::Applied, format!("{running} runs")),
        Some(wanted) => (
            AckCode::Pending,
            format!("{running} runs, {wanted} is wanted; install it with the package manager"),
        ),
        None => (AckCode::Bad, format!("{wanted} is not a version; {running} runs")),
    };
    Acknowledgement { value: json!(running), code, version, description }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Defaults = Defaults {
        interval: Duration::from_secs(60),
        delivery: DeliveryMode { batch_backlog: true, gzip: false },
    };

    fn apply(settings: &mut Settings, desired: Value, version: u64) -> Vec<Answer> {
        let Value::Object(desired) = desired else { panic!() };
        settings.apply(&desired, version, DEFAULT)
    }

    #[test]
    fn an_interval_is_applied_and_answered() {
        let mut settings = Settings::default();
        let answers = apply(&mut settings, json!({"telemetryInterval": 5}), 3);
        assert_eq!(settings.telemetry_interval(DEFAULT), Duration::from_secs(5));
        assert_eq!(
            answers[0].acknowledgement.to_value(),
            json!({"value": 5, "ac": 200, "av": 3, "ad": "applied"})
        );
    }

    #[test]
    fn a_bad_interval_changes_nothing_and_says_why() {
        for bad in [json!("abc"), json!(-1), json!(0), json!(1e9), json!(1.5), json!([5]), json!(true)] {
            let mut settings = Settings::default();
            apply(&mut settings, json!({"telemetryInterval": 5}), 3);
            let before = settings.clone();
            let answers = apply(&mut settings, json!({"telemetryInterval": bad}), 4);
            assert_eq!(settings, before, "{bad}");
            let Answer { acknowledgement, .. } = &answers[0];
            assert_eq!((acknowledgement.code, acknowledgement.version), (AckCode::Bad, 4), "{bad}");
            assert_eq!(acknowledgement.value, json!(5), "the value in force");
            assert!(
                acknowledgement.description.contains("not a whole number of seconds from 1 to 86400"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_removed_interval_stays_in_force() {
        let mut settings = Settings::default();
        apply(&mut settings, json!({"telemetryInterval": 5}), 3);
        let answers = apply(&mut settings, json!({}), 4);
        assert_eq!(settings.telemetry_interval(DEFAULT), Duration::from_secs(5));
        assert_eq!(answers[0].acknowledgement.code, AckCode::Bad);
        assert!(answers[0].acknowledgement.description.contains("null or removed"));
    }

    #[test]
    fn without_a_desired_value_the_default_is_reported() {
        let answers = apply(&mut Settings::default(), json!({}), 9);
        assert_eq!(answers[0].acknowledgement.to_value()["ac"], 203);
        assert_eq!(answers[0].acknowledgement.to_value()["av"], 0);
        assert_eq!(answers[0].acknowledgement.value, json!(60));
    }

    #[test]
    fn firmware_is_held_against_what_runs_and_the_rest_is_kept() {
        let mut settings = Settings::default();
        let running = env!("CARGO_PKG_VERSION");
        let answers = apply(&mut settings, json!({"firmware": "99.0.0", "cargo": {"kind": "gouda"}}), 1);
        let of = |name: &str| &answers.iter().find(|a| a.property == name).unwrap().acknowledgement;
        assert_eq!((of("firmware").code, of("firmware").value.clone()), (AckCode::Pending, json!(running)));
        assert_eq!(
            (of("cargo").code, of("cargo").value.clone()),
            (AckCode::Applied, json!({"kind": "gouda"}))
        );
        let answers = apply(&mut settings, json!({"firmware": running}), 2);
        assert_eq!(
            answers.iter().find(|a| a.property == "firmware").unwrap().acknowledgement.code,
            AckCode::Applied
        );
        let stored: Settings = serde_json::from_value(serde_json::to_value(&settings).unwrap()).unwrap();
        assert_eq!(stored, settings);
    }
}
