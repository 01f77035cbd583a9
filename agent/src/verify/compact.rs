//! Reads what `uplink/compact.rs` writes: columns of differences, as the readings that they are.

use chrono::DateTime;
use serde_json::{Map, Value};

/// The readings of a compact body, each as it would be alone; `None` where it is none, or of another version.
pub fn readings(body: &Value) -> Option<Vec<Value>> {
    if body.get("compact")?.as_u64()? != 1 {
        return None;
    }
    let count = usize::try_from(body.get("count")?.as_u64()?).ok()?;
    let section = |name: &str| body.get(name).and_then(Value::as_object);
    let mut readings = vec![Map::new(); count];
    for (name, value) in section("same")? {
        for reading in &mut readings {
            put(reading, name, value.clone());
        }
    }
    for (name, column) in section("others")? {
        for (reading, value) in readings.iter_mut().zip(column.as_array()?) {
            put(reading, name, value.clone());
        }
    }
    for (name, column) in section("numbers")? {
        let (decimals, differences) = column.as_array()?.split_first()?;
        let decimals = i32::try_from(decimals.as_i64()?).ok()?;
        let mut last = 0;
        for (reading, difference) in readings.iter_mut().zip(differences) {
            if let Some(difference) = difference.as_i64() {
                last += difference;
                let value: Value =
                    if decimals == 0 { last.into() } else { (last as f64 / 10_f64.powi(decimals)).into() };
                put(reading, name, value);
            }
        }
    }
    Some(readings.into_iter().map(Value::Object).collect())
}

/// `location.lat` is the member `lat` of `location`; the time is counted in milliseconds; a null is nothing.
fn put(reading: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        return;
    }
    let value = match (name, value.as_i64().and_then(DateTime::from_timestamp_millis)) {
        ("time", Some(time)) => time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into(),
        _ => value,
    };
    match name.split_once('.') {
        Some((object, member)) => {
            let object = reading.entry(object).or_insert_with(|| Value::Object(Map::new()));
            if let Some(object) = object.as_object_mut() {
                object.insert(member.into(), value);
            }
        }
        None => {
            reading.insert(name.into(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::DeliveryMode;
    use crate::journal::{Entry, Lease};
    use crate::uplink::delivery::{Message, messages};

    /// Readings in which anything may be missing, or be noise.
    fn entry() -> impl Strategy<Value = Entry> {
        let numbers = (any::<Option<i16>>(), -1e6..1e6_f64, -180.0..180.0_f64, 0..3_u8);
        (numbers, any::<u32>(), any::<bool>()).prop_map(|((hundredths, noise, lon, kind), n, timed)| {
            let mut fields =
                json!({"fix": "gps", "satellites": n % 24, "door": n % 2 == 0, "openings": [n % 3]});
            if let Some(hundredths) = hundredths {
                fields["temperature"] = (f64::from(hundredths) / 100.0).into();
            }
            match kind {
                0 => fields["location"] = json!({"lat": 52.1, "lon": (lon * 1e7).round() / 1e7}),
                // More digits than any sensor has, and no more than a JSON parser keeps.
                1 => fields["speed"] = ((noise * 1e8).round() / 1e8).into(),
                _ => fields["location"] = json!({}),
            }
            Entry {
                seq: 0,
                start: 7,
                time: timed
                    .then(|| DateTime::from_timestamp_millis(1_780_000_000_000 + i64::from(n)).unwrap()),
                uptime_s: f64::from(n) / 1000.0,
                fields: fields.to_string(),
                alerts: Vec::new(),
                chain: None,
                event: None,
            }
        })
    }

    fn all_readings(messages: &[Message]) -> Vec<Value> {
        let read = |message: &Message| {
            let mut body = message.publish.payload.clone();
            if message.publish.topic.contains("ce=gzip") {
                body.clear();
                GzDecoder::new(message.publish.payload.as_slice()).read_to_end(&mut body).unwrap();
            }
            match serde_json::from_slice(&body).unwrap() {
                Value::Array(readings) => readings,
                other => readings(&other).unwrap_or_else(|| vec![other]),
            }
        };
        messages.iter().flat_map(read).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn columns_say_exactly_what_readings_say(
            entries in prop::collection::vec(entry(), 0..300), gzip: bool,
        ) {
            let mut backlog = entries;
            for (entry, seq) in backlog.iter_mut().zip(28_000_000_000_u64..) {
                entry.seq = seq;
            }
            let sent = |compact| {
                let lease = Lease { newest: None, backlog: backlog.clone() };
                messages(lease, "d", DeliveryMode { batch_backlog: true, gzip, compact, full_properties: false })
            };
            let compact = sent(true);
            prop_assert_eq!(all_readings(&compact), all_readings(&sent(false)));
            let seqs: Vec<u64> = compact.iter().flat_map(|message| message.seqs.clone()).collect();
            prop_assert_eq!(seqs, backlog.iter().map(|entry| entry.seq).collect::<Vec<_>>());
            for message in &compact {
                let properties = message.publish.topic.split_once("events/").unwrap().1;
                prop_assert!(properties.len() + message.publish.payload.len() <= 4096);
            }
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let document = include_str!("../../../docs/azure.md");
        let example = document.split("```json\n{\"compact\"").nth(1).unwrap();
        let example = format!("{{\"compact\"{}", example.split("```").next().unwrap());
        let readings = readings(&serde_json::from_str(&example).unwrap()).unwrap();
        let expected = json!([
            {"temperature": 4.8, "fix": "gps", "location": {"lat": 51.95}, "time": "2026-11-21T09:47:01.000Z", "seq": 70},
            {"temperature": 4.7, "fix": "gps", "location": {"lat": 51.951}, "time": "2026-11-21T09:48:01.000Z", "seq": 71},
            {"fix": "gps", "location": {"lat": 51.9511}, "time": "2026-11-21T09:49:01.000Z", "seq": 72},
        ]);
        assert_eq!(json!(readings), expected);
        assert_eq!(super::readings(&json!({"compact": 2, "count": 0})), None);
        assert_eq!(super::readings(&json!({"temperature": 4.0})), None);
    }
}
