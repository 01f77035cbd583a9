//! Numbers as a report has them.

use serde_json::Value;

/// With so many decimals at the most, as a person would write it.
pub(super) fn rounded(value: f64, decimals: i32) -> Value {
    let scale = 10_f64.powi(decimals);
    // No -0.0.
    ((value * scale).round() / scale + 0.0).into()
}

/// Whole seconds.
pub(super) fn seconds(ms: i64) -> Value {
    ((ms + 500).div_euclid(1000)).into()
}
