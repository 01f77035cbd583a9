//! The report of a trip in a sentence.

use serde_json::Value;

use super::notification::lasted;

/// What people want to hear of a report first: how long, how far, how warm, and how long beyond the bounds.
pub(crate) fn sentence(report: &Value) -> String {
    let mut says = vec![format!("{} readings", report["readings"].as_u64().unwrap_or(0))];
    if let (Some(first), Some(last)) = (report["first"].as_str(), report["last"].as_str()) {
        says[0] += &format!(" from {} to {} UTC", minute(first), minute(last));
    }
    says.extend(report["distanceKm"].as_f64().map(|km| format!("{km:.0} km")));
    let temperature = &report["temperature"];
    let value = |name: &str| temperature[name]["value"].as_f64();
    if let (Some(min), Some(max)) = (value("min"), value("max")) {
        let mut said = format!("{min:.1} to {max:.1} °C");
        for (name, word) in [("mean", "mean"), ("mkt", "mean kinetic temperature")] {
            said +=
                &temperature[name].as_f64().map(|value| format!(", {word} {value:.1}")).unwrap_or_default();
        }
        says.push(said);
    }
    for (name, word) in
        [("high", "above"), ("criticalHigh", "above"), ("low", "below"), ("criticalLow", "below")]
    {
        let bound = &temperature[name];
        let (Some(limit), Some(beyond)) = (bound["limit"].as_f64(), bound["beyondSeconds"].as_f64()) else {
            continue;
        };
        let longest = bound["longestBeyondSeconds"].as_f64().filter(|longest| *longest > 0.0);
        let longest = longest.map(|longest| format!(", {} on end", lasted(longest))).unwrap_or_default();
        if beyond > 0.0 {
            says.push(format!("{word} {limit} °C for {}{longest}", lasted(beyond)));
        } else if !name.starts_with("critical") {
            says.push(format!("never {word} {limit} °C"));
        }
    }
    says.push(match report["gaps"]["count"].as_u64() {
        None | Some(0) => "no gaps".into(),
        Some(1) => "1 gap".into(),
        Some(count) => format!("{count} gaps"),
    });
    says.join("; ")
}

/// `2026-11-21T08:00:00.000Z` to the minute.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_said_in_a_breath() {
        let report = json!({
            "readings": 40, "first": "2026-11-21T08:00:00.000Z", "last": "2026-11-21T15:48:00.000Z", "distanceKm": 186.4,
            "gaps": {"count": 0},
            "temperature": {
                "min": {"value": 4.6}, "max": {"value": 12.21}, "mean": 7.13, "mkt": 7.9,
                "high": {"limit": 7.0, "beyondSeconds": 11520.0, "longestBeyondSeconds": 10800},
                "criticalHigh": {"limit": 10.0, "beyondSeconds": 3600, "longestBeyondSeconds": 3600},
                "criticalLow": {"limit": 0, "beyondSeconds": 0, "longestBeyondSeconds": 0},
                "low": {"limit": 1, "beyondSeconds": 0, "longestBeyondSeconds": 0},
            },
        });
        assert_eq!(
            sentence(&report),
            "40 readings from 2026-11-21 08:00 to 2026-11-21 15:48 UTC; 186 km; 4.6 to 12.2 °C, mean 7.1, mean kinetic \
             temperature 7.9; above 7 °C for 3 h 12 min, 3 h 0 min on end; above 10 °C for 60 min, 60 min on end; never below 1 °C; no gaps"
        );
        assert_eq!(sentence(&json!({"readings": 0, "gaps": {"count": 2}})), "0 readings; 2 gaps");
    }
}
