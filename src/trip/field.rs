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
}

impl Field {
    pub(super) fn new(name: &str, limits: Option<&Limits>) -> Self {
        let Limits { low, high } = limits.copied().unwrap_or_default();
        Self {
            name: name.into(),
            min: None,
            max: None,
            weight_ms: 0,
            sum: 0.0,
            last: None,
            low: low.map(|limit| Bound::new(Side::Below, limit)),
            high: high.map(|limit| Bound::new(Side::Above, limit)),
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
        for bound in self.low.iter_mut().chain(&mut self.high) {
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
        for (name, bound) in [("low", &self.low), ("high", &self.high)] {
            if let Some(bound) = bound {
                report.insert(name.into(), bound.report());
            }
        }
        report
    }
}
