//! A trip is held against a slow plain computation that keeps every reading.

use proptest::prelude::*;
use serde_json::json;

use super::route::distance_m;
use super::*;

const HOUR: i64 = 3_600_000;

/// A bound, and what is beyond it.
type Beyond = (&'static str, fn(f64) -> bool);

#[derive(Debug, Clone)]
struct Plain {
    utc: Option<i64>,
    uptime: i64,
    temperature: Option<f64>,
    humidity: Option<f64>,
    lat: Option<f64>,
    openings: Option<u64>,
}

impl Plain {
    fn body(&self) -> String {
        let mut body = json!({"seq": 1, "fix": "gps"});
        let mut put = |name: &str, value: Value| body[name] = value;
        match self.utc {
            Some(ms) => put("time", rfc3339(DateTime::from_timestamp_millis(ms).unwrap()).into()),
            None => {
                put("timeUnknown", true.into());
                put("uptime", (self.uptime as f64 / 1000.0).into());
            }
        }
        self.temperature.into_iter().for_each(|value| put("temperature", value.into()));
        self.humidity.into_iter().for_each(|value| put("humidity", value.into()));
        self.lat.into_iter().for_each(|value| put("location", json!({"lat": value, "lon": 4.5, "alt": 1.0})));
        self.openings.into_iter().for_each(|value| put("doorOpenings", value.into()));
        body.to_string()
    }
}

/// What stands between two readings: how long, and from when.
fn spans(all: &[Plain], gap_after: i64) -> (Vec<Option<(i64, i64)>>, [i64; 4]) {
    let (mut now, mut absolute) = (0, false);
    let (mut spans, mut gaps) = (Vec::new(), [0; 4]);
    for (index, reading) in all.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &all[index]);
        let from = now;
        let span = before.and_then(|before| match (before.utc, reading.utc) {
            (Some(a), Some(b)) => (b >= a).then(|| b - a),
            (None, None) => (reading.uptime >= before.uptime).then(|| reading.uptime - before.uptime),
            _ => None,
        });
        now = reading.utc.unwrap_or(now + span.unwrap_or(0));
        if let Some(before) = before {
            let gap = match span {
                Some(span) if span <= gap_after => None,
                Some(span) => Some(Some(span)),
                None if before.utc.is_none() && reading.utc.is_some() && absolute && now >= from => {
                    Some(Some(now - from))
                }
                None => Some(None),
            };
            if let Some(length) = gap {
                gaps[0] += 1;
                gaps[1] = gaps[1].max(length.unwrap_or(0));
                gaps[2] += length.unwrap_or(0);
                gaps[3] += i64::from(length.is_none());
            }
            spans.push(if gap.is_none() { span.map(|span| (from, span)) } else { None });
        }
        absolute |= reading.utc.is_some();
    }
    (spans, gaps)
}

fn mkt(pieces: &[(f64, i64)]) -> Option<f64> {
    let weight: i64 = pieces.iter().map(|(_, ms)| ms).sum();
    let mean = pieces.iter().map(|(t, ms)| *ms as f64 * (-10_000.0 / (t + 273.15)).exp()).sum::<f64>()
        / weight as f64;
    (weight > 0).then(|| 10_000.0 / -mean.ln() - 273.15)
}

/// The worst window of so many hours, hour by hour.
fn worst(pieces: &[(f64, i64, i64)], length: i64) -> Option<f64> {
    let mut by_hour: Vec<(i64, f64, i64)> = Vec::new();
    let mut highest = i64::MIN;
    for (t, from, ms) in pieces {
        let mut at = *from;
        while at < from + ms {
            let until = (from + ms).min((at.div_euclid(HOUR) + 1) * HOUR);
            highest = highest.max(at.div_euclid(HOUR));
            by_hour.push((highest, *t, until - at));
            at = until;
        }
    }
    let (first, last) = (by_hour.first()?.0, by_hour.last()?.0);
    let windows = (first..=last + 1 - length).filter_map(|begin| {
        let within = by_hour.iter().filter(|(hour, ..)| (begin..begin + length).contains(hour));
        // A window ends with an hour of which something is known.
        by_hour.iter().any(|(hour, ..)| *hour == begin + length - 1).then_some(())?;
        mkt(&within.map(|(_, t, ms)| (*t, *ms)).collect::<Vec<_>>())
    });
    let all: Vec<(f64, i64)> = by_hour.iter().map(|(_, t, ms)| (*t, *ms)).collect();
    windows
        .fold(None, |worst: Option<f64>, here| Some(worst.map_or(here, |worst| worst.max(here))))
        .or(mkt(&all))
}

/// Total, longest beyond, longest within.
fn beyond(held: &[Option<(f64, i64)>], is_beyond: impl Fn(f64) -> bool) -> [i64; 3] {
    let (mut total, mut longest) = (0, [0; 2]);
    let mut run = [0; 2];
    for held in held {
        let side = held.map(|(value, _)| usize::from(!is_beyond(value)));
        for (index, run) in run.iter_mut().enumerate() {
            *run = if side == Some(index) { *run + held.map_or(0, |(_, ms)| ms) } else { 0 };
            longest[index] = longest[index].max(*run);
        }
        total += held.filter(|_| side == Some(0)).map_or(0, |(_, ms)| ms);
    }
    [total, longest[0], longest[1]]
}

fn close(found: &Value, expected: Option<f64>) -> bool {
    match expected {
        None => found.is_null(),
        Some(expected) => found.as_f64().is_some_and(|found| (found - expected).abs() <= 0.0051),
    }
}

fn close_s(found: &Value, ms: i64) -> bool {
    found.as_i64().is_some_and(|found| (found * 1000 - ms).abs() <= 500)
}

fn readings() -> impl Strategy<Value = Vec<Plain>> {
    // Most steps are short; some are days, boots, and clocks that are put back.
    let step =
        prop_oneof![12 => 1_000..1_200_000_i64, 2 => 0..30_000_000_i64, 1 => 80_000_000..400_000_000_i64];
    let one = (step, 0..24_u8, -30.0..40.0_f64, 0.0..100.0_f64, any::<u8>(), -60.0..60.0_f64);
    prop::collection::vec(one, 0..160).prop_map(|steps| {
        let (mut utc, mut uptime, mut known, mut openings) = (1_780_000_000_000_i64, 10_000, true, 0);
        let step = |(step, kind, t, h, bits, lat): (i64, u8, f64, f64, u8, f64)| {
            (utc, uptime) = (utc + step, uptime + step);
            match kind {
                // A boot, after which the time may not be known.
                0 => (uptime, known, openings) = (5_000, bits & 1 == 0, 0),
                1 => utc -= 2 * step.min(10_000),
                2 => openings += 1,
                _ => {}
            }
            let round = |value: f64| (value * 100.0).round() / 100.0;
            Plain {
                utc: known.then_some(utc),
                uptime,
                temperature: (bits & 0x1e != 0).then(|| round(t)),
                humidity: (bits & 0x60 != 0).then(|| round(h)),
                lat: (bits & 0x80 != 0).then(|| round(if bits & 1 == 0 { lat } else { lat / 1000.0 })),
                openings: (bits & 6 != 0).then_some(openings),
            }
        };
        steps.into_iter().map(step).collect()
    })
}

fn terms() -> Terms {
    let limits = [("temperature", Some(2.0), Some(8.0)), ("humidity", None, Some(70.0))];
    let bounds = limits.map(|(name, low, high)| (name.to_owned(), Limits { low, high, ..Limits::default() }));
    Terms { gap_after: 900, bounds: bounds.into(), ..Terms::default() }
}

/// As it is after a reboot.
fn stored(trip: &Trip) -> Trip {
    let mut again: Trip = serde_json::from_str(&serde_json::to_string(trip).unwrap()).unwrap();
    again.set_hours(Hours::from_bytes(&trip.hours().to_bytes()));
    again
}

fn check(all: &[Plain], report: &Value) {
    let (spans, gaps) = spans(all, 900_000);
    assert_eq!(report["readings"], all.len());
    assert_eq!(report["gaps"]["count"], gaps[0]);
    assert!(
        close_s(&report["gaps"]["longestSeconds"], gaps[1])
            && close_s(&report["gaps"]["totalSeconds"], gaps[2])
    );
    assert_eq!(report["gaps"]["ofUnknownLength"], gaps[3]);
    for name in ["temperature", "humidity"] {
        let value =
            |reading: &Plain| if name == "temperature" { reading.temperature } else { reading.humidity };
        let field = &report[name];
        let values: Vec<f64> = all.iter().filter_map(value).collect();
        assert!(close(&field["min"]["value"], values.iter().copied().reduce(f64::min)), "{field}");
        assert!(close(&field["max"]["value"], values.iter().copied().reduce(f64::max)), "{field}");
        let pieces: Vec<Option<(f64, i64, i64)>> = all
            .iter()
            .zip(&spans)
            .map(|(reading, span)| Some((value(reading)?, span.as_ref()?.0, span.as_ref()?.1)))
            .collect();
        let known: Vec<(f64, i64, i64)> = pieces.iter().flatten().copied().collect();
        let weight: i64 = known.iter().map(|(.., ms)| ms).sum();
        let sum: f64 = known.iter().map(|(v, _, ms)| v * *ms as f64).sum();
        assert!(close(&field["mean"], (weight > 0).then(|| sum / weight as f64)), "{field}");
        let held: Vec<Option<(f64, i64)>> =
            pieces.iter().map(|piece| piece.map(|(v, _, ms)| (v, ms))).collect();
        let bounds: &[Beyond] = if name == "temperature" {
            &[("low", |v| v < 2.0), ("high", |v| v > 8.0)]
        } else {
            &[("high", |v| v > 70.0)]
        };
        for (side, is_beyond) in bounds {
            let [total, longest, within] = beyond(&held, is_beyond);
            let bound = &field[*side];
            assert!(close_s(&bound["beyondSeconds"], total), "{bound} {total}");
            assert!(close_s(&bound["longestBeyondSeconds"], longest), "{bound} {longest}");
            assert!(close_s(&bound["longestWithinSeconds"], within), "{bound} {within}");
        }
        if name == "temperature" && !values.is_empty() {
            let all: Vec<(f64, i64)> = known.iter().map(|(t, _, ms)| (*t, *ms)).collect();
            assert!(close(&field["mkt"], mkt(&all)), "{field} {:?}", mkt(&all));
            for (window, length) in [("mkt24h", 24), ("mkt30d", 720)] {
                let expected = worst(&known, length);
                let found = field[window].get("value").unwrap_or(&Value::Null);
                assert!(close(found, expected), "{window} {found} {expected:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn a_trip_equals_the_plain_computation(all in readings(), stops in prop::collection::vec(0..160_usize, 0..5)) {
        let mut trip = Trip::new(terms());
        for (index, reading) in all.iter().enumerate() {
            if stops.contains(&index) {
                trip = stored(&trip);
            }
            trip.feed(&reading.body());
        }
        let report = Value::Object(trip.report());
        check(&all, &report);
        // Doors and ways.
        let (mut opened, mut last) = (0, None);
        for openings in all.iter().filter_map(|reading| reading.openings) {
            opened += last.map_or(0, |last: u64| if openings >= last { openings - last } else { openings });
            last = Some(openings);
        }
        prop_assert_eq!(report["doorOpenings"].as_u64(), last.map(|_| opened));
        let (mut metres, mut anchor): (f64, Option<f64>) = (0.0, None);
        for lat in all.iter().filter_map(|reading| reading.lat) {
            let leg = anchor.map_or(0.0, |anchor| (lat - anchor).abs() * 6_371_008.8_f64.to_radians());
            if anchor.is_none() || leg >= 100.0 {
                (metres, anchor) = (metres + leg, Some(lat));
            }
        }
        let km = report["distanceKm"].as_f64();
        prop_assert_eq!(km.is_some(), anchor.is_some());
        prop_assert!(km.is_none_or(|km| (km - metres / 1000.0).abs() <= 0.051), "{:?} {}", km, metres);
    }
}

fn at(hour: i64, temperature: f64) -> String {
    let time = rfc3339(DateTime::from_timestamp(1_780_002_000 + hour * 3600, 0).unwrap());
    json!({"temperature": temperature, "time": time, "seq": hour}).to_string()
}

#[test]
fn the_check_values_of_the_formula() {
    let report = |temperatures: &[f64]| {
        let mut trip = Trip::new(Terms { gap_after: 3600, ..Terms::default() });
        for (hour, temperature) in (0..).zip(temperatures) {
            trip.feed(&at(hour, *temperature));
        }
        Value::Object(trip.report())["temperature"].clone()
    };
    let mut day = vec![5.0; 25];
    let constant = report(&day);
    assert_eq!((&constant["mkt"], &constant["mean"]), (&json!(5.0), &json!(5.0)));
    day[7] = 15.0;
    let once = report(&day);
    assert_eq!(
        (&once["mkt"], &once["mean"], &once["mkt24h"]["value"]),
        (&json!(5.76), &json!(5.42), &json!(5.76))
    );
    // A warm day in a cold month does not vanish in it.
    let mut month = vec![5.0; 40 * 24];
    month[500..524].fill(20.0);
    let report = report(&month);
    assert_eq!(report["mkt24h"]["value"], 20.0);
    assert!(report["mkt"].as_f64() < report["mkt30d"]["value"].as_f64());
}

#[test]
fn one_reading_is_a_trip_and_what_is_none_is_passed_over() {
    let mut trip = Trip::new(terms());
    for nothing in [
        "",
        "{}",
        "[]",
        "{\"temperature\":4.0}",
        "{\"time\":\"yesterday\"}",
        "{\"evidence\":\"start\",\"seq\":1}",
    ] {
        trip.feed(nothing);
    }
    assert_eq!(trip.report()["readings"], 0);
    trip.feed(&at(0, 4.25));
    let report = Value::Object(trip.report());
    let t = &report["temperature"];
    assert_eq!(
        (&report["readings"], &t["min"]["value"], &t["mean"], &t["mkt"]),
        (&json!(1), &json!(4.25), &json!(null), &json!(null))
    );
    assert_eq!(report["distanceKm"], Value::Null);
    assert!(
        distance_m((90.0, 0.0), (90.0, 120.0)) < 1e-6
            && (distance_m((0.0, 179.5), (0.0, -179.5)) - 111_195.0).abs() < 1.0
    );
}

#[test]
fn what_is_kept_is_small_however_long_the_trip_is() {
    let mut trip = Trip::new(Terms { gap_after: 3600, ..terms() });
    for hour in 0..5000 {
        trip.feed(&at(hour, 4.0));
    }
    assert!(serde_json::to_string(&trip).unwrap().len() < 2048);
    assert_eq!(trip.hours().to_bytes().len(), 720 * 20);
}
