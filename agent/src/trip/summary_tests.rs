//! A trip of readings that summarise what was measured between them is the trip of all the measurements.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ZERO_S: i64 = 1_790_000_000;

fn time(second: i64) -> String {
    rfc3339(DateTime::from_timestamp(ZERO_S + second, 0).unwrap())
}

fn trip() -> Trip {
    let limits = Limits { low: Some(1.0), high: Some(7.0), ..Limits::default() };
    let bounds = BTreeMap::from([("temperature".to_owned(), limits)]);
    Trip::new(Terms { gap_after: 900, bounds, ..Terms::default() })
}

fn body(second: i64, value: f64, since: &[f64]) -> String {
    let mut body = json!({"time": time(second), "temperature": value, "seq": 1});
    if since.len() > 1 {
        let mean = since.iter().sum::<f64>() / since.len() as f64;
        body["temperatureMin"] = since.iter().copied().fold(f64::MAX, f64::min).into();
        body["temperatureMax"] = since.iter().copied().fold(f64::MIN, f64::max).into();
        body["temperatureMean"] = ((mean * 100.0).round() / 100.0).into();
        body["period"] = (since.len() * 60).into();
    }
    body.to_string()
}

#[test]
fn an_hour_between_readings_is_no_gap_and_a_peak_in_it_counts() {
    let mut trip = trip();
    trip.feed(&body(0, 4.0, &[]));
    let hour: Vec<f64> = (0..60).map(|minute| if minute == 30 { 9.0 } else { 4.0 }).collect();
    trip.feed(&body(3600, 4.0, &hour));
    trip.feed(&body(7200, 4.0, &[4.0; 60]));
    let report = Value::from(trip.report());
    assert_eq!((&report["gaps"]["count"], &report["readings"]), (&json!(0), &json!(3)));
    let temperature = &report["temperature"];
    assert_eq!(temperature["max"], json!({"value": 9.0, "time": time(3600)}));
    assert_eq!((&temperature["mean"], &temperature["seconds"]), (&json!(4.04), &json!(7200)));
    let high = &temperature["high"];
    assert_eq!((&high["beyondSeconds"], &high["partlyBeyondSeconds"]), (&json!(0), &json!(3600)));
    assert_eq!(high["longestWithinSeconds"], 3600);
    assert!(temperature["low"].get("partlyBeyondSeconds").is_none());
    // What is kept over a restart knows of it.
    let kept: Trip = serde_json::from_value(serde_json::to_value(&trip).unwrap()).unwrap();
    assert_eq!(kept.report()["temperature"]["high"], *high);
}

#[test]
fn what_was_not_measured_is_a_gap_or_unknown() {
    let mut trip = trip();
    trip.feed(&body(0, 4.0, &[]));
    // A day without power, then half an hour of measuring.
    trip.feed(&body(86_400, 4.0, &[4.0; 30]));
    // An hour of measuring in which the sensor gave nothing: held over from the last reading it would be made up.
    trip.feed(&json!({"time": time(90_000), "period": 3600, "seq": 1}).to_string());
    trip.feed(&body(93_600, 4.0, &[4.0; 60]));
    let report = Value::from(trip.report());
    assert_eq!((&report["gaps"]["count"], &report["gaps"]["totalSeconds"]), (&json!(1), &json!(86_400)));
    assert_eq!(report["temperature"]["seconds"], 3600);
}

proptest! {
    #[test]
    fn it_says_what_a_trip_of_all_measurements_says(
        steps in proptest::collection::vec((-80..80_i32, proptest::bool::weighted(0.1)), 2..400),
    ) {
        let (mut all, mut some) = (trip(), trip());
        let (mut value, mut since, mut reports) = (4.0_f64, Vec::new(), 0_i64);
        for (minute, (step, is_reported)) in (0_i64..).zip(&steps) {
            value = ((value * 0.9 + 0.4) * 100.0 + f64::from(*step)).round() / 100.0;
            since.push(value);
            all.feed(&body(minute * 60, value, &[]));
            if *is_reported || minute == 0 || minute as usize + 1 == steps.len() {
                some.feed(&body(minute * 60, value, &since));
                since.clear();
                reports += 1;
            }
        }
        let (all, some) = (Value::from(all.report()), Value::from(some.report()));
        let of = |report: &Value, path: &str| report.pointer(&format!("/temperature/{path}")).and_then(Value::as_f64);
        for path in ["min/value", "max/value", "seconds"] {
            prop_assert_eq!(of(&all, path), of(&some, path), "{}", path);
        }
        prop_assert_eq!(&all["gaps"], &some["gaps"]);
        // A measurement stands until the next, a summary since the last reading: they differ by one measurement a reading.
        let slack = 60.0 * reports as f64;
        let (spread, seconds) = (of(&all, "max/value").unwrap() - of(&all, "min/value").unwrap(), of(&all, "seconds").unwrap());
        let apart = (of(&all, "mean").unwrap() - of(&some, "mean").unwrap()).abs();
        prop_assert!(apart <= 0.02 + spread * slack / seconds, "the means are {apart} apart");
        for side in ["low", "high"] {
            let beyond = of(&all, &format!("{side}/beyondSeconds")).unwrap();
            let surely = of(&some, &format!("{side}/beyondSeconds")).unwrap();
            let partly = of(&some, &format!("{side}/partlyBeyondSeconds")).unwrap_or(0.0);
            prop_assert!((surely - slack..=surely + partly + slack).contains(&beyond), "{side}: {beyond} of {surely} and {partly}");
        }
    }
}
