//! What a device says: topic and body, of nothing but the plan and numbers.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use tracker_protocol::Publish;
use tracker_protocol::hub::json_telemetry;

use super::plan::{Plan, draw};

/// The time of the first reading: data of today would be others tomorrow.
const EPOCH_S: i64 = 1_767_225_600;

/// The message of this number. `run` makes its ID one of this attempt: what an attempt before has sent is no duplicate.
pub(super) fn message(plan: &Plan, number: u32, device_id: &str, run: &str, message: u32) -> Publish {
    let id = format!("{run}-{message}");
    let regular = plan.messages(number);
    if message >= regular {
        let topic = json_telemetry(device_id, "utf-8", &[("$.mid", &id), ("alarm", "temperature")]);
        return Publish { topic, payload: alarm(plan, number, message - regular).into_bytes() };
    }
    let topic = json_telemetry(device_id, "utf-8", &[("$.mid", &id)]);
    Publish { topic, payload: body(plan, number, message).into_bytes() }
}

/// The body of a message with readings: an object, or several in an array.
pub(super) fn body(plan: &Plan, number: u32, message: u32) -> String {
    let cargo = plan.cargo(number, message);
    let readings: Vec<_> =
        (cargo.first..cargo.first.saturating_add(cargo.readings)).map(|n| reading(plan, number, n)).collect();
    match readings.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(",")),
    }
}

fn reading(plan: &Plan, number: u32, n: u32) -> String {
    let device = draw(plan.seed, number, 16);
    let noise = draw(plan.seed ^ 0x5bd1_e995, number, 17 + u64::from(n));
    // In steps of integers, which no machine rounds otherwise.
    let part = |shift: u32, most: u64| ((noise >> shift) % (most + 1)) as i64;
    let temperature = (device % 1500) as i64 - 200 + part(0, 40);
    let humidity = 6000 + ((device >> 16) % 2500) as i64 + part(8, 100);
    let pressure = 99_000 + ((device >> 24) % 3000) as i64 + part(16, 60);
    let latitude = ((device >> 32) % 1_200_000) as i64 - 600_000 + i64::from(n % 5000) * 10;
    let longitude = ((device >> 40) % 3_600_000) as i64 - 1_800_000;
    let longitude = (longitude + 1_800_000 + i64::from(n % 90_000) * 40).rem_euclid(3_600_000) - 1_800_000;
    let mut text = format!("{{\"seq\":{n},\"time\":\"{}\"", time(plan, n).format("%Y-%m-%dT%H:%M:%S%.3fZ"));
    for (name, value, scale) in
        [("temperature", temperature, 100), ("humidity", humidity, 100), ("pressure", pressure, 100)]
    {
        // Memory does not refuse.
        let _ = write!(text, ",\"{name}\":{}", decimal(value, scale, 2));
    }
    let _ = write!(
        text,
        ",\"location\":{{\"lat\":{},\"lon\":{}}},\"speed\":{},\"course\":{},\"fix\":\"gps\"}}",
        decimal(latitude, 10_000, 4),
        decimal(longitude, 10_000, 4),
        decimal(part(24, 4000), 100, 2),
        decimal(part(36, 3599), 10, 1)
    );
    text
}

fn alarm(plan: &Plan, number: u32, n: u32) -> String {
    let noise = draw(plan.seed, number, 1 << 40 | u64::from(n));
    let value = decimal(3000 + (noise % 1000) as i64, 100, 2);
    format!("{{\"alarm\":\"temperature\",\"state\":\"raised\",\"n\":{n},\"value\":{value}}}")
}

fn time(plan: &Plan, n: u32) -> DateTime<Utc> {
    let after = plan.interval.as_millis().saturating_mul(u128::from(n));
    let after = TimeDelta::try_milliseconds(i64::try_from(after).unwrap_or(0)).unwrap_or_default();
    let begin = DateTime::from_timestamp(EPOCH_S, 0).unwrap_or(DateTime::UNIX_EPOCH);
    begin.checked_add_signed(after).unwrap_or(begin)
}

/// A number with so many decimals, of an integer.
fn decimal(value: i64, scale: i64, digits: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let value = value.abs();
    format!("{sign}{}.{:0digits$}", value / scale, value % scale)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::plan::Profile;
    use super::super::shard::Shard;
    use super::*;

    /// Everything that a part of the fleet says.
    fn said(plan: &Plan, devices: u32, shard: Shard) -> Vec<(String, Vec<String>)> {
        let numbers = shard.span(devices).numbers();
        let of = |number| (0..plan.messages(number)).map(|message| body(plan, number, message)).collect();
        numbers.map(|number| (plan.name(number), of(number))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_fleet_is_the_same_however_it_is_sharded(
            seed: u64, devices in 0u32..60, of in 1u32..9, slots in 1u32..20, voyage: bool,
        ) {
            let profile = if voyage { Profile::Voyage } else { Profile::Steady };
            let interval = Duration::from_mins(1);
            let plan = Plan::new(seed, "load-".into(), profile, interval, interval * slots);
            let whole = said(&plan, devices, Shard::WHOLE);
            prop_assert_eq!(whole.len(), devices as usize);
            let parts: Vec<_> =
                (1..=of).flat_map(|index| said(&plan, devices, Shard { index, of })).collect();
            prop_assert_eq!(&whole, &parts);
            for text in whole.iter().flat_map(|(_, bodies)| bodies) {
                let body: Value = serde_json::from_str(text).unwrap();
                let first = body.get(0).unwrap_or(&body);
                let latitude = first["location"]["lat"].as_f64().unwrap();
                let longitude = first["location"]["lon"].as_f64().unwrap();
                prop_assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{}", first);
                prop_assert!(text.len() < 4096);
            }
        }
    }

    #[test]
    fn another_seed_is_another_fleet_of_the_same_names() {
        let plan = |seed| {
            Plan::new(seed, "load-".into(), Profile::Steady, Duration::from_mins(1), Duration::from_mins(1))
        };
        let (one, other) = (said(&plan(1), 3, Shard::WHOLE), said(&plan(2), 3, Shard::WHOLE));
        assert!(one[0].0 == other[0].0 && one[0].0 == "load-0000000" && one[0].1 != other[0].1);
    }
}
