//! Some readings of one device, on end, as one blob of columns.
//!
//! ```text
//! version (1), number of readings, then columns: its name (a byte), its length, the column
//! ```
//!
//! Only the columns that are asked for are read. Times and sequence numbers are differences of differences: a device that
//! measures by the clock has hardly any. A reading of nine fields takes some 20 bytes so.

use super::columns::{put, put_column, take, take_bytes, take_column};
use crate::telemetry::{Field, Reading};

/// No segment has more readings.
pub(super) const MOST: usize = 256;
/// A blob is meant to stay below this, so that its row lies within a page.
pub(super) const ROOM: usize = 3900;

const VERSION: u64 = 1;
const TIME: u8 = 200;
const SEQ: u8 = 201;
const UNTIMED: u8 = 202;
const PLACE: u8 = 203;
const NAMES: u8 = 204;

/// Writes readings in their order.
pub(super) fn write(readings: &[Reading]) -> Vec<u8> {
    let mut out = Vec::with_capacity(readings.len() * 24 + 32);
    put(&mut out, VERSION);
    put(&mut out, readings.len() as u64);
    let mut column = |name: u8, column: &[Option<i64>]| {
        let mut bytes = Vec::with_capacity(column.len() * 3);
        put_column(&mut bytes, column);
        out.push(name);
        put(&mut out, bytes.len() as u64);
        out.extend(bytes);
    };
    let times: Vec<_> = readings.iter().map(|reading| Some(reading.time)).collect();
    column(TIME, &differences(&times));
    let seqs: Vec<_> = readings.iter().map(|reading| reading.seq.map(|seq| seq as i64)).collect();
    if seqs.iter().any(Option::is_some) {
        column(SEQ, &differences(&seqs));
    }
    if readings.iter().any(|reading| !reading.has_time) {
        column(
            UNTIMED,
            &readings.iter().map(|reading| Some(i64::from(!reading.has_time))).collect::<Vec<_>>(),
        );
    }
    for field in Field::ALL {
        let values: Vec<_> =
            readings.iter().map(|reading| reading.values.kept(field).map(i64::from)).collect();
        if values.iter().any(Option::is_some) {
            column(field as u8, &values);
        }
    }
    let (places, names) = places(readings);
    if !names.is_empty() {
        column(PLACE, &places);
        out.push(NAMES);
        let names = serde_json::to_vec(&names).unwrap_or_default();
        put(&mut out, names.len() as u64);
        out.extend(names);
    }
    out
}

/// The first is itself, the others are what they are more than the one before.
fn differences(column: &[Option<i64>]) -> Vec<Option<i64>> {
    let mut last = 0;
    let difference =
        |value: &Option<i64>| value.map(|value| value.wrapping_sub(std::mem::replace(&mut last, value)));
    column.iter().map(difference).collect()
}

fn sums(mut column: Vec<Option<i64>>) -> Vec<Option<i64>> {
    let mut last = 0_i64;
    for value in column.iter_mut().flatten() {
        last = last.wrapping_add(*value);
        *value = last;
    }
    column
}

/// For each reading the number of its place among the names.
fn places(readings: &[Reading]) -> (Vec<Option<i64>>, Vec<&str>) {
    let mut names: Vec<&str> = Vec::new();
    let mut numbers = Vec::with_capacity(readings.len());
    for reading in readings {
        numbers.push(reading.place.as_deref().map(|name| {
            let known = names.iter().position(|known| *known == name);
            known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }) as i64
        }));
    }
    (numbers, names)
}

/// Reads the fields that are `wanted`, with times and sequence numbers; `None` where the blob is none.
pub(super) fn read(mut bytes: &[u8], wanted: impl Fn(Field) -> bool) -> Option<Vec<Reading>> {
    let bytes = &mut bytes;
    if take(bytes)? != VERSION {
        return None;
    }
    let count = usize::try_from(take(bytes)?).ok().filter(|count| *count <= 2 * MOST)?;
    let mut readings = vec![Reading { has_time: true, ..Reading::default() }; count];
    let mut places = Vec::new();
    while let Some((name, rest)) = bytes.split_first() {
        *bytes = rest;
        let length = usize::try_from(take(bytes)?).ok()?;
        let mut column = take_bytes(bytes, length)?;
        let mut values = || take_column(&mut column, count);
        match *name {
            TIME => readings.iter_mut().zip(sums(values()?)).try_for_each(|(reading, time)| {
                reading.time = time?;
                Some(())
            })?,
            SEQ => {
                for (reading, seq) in readings.iter_mut().zip(sums(values()?)) {
                    reading.seq = seq.map(|seq| seq as u64);
                }
            }
            UNTIMED => {
                for (reading, is) in readings.iter_mut().zip(values()?) {
                    reading.has_time = is != Some(1);
                }
            }
            PLACE => places = values()?,
            NAMES => {
                let names: Vec<String> = serde_json::from_slice(column).ok()?;
                for (reading, number) in readings.iter_mut().zip(&places) {
                    let name = number.and_then(|number| names.get(usize::try_from(number).ok()?));
                    reading.place = name.map(|name| name.as_str().into());
                }
            }
            name => {
                if let Some(field) = Field::ALL.get(usize::from(name)).copied().filter(|field| wanted(*field))
                {
                    put_values(&mut readings, field, &values()?);
                }
            }
        }
    }
    Some(readings)
}

fn put_values(readings: &mut [Reading], field: Field, values: &[Option<i64>]) {
    for (reading, value) in readings.iter_mut().zip(values) {
        reading.values.set(field, value.and_then(|value| i32::try_from(value).ok()));
    }
}

/// The order of readings, and one of each.
pub(super) fn sort(readings: &mut Vec<Reading>) {
    readings.sort_by_key(Reading::key);
    readings.dedup_by_key(|reading| reading.key());
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::Values;

    /// Readings in which anything may be missing.
    pub(in crate::history) fn readings(most: usize) -> impl Strategy<Value = Vec<Reading>> {
        let values = prop::collection::vec(any::<(bool, u16)>(), Field::COUNT);
        let reading = (0..4_000_000_i64, any::<bool>(), any::<Option<u32>>(), values, 0..4_usize).prop_map(
            |(time, has_time, seq, numbers, place)| {
                let mut values = Values::default();
                for (field, (is, number)) in Field::ALL.into_iter().zip(numbers) {
                    values.set(field, is.then_some(i32::from(number)));
                }
                let place = ["yard", "ramp \"1\"", "日"].get(place).map(|name| (*name).into());
                Reading { time: 1_795_000_000_000 + time, has_time, seq: seq.map(u64::from), values, place }
            },
        );
        prop::collection::vec(reading, 0..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn readings_come_back(mut readings in readings(40)) {
            sort(&mut readings);
            let bytes = write(&readings);
            let all = read(&bytes, |_| true);
            prop_assert_eq!(all.as_ref(), Some(&readings));
            let some = read(&bytes, |field| field == Field::Temperature).unwrap();
            for (some, all) in some.iter().zip(&readings) {
                prop_assert_eq!(some.values.kept(Field::Temperature), all.values.kept(Field::Temperature));
                prop_assert_eq!(some.values.kept(Field::Humidity), None);
            }
        }

        #[test]
        fn damage_is_no_trouble(readings in readings(20), at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = write(&readings);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read(&bytes, |_| true);
            let _ = read(&bytes[..at], |_| true);
        }
    }
}
