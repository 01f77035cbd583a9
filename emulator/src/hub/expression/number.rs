//! Numbers that are results.

use serde_json::{Number, Value};

/// Whole numbers are printed as such; what is no number is undefined.
pub(in crate::hub) fn number(value: f64) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}
