//! What there is of a device in some span of time, in buckets of some width: out of what was rolled up, where that is fine enough,
//! and out of readings.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::bucket::{Bucket, spread};
use super::key::{Device, key};
use super::rollup::{self, Level};
use super::segment;
use crate::telemetry::{Field, Reading};

/// No reading says what was measured longer before.
pub(super) const LONGEST_PERIOD: i64 = 172_800_000;

/// A device, as the file knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) device: Device,
    pub(super) fields: i64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
    /// Readings before are gone.
    pub(super) raw_since: i64,
}

/// The device of this name, if anything was kept of it.
pub(super) fn known(connection: &Connection, name: &str) -> rusqlite::Result<Option<Known>> {
    let select = "SELECT id, fields, first, last, raw_since FROM device WHERE name = ?1";
    connection.prepare_cached(select)?.query_row([name], known_of).optional()
}

/// All devices by their names.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<(String, Known)>> {
    let select = "SELECT id, fields, first, last, raw_since, name FROM device ORDER BY name";
    connection.prepare_cached(select)?.query_map([], |row| Ok((row.get(5)?, known_of(row)?)))?.collect()
}

fn known_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Known> {
    let device = Device(row.get(0)?);
    Ok(Known { device, fields: row.get(1)?, first: row.get(2)?, last: row.get(3)?, raw_since: row.get(4)? })
}

/// Which segments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All.
    All,
    /// Those that this level does not have.
    NotIn(Level),
}

/// Calls `take` with the readings of `from <= time < to`, in their order, and with those after whose period reaches into it.
pub(super) fn for_each_reading(
    connection: &Connection,
    device: Device,
    (from, to): (i64, i64),
    which: Which,
    wanted: impl Fn(Field) -> bool + Copy,
    mut take: impl FnMut(&Reading),
) -> rusqlite::Result<()> {
    let begins = begin_of_segment_at(connection, device, from)?;
    // By the index of what was not rolled up, or along the table.
    let not_in = match which {
        Which::All => "",
        Which::NotIn(Level::Fine) => "AND rolled IN (0, 1)",
        Which::NotIn(Level::Coarse) => "AND rolled = 0",
    };
    let select = format!(
        "SELECT data FROM segment WHERE id BETWEEN ?1 AND ?2 AND end >= ?3 AND (id < ?4 OR covers < ?5) {not_in} ORDER BY id"
    );
    let mut query = connection.prepare_cached(&select)?;
    let end = key(device, to.saturating_add(LONGEST_PERIOD));
    let mut rows = query.query([begins, end, from, key(device, to), to])?;
    while let Some(row) = rows.next()? {
        let readings =
            segment::read(row.get_ref(0)?.as_blob()?, |field| field == Field::Period || wanted(field));
        for reading in readings.iter().flatten() {
            let begin = reading.time - reading.period().unwrap_or(0);
            if reading.time >= from && (reading.time < to || begin < to) {
                take(reading);
            }
        }
    }
    Ok(())
}

/// The key of the segment in which this time lies, or the first key that could be one.
pub(super) fn begin_of_segment_at(
    connection: &Connection,
    device: Device,
    time: i64,
) -> rusqlite::Result<i64> {
    let select = "SELECT id FROM segment WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
    let range = [key(device, 0), key(device, time)];
    Ok(connection.prepare_cached(select)?.query_row(range, |row| row.get(0)).optional()?.unwrap_or(range[0]))
}

/// How many readings there may be of `from <= time < to`; no fewer than there are.
pub(super) fn count(connection: &Connection, device: Device, from: i64, to: i64) -> rusqlite::Result<usize> {
    let begins = begin_of_segment_at(connection, device, from)?;
    let select = "SELECT ifnull(sum(count), 0) FROM segment WHERE id BETWEEN ?1 AND ?2 AND end >= ?3";
    connection.prepare_cached(select)?.query_row([begins, key(device, to), from], |row| row.get(0))
}

/// What there is of `from <= time < to`, in buckets of `step` milliseconds by their numbers. A bucket that begins before, or ends
/// after, is whole.
pub(super) fn buckets(
    connection: &Connection,
    known: &Known,
    (from, to): (i64, i64),
    step: i64,
    wanted: impl Fn(Field) -> bool + Copy,
) -> rusqlite::Result<BTreeMap<i64, Bucket>> {
    let numbers = from.div_euclid(step)..(to - 1).div_euclid(step) + 1;
    let (from, to) = (numbers.start * step, numbers.end * step);
    let mut all = BTreeMap::new();
    let read = |(from, to): (i64, i64), which: Which, all: &mut BTreeMap<i64, Bucket>| {
        for_each_reading(connection, known.device, (from, to), which, wanted, |reading| {
            spread(reading, step, &numbers, all);
        })
    };
    let roll = |level: Level, (from, to): (i64, i64), all: &mut BTreeMap<i64, Bucket>| {
        for (number, bucket) in rollup::between(connection, known.device, level, from, to)? {
            let middle = number * level.width() + level.width() / 2;
            // Of those that are wider than a step, some may reach out of the span.
            let number = middle.div_euclid(step).clamp(numbers.start, numbers.end - 1);
            all.entry(number).or_default().merge(&bucket);
        }
        Ok::<_, rusqlite::Error>(())
    };
    let level = [Level::Coarse, Level::Fine].into_iter().find(|level| step % level.width() == 0);
    // Readings that are gone are left in buckets alone.
    let gone = (from, to.min(known.raw_since));
    match level {
        Some(level) => {
            roll(level, (from, to), &mut all)?;
            read((from, to), Which::NotIn(level), &mut all)?;
        }
        None => {
            if gone.0 < gone.1 {
                roll(Level::Fine, gone, &mut all)?;
                read(gone, Which::NotIn(Level::Fine), &mut all)?;
            }
            read((from.max(known.raw_since), to), Which::All, &mut all)?;
        }
    }
    if level != Some(Level::Coarse) && gone.0 < gone.1 {
        fill(connection, known.device, gone, step, &mut all)?;
    }
    Ok(all)
}

/// Where nothing finer is left, the coarse buckets are.
fn fill(
    connection: &Connection,
    device: Device,
    (from, to): (i64, i64),
    step: i64,
    all: &mut BTreeMap<i64, Bucket>,
) -> rusqlite::Result<()> {
    let width = Level::Coarse.width();
    let coarse = rollup::between(connection, device, Level::Coarse, from, to)?;
    let is_empty = |number: i64| {
        let (begin, end) = (number * width, (number + 1) * width);
        all.range(begin.div_euclid(step)..=(end - 1).div_euclid(step)).next().is_none()
    };
    let missing: Vec<_> = coarse.into_iter().filter(|(number, _)| is_empty(*number)).collect();
    for (number, bucket) in missing {
        let middle = (number * width + width / 2).clamp(from, to - 1);
        all.entry(middle.div_euclid(step)).or_default().merge(&bucket);
    }
    Ok(())
}

/// How devices did, as the fleet has written it.
pub(super) fn states(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let select = "SELECT name, state FROM device WHERE state IS NOT NULL";
    connection.prepare_cached(select)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The first segment whose key is this one or a later one: its readings, and the key to go on with. What can't be read is empty.
pub(super) fn segment_after(
    connection: &Connection,
    device: Device,
    first: i64,
) -> rusqlite::Result<Option<(i64, Vec<Reading>)>> {
    let select = "SELECT id, data FROM segment WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1";
    let of = |row: &rusqlite::Row<'_>| {
        let readings = segment::read(row.get_ref(1)?.as_blob()?, |_| true).unwrap_or_default();
        Ok((row.get::<_, i64>(0)? + 1, readings))
    };
    connection.prepare_cached(select)?.query_row([first, key(device, i64::MAX)], of).optional()
}
