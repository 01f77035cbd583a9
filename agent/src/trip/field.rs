//! One field of telemetry over a trip: extremes, mean, and its bounds.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::bound::{Bound, Side};
use super::numbers::{rounded, seconds};
use super::spread::{Spread, Told};
use super::terms::Limits;
use super::timeline::Held;
use crate::instruments::SUMMARISED;
use crate::platform::clock::rfc3339;

/// An extreme value, and when it was first reached, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Extreme(f64, Option<i64>);

/// What is known of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Field {
    name: String,
    min: Option<Extreme>,
    max: Option<Extreme>,
    weight_ms: i64,
    /// Of value times milliseconds.
    sum: f64,
    last: Option<f64>,
    low: Option<Bound>,
    high: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    critical_low: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    critical_high: Option<Bound>,
}

impl Field {
    pub(super) fn new(name: &str, limits: Option<&Limits>) -> Self {
        let limits = limits.copied().unwrap_or_default();
        let [below, above] = [Side::Below, Side::Above].map(|side| move |limit| Bound::new(side, limit));
        Self {
            name: name.into(),
            min: None,
            max: None,
            weight_ms: 0,
            sum: 0.0,
            last: None,
            low: limits.low.map(below),
            high: limits.high.map(above),
            critical_low: limits.critical_low.map(below),
            critical_high: limits.critical_high.map(above),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it ever had a value.
    pub(super) fn is_known(&self) -> bool {
        self.min.is_some()
    }

    /// Whether readings say what it was between them, where that was measured.
    pub(super) fn is_summarised(&self) -> bool {
        SUMMARISED.iter().any(|[name, ..]| *name == self.name)
    }

    /// What it was until a reading that tells this: what that says, or the value of the reading before.
    pub(super) fn stood(&self, told: Told) -> Option<Spread> {
        told.spread().or_else(|| self.last.map(|last| Spread { min: last, max: last, mean: last }))
    }

    /// It has stood so for so long; `None`: nobody knows how, or how long.
    pub(super) fn hold(&mut self, held: Option<(Spread, Held)>) {
        if let Some((Spread { mean, .. }, Held { ms, .. })) = held {
            self.weight_ms += ms;
            self.sum += mean * ms as f64;
        }
        let bounds = [&mut self.low, &mut self.high, &mut self.critical_low, &mut self.critical_high];
        for bound in bounds.into_iter().flatten() {
            bound.hold(held);
        }
    }

    /// The next reading tells this.
    pub(super) fn take(&mut self, told: Told, utc_ms: Option<i64>) {
        self.last = told.value;
        let spread = told.spread().map(|Spread { min, max, .. }| [min, max]);
        for value in spread.into_iter().flatten().chain(told.value) {
            let here = Extreme(value, utc_ms);
            if self.min.is_none_or(|min| value < min.0) {
                self.min = Some(here);
            }
            if self.max.is_none_or(|max| value > max.0) {
                self.max = Some(here);
            }
        }
    }

    pub(super) fn report(&self) -> Map<String, Value> {
        let extreme = |extreme: Option<Extreme>| {
            extreme.map(|Extreme(value, at)| {
                let time = at.and_then(DateTime::from_timestamp_millis).map(rfc3339);
                json!({"value": rounded(value, 2), "time": time})
            })
        };
        let mut report = Map::new();
        report.insert("min".into(), json!(extreme(self.min)));
        report.insert("max".into(), json!(extreme(self.max)));
        let mean = (self.weight_ms > 0).then(|| rounded(self.sum / self.weight_ms as f64, 2));
        report.insert("mean".into(), json!(mean));
        report.insert("seconds".into(), seconds(self.weight_ms));
        let bounds = [
            ("low", &self.low),
            ("high", &self.high),
            ("criticalLow", &self.critical_low),
            ("criticalHigh", &self.critical_high),
        ];
        for (name, bound) in bounds {
            if let Some(bound) = bound {
                report.insert(name.into(), bound.report());
            }
        }
        report
    }
}
