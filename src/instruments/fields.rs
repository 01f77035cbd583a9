//! The telemetry fields of a reading. A field without a true value is absent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields, as instruments set them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    json: Map<String, Value>,
    /// Numbers at full precision, for bounds.
    numbers: BTreeMap<&'static str, f64>,
}

impl Fields {
    /// Sets `name` to a number, rounded to what the sensor can tell; leaves it out without a finite value.
    pub fn number(&mut self, name: &'static str, value: Option<f64>, decimals: i32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.json.insert(name.into(), rounded(value, decimals).into());
            self.numbers.insert(name, value);
        }
    }

    /// Sets `name` to a whole number.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.json.insert(name.into(), value.into());
        self.numbers.insert(name, value as f64);
    }

    /// Sets `name` to anything else.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.json.insert(name.into(), value.into());
    }

    /// A number as it was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// The JSON object.
    pub fn json(&self) -> &Map<String, Value> {
        &self.json
    }

    /// The JSON object alone.
    pub fn into_json(self) -> Map<String, Value> {
        self.json
    }
}

/// Of latitude and longitude: 1 cm.
pub const POSITION_DECIMALS: i32 = 7;

/// A number with so many decimals at the most.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_rounded_for_the_hub_and_whole_for_bounds() {
        let mut fields = Fields::default();
        fields.number("temperature", Some(8.004), 2);
        fields.number("humidity", None, 2);
        fields.number("pressure", Some(f64::NAN), 2);
        fields.set("fix", "none");
        assert_eq!(fields.get("temperature"), Some(8.004));
        assert_eq!(fields.get("humidity"), None);
        assert_eq!(Value::from(fields.into_json()), json!({"temperature": 8.0, "fix": "none"}));
    }
}
