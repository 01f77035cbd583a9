//! By what a trip is measured: said when it begins, and the same until it ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is measured whether there are bounds or not.
pub(super) const ALWAYS: [&str; 2] = ["temperature", "humidity"];
/// Fields that have bounds by a wish, at the most.
pub const MOST_BOUNDS: usize = 8;
/// Characters of a trip's name.
pub const LONGEST_NAME: usize = 100;
/// Who begins the trip that is under way as long as nobody has begun one.
pub const BY_ITSELF: &str = "provisioning";
/// Seconds: a longer time between two readings is a gap, unless the interval is longer than a third of it.
const GAP_AFTER: u64 = 900;
/// Seconds: no gap can be told later than this.
const LONGEST_GAP_AFTER: u64 = 7 * 86_400;

/// What is said of a trip at its beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Its name.
    pub trip: String,
    /// Who has begun it: `method`, `fence`, `provisioning`.
    pub by: String,
    /// The first reading that belongs to it, where that was before it could be said; else those after it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Seconds between readings after which there is a gap.
    pub gap_after: u64,
    /// Bounds of fields, in their units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, Limits>,
    /// What is known of the sensors' calibration, as the configuration has it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub calibration: Map<String, Value>,
    /// The container's number, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_number: Option<String>,
}

/// Bounds of one field; beyond is above the upper ones, or below the lower ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// The lower one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The lower one that is critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_low: Option<f64>,
    /// The upper one that is critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_high: Option<f64>,
}

/// Why terms are none, in a sentence that names the member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TermsError(String);

/// What a person says when a trip is to begin.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    trip: Option<String>,
    bounds: Option<BTreeMap<String, Limits>>,
    gap_after: Option<u64>,
}

impl Terms {
    /// The terms of a trip for which `wish` was said, a JSON object with `trip`, `bounds` and `gapAfter`, each of which may be
    /// left out, or null. `bounds` are those in force, `interval_s` the seconds between readings.
    pub fn of_wish(
        wish: &Value,
        by: &str,
        interval_s: u64,
        bounds: &BTreeMap<String, Limits>,
    ) -> Result<Self, TermsError> {
        let error = |why: String| Err(TermsError(why));
        if !wish.is_null() && !wish.is_object() {
            return error(
                "it must be {\"trip\": …, \"bounds\": {…}, \"gapAfter\": …}, each of which may be left out"
                    .into(),
            );
        }
        let wish = Option::<Wish>::deserialize(wish)
            .map_err(|why| {
                TermsError(format!("it must be {{\"trip\": …, \"bounds\": {{…}}, \"gapAfter\": …}}: {why}"))
            })?
            .unwrap_or_default();
        let trip = wish.trip.unwrap_or_default();
        if trip.chars().count() > LONGEST_NAME || trip.chars().any(char::is_control) {
            return error(format!(
                "trip: a name has no more than {LONGEST_NAME} characters, and no control characters"
            ));
        }
        let gap_after = wish.gap_after.unwrap_or_else(|| (3 * interval_s).max(GAP_AFTER));
        if !(1..=LONGEST_GAP_AFTER).contains(&gap_after) {
            return error(format!(
                "gapAfter: {gap_after} is no number of seconds from 1 to {LONGEST_GAP_AFTER}"
            ));
        }
        // Those in force are no more than there are fields.
        if let Some(many) = wish.bounds.as_ref().map(BTreeMap::len).filter(|many| *many > MOST_BOUNDS) {
            return error(format!(
                "bounds: {many} fields have some, and a trip knows no more than {MOST_BOUNDS}"
            ));
        }
        let bounds = wish.bounds.unwrap_or_else(|| bounds.clone());
        for (name, limits) in &bounds {
            let pairs = [
                ("low", limits.low, "high", limits.high),
                ("criticalLow", limits.critical_low, "criticalHigh", limits.critical_high),
            ];
            for (low, lower, high, upper) in pairs {
                if let Some((lower, upper)) = lower.zip(upper).filter(|(lower, upper)| lower > upper) {
                    return error(format!(
                        "bounds.{name}: {low}, {lower}, is above {high}, {upper}; exchange them"
                    ));
                }
            }
        }
        Ok(Self { trip, by: by.into(), gap_after, bounds, ..Self::default() })
    }

    /// As JSON.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    pub(super) fn gap_after_ms(&self) -> i64 {
        self.gap_after as i64 * 1000
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn terms(wish: &Value) -> Result<Terms, String> {
        let in_force =
            BTreeMap::from([("temperature".to_owned(), Limits { high: Some(8.0), ..Limits::default() })]);
        Terms::of_wish(wish, "method", 600, &in_force).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_it_is_in_force() {
        let begun = terms(&Value::Null).unwrap();
        assert_eq!(
            (begun.gap_after, begun.bounds["temperature"].high, begun.trip.as_str()),
            (1800, Some(8.0), "")
        );
        let begun =
            terms(&json!({"trip": "MSKU-7", "gapAfter": 60, "bounds": {"humidity": {"low": 20}}})).unwrap();
        assert_eq!((begun.gap_after, begun.bounds.len(), begun.bounds["humidity"].low), (60, 1, Some(20.0)));
        assert_eq!(serde_json::from_value::<Terms>(begun.to_map().into()).unwrap(), begun);
    }

    #[test]
    fn a_bad_wish_is_told_by_the_member() {
        for (wish, says) in [
            (json!([1]), "it must be {\"trip\""),
            (json!({"trp": "x"}), "unknown field `trp`"),
            (json!({"trip": "x".repeat(101)}), "trip: a name"),
            (json!({"trip": "a\nb"}), "trip: a name"),
            (json!({"gapAfter": 0}), "gapAfter: 0 is no number"),
            (
                json!({"bounds": {"temperature": {"low": 9, "high": 8}}}),
                "bounds.temperature: low, 9, is above high, 8",
            ),
            (json!({"bounds": {"temperature": {"hi": 9}}}), "unknown field `hi`"),
            (
                json!({"bounds": {"temperature": {"criticalLow": 9, "criticalHigh": 8}}}),
                "bounds.temperature: criticalLow, 9, is above criticalHigh, 8",
            ),
        ] {
            let error = terms(&wish).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let many: Map<String, Value> = (0..9).map(|n| (format!("f{n}"), json!({"low": n}))).collect();
        assert!(terms(&json!({"bounds": many})).unwrap_err().starts_with("bounds: 9 fields"));
    }
}
