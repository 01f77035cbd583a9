//! Several readings as columns of differences: the body of a message where `delivery.compact` is on.
//!
//! Readings of one voyage resemble each other, and an array of objects says the names of all fields with each of them. The
//! schema, version 1, with how to read it, is in `docs/azure.md`; `verify/compact.rs` reads it.
//!
//! ```json
//! {"compact":1,"count":3,"same":{"fix":"gps"},"numbers":{"seq":[0,70,1,1],"temperature":[1,48,-1,null]},"others":{}}
//! ```
//!
//! A column of `numbers` begins with its number of decimals; each value after it is the difference from the one before
//! (the first from 0), times ten to the power of the decimals. What is read is exactly what was measured: a column of
//! which this can't be said is written as it is, in `others`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::journal::Entry;

/// Members that are added to the fields of a reading.
const OWN: [&str; 4] = ["time", "timeUnknown", "uptime", "seq"];
/// Of the schema. A reader must know it.
const VERSION: u8 = 1;
/// Numbers with more decimals than any sensor has are written as they are.
const MOST_DECIMALS: i32 = 9;
/// Whole numbers below this, and their differences, are exact wherever JSON is read.
const LARGEST: f64 = 4_503_599_627_370_496.0;

/// One value for each reading; null where the reading has none.
type Columns = BTreeMap<String, Vec<Value>>;

/// The body that says what these readings say; `None` where one of them has fields that no column can hold.
pub(super) fn body<'a>(entries: impl ExactSizeIterator<Item = &'a Entry>) -> Option<Vec<u8>> {
    let count = entries.len();
    let mut columns = Columns::new();
    for (row, entry) in entries.enumerate() {
        spread(entry, row, &mut columns)?;
    }
    let (mut same, mut numbers, mut others) = (Map::new(), Map::new(), Map::new());
    for (name, mut column) in columns {
        column.resize(count, Value::Null);
        if column.iter().all(|value| *value == column[0]) {
            same.insert(name, column.swap_remove(0));
        } else if let Some(differences) = differences(&column) {
            numbers.insert(name, differences.into());
        } else {
            others.insert(name, column.into());
        }
    }
    let [same, numbers, others] = [same, numbers, others].map(Value::Object);
    let body = format!(
        "{{\"compact\":{VERSION},\"count\":{count},\"same\":{same},\"numbers\":{numbers},\"others\":{others}}}"
    );
    Some(body.into_bytes())
}

/// Puts the values of a reading into their columns.
fn spread(entry: &Entry, row: usize, columns: &mut Columns) -> Option<()> {
    let mut put = |name: String, value: Value| {
        let column = columns.entry(name).or_default();
        column.resize(row, Value::Null);
        column.push(value);
    };
    let fields: Map<String, Value> = serde_json::from_str(&entry.fields).ok()?;
    for (name, value) in fields {
        match value {
            // A null would be read as absent, and a dot as that of a member.
            Value::Null => return None,
            _ if name.contains('.') || OWN.contains(&name.as_str()) => return None,
            Value::Object(members) if is_flat(&members) => {
                members.into_iter().for_each(|(member, value)| put(format!("{name}.{member}"), value));
            }
            value => put(name, value),
        }
    }
    if let Some(time) = entry.time {
        put("time".into(), time.timestamp_millis().into());
    } else {
        put("timeUnknown".into(), true.into());
        put("uptime".into(), ((entry.uptime_s * 1000.0).round() / 1000.0).into());
    }
    put("seq".into(), entry.seq.into());
    Some(())
}

/// Whether the members of an object can be columns of their own.
fn is_flat(members: &Map<String, Value>) -> bool {
    !members.is_empty()
        && members.iter().all(|(name, value)| !name.contains('.') && !value.is_null() && !value.is_object())
}

/// Decimals, then differences; `None` where a value is no number, or would not come back as it was.
fn differences(column: &[Value]) -> Option<Vec<Value>> {
    let decimals = decimals(column)?;
    let mut differences = Vec::with_capacity(column.len() + 1);
    differences.push(decimals.into());
    let mut last = 0;
    for value in column {
        differences.push(if value.is_null() {
            Value::Null
        } else {
            let value = scaled(value.as_f64()?, decimals)?;
            let difference = value - last;
            last = value;
            difference.into()
        });
    }
    Some(differences)
}

/// How many decimals the numbers of a column have at the most; none where they are whole by type, and not by chance.
fn decimals(column: &[Value]) -> Option<i32> {
    let mut present = column.iter().filter(|value| !value.is_null());
    if present.clone().all(|value| value.is_i64() || value.is_u64()) {
        return Some(0);
    }
    present.try_fold(1, |decimals, value| {
        let number = value.as_f64().filter(|_| value.is_f64())?;
        (decimals..=MOST_DECIMALS).find(|decimals| scaled(number, *decimals).is_some())
    })
}

/// A number times ten to the power of `decimals`, if that is whole and, divided, gives the number again.
fn scaled(number: f64, decimals: i32) -> Option<i64> {
    let power = 10_f64.powi(decimals);
    let scaled = (number * power).round();
    // As long as it is that small, it is the same number as an integer.
    (scaled.abs() < LARGEST && scaled / power == number).then_some(scaled as i64)
}
