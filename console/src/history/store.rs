//! Writing: readings into segments, full segments into buckets, devices and what happened to them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, OptionalExtension, params};

use super::key::{Device, key, time_of};
use super::rollup::{self, Level};
use super::segment::{self, MOST, ROOM};
use crate::model::{Severity, StoryEntry};
use crate::telemetry::{Alarm, Field, Reading};

/// Into what a segment was rolled up.
pub(super) mod rolled {
    pub(in crate::history) const NOTHING: i64 = 0;
    pub(in crate::history) const COARSE: i64 = 1;
    pub(in crate::history) const BOTH: i64 = 2;
}

/// What is known of devices without asking the file.
pub(super) type Devices = HashMap<String, Device>;

/// A row of the table `segment`.
struct Segment {
    id: i64,
    end: i64,
    count: usize,
    rolled: i64,
}

/// The number of a device; a new one where it has none.
pub(super) fn device(connection: &Connection, devices: &mut Devices, name: &str) -> rusqlite::Result<Device> {
    if let Some(device) = devices.get(name) {
        return Ok(*device);
    }
    let insert = "INSERT INTO device (name, fields, raw_since) VALUES (?1, 0, 0) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id";
    let device = Device(connection.prepare_cached(insert)?.query_row([name], |row| row.get(0))?);
    devices.insert(name.to_owned(), device);
    Ok(device)
}

/// Puts readings of a device where they belong, each once.
pub(super) fn insert(connection: &Connection, device: Device, readings: &[Reading]) -> rusqlite::Result<()> {
    let mut readings = readings.to_vec();
    segment::sort(&mut readings);
    note_extent(connection, device, &readings)?;
    let mut rest = readings.as_slice();
    while let Some(first) = rest.first() {
        let before = segment_at(connection, device, first.time)?;
        let next = next_after(connection, device, first.time)?;
        let taken =
            rest.partition_point(|reading| next.as_ref().is_none_or(|next| reading.time < time_of(next.id)));
        let (here, later) = rest.split_at(taken.max(1));
        rest = later;
        // What is full and over is not touched; what is not full takes what comes before it, too.
        let before = before.filter(|segment| segment.count < MOST || first.time <= segment.end);
        match before.or(next.filter(|segment| segment.count < MOST)) {
            Some(segment) => merge(connection, device, &segment, here)?,
            None => put(connection, device, None, here.to_vec())?,
        }
    }
    Ok(())
}

/// Adds to a segment what it does not have.
fn merge(
    connection: &Connection,
    device: Device,
    segment: &Segment,
    news: &[Reading],
) -> rusqlite::Result<()> {
    let data: Vec<u8> = connection
        .prepare_cached("SELECT data FROM segment WHERE id = ?1")?
        .query_row([segment.id], |row| row.get(0))?;
    // What can't be read any more makes room.
    let mut readings = segment::read(&data, |_| true).unwrap_or_default();
    let known: std::collections::HashSet<_> = readings.iter().map(Reading::key).collect();
    let news: Vec<Reading> = news.iter().filter(|reading| !known.contains(&reading.key())).cloned().collect();
    if news.is_empty() {
        return Ok(());
    }
    if segment.rolled != rolled::NOTHING {
        roll_up(connection, device, segment.rolled, &news)?;
    }
    readings.extend(news);
    segment::sort(&mut readings);
    put(connection, device, Some(segment), readings)
}

/// Writes readings in the place of a segment; into several where they are too many for one. Those that are full are rolled up.
fn put(
    connection: &Connection,
    device: Device,
    old: Option<&Segment>,
    readings: Vec<Reading>,
) -> rusqlite::Result<()> {
    if let Some(old) = old {
        connection.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([old.id])?;
    }
    let was_rolled = old.map_or(rolled::NOTHING, |old| old.rolled);
    let mut pieces: Vec<Vec<Reading>> = Vec::new();
    let mut rest = readings;
    while !rest.is_empty() {
        // Readings of one moment stay together: a moment is a key.
        let mut end = rest.len().min(MOST);
        while end < rest.len() && rest[end - 1].time == rest[end].time {
            end += 1;
        }
        let later = rest.split_off(end);
        pieces.push(std::mem::replace(&mut rest, later));
    }
    let last = pieces.len().saturating_sub(1);
    for (number, piece) in pieces.into_iter().enumerate() {
        let is_full = piece.len() >= MOST || number < last;
        write(connection, device, was_rolled, is_full, &piece)?;
    }
    Ok(())
}

fn write(
    connection: &Connection,
    device: Device,
    was_rolled: i64,
    is_full: bool,
    readings: &[Reading],
) -> rusqlite::Result<()> {
    let data = segment::write(readings);
    if data.len() > ROOM && readings.len() > 16 {
        // The first part fills its page, as most devices go on at the end.
        let fits = (readings.len() * (ROOM - ROOM / 32) / data.len()).clamp(8, readings.len() - 1);
        // Readings of one moment stay together.
        if let Some(at) = (fits..readings.len()).find(|at| readings[at - 1].time < readings[*at].time) {
            let (first, second) = readings.split_at(at);
            write(connection, device, was_rolled, true, first)?;
            return write(connection, device, was_rolled, false, second);
        }
    }
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else { return Ok(()) };
    let mut rolled = was_rolled;
    if rolled == rolled::NOTHING && is_full {
        rolled = if is_dense(readings) { rolled::BOTH } else { rolled::COARSE };
        roll_up(connection, device, rolled, readings)?;
    }
    let covers = readings
        .iter()
        .map(|reading| reading.time - reading.period().unwrap_or(0))
        .min()
        .unwrap_or(first.time);
    connection
        .prepare_cached("INSERT OR REPLACE INTO segment (id, end, covers, count, rolled, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![key(device, first.time), last.time, covers, readings.len() as i64, rolled, data])?;
    Ok(())
}

/// Whether buckets of ten minutes are smaller than the readings.
fn is_dense(readings: &[Reading]) -> bool {
    let span = readings.last().zip(readings.first()).map_or(0, |(last, first)| last.time - first.time);
    readings.len() as i64 * Level::Fine.width() >= 4 * span
}

fn roll_up(
    connection: &Connection,
    device: Device,
    rolled: i64,
    readings: &[Reading],
) -> rusqlite::Result<()> {
    rollup::add(connection, device, Level::Coarse, readings.iter())?;
    if rolled == rolled::BOTH {
        rollup::add(connection, device, Level::Fine, readings.iter())?;
    }
    Ok(())
}

/// Rolls up a segment that is to go, if it was not.
pub(super) fn roll_up_before_it_goes(
    connection: &Connection,
    id: i64,
    device: Device,
) -> rusqlite::Result<()> {
    let select = "SELECT rolled, data FROM segment WHERE id = ?1";
    let row: Option<(i64, Vec<u8>)> = connection
        .prepare_cached(select)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((rolled::NOTHING, data)) = row else { return Ok(()) };
    let readings = segment::read(&data, |_| true).unwrap_or_default();
    let rolled = if is_dense(&readings) { rolled::BOTH } else { rolled::COARSE };
    roll_up(connection, device, rolled, &readings)
}

/// The segment in which a reading of this time has its place, if there is one that begins so early.
fn segment_at(connection: &Connection, device: Device, time: i64) -> rusqlite::Result<Option<Segment>> {
    let select =
        "SELECT id, end, count, rolled FROM segment WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
    let range = [key(device, 0), key(device, time)];
    connection.prepare_cached(select)?.query_row(range, segment_of).optional()
}

/// The segment after it.
fn next_after(connection: &Connection, device: Device, time: i64) -> rusqlite::Result<Option<Segment>> {
    let select = "SELECT id, end, count, rolled FROM segment WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1";
    let range = [key(device, time), key(device, i64::MAX)];
    connection.prepare_cached(select)?.query_row(range, segment_of).optional()
}

fn segment_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment { id: row.get(0)?, end: row.get(1)?, count: row.get(2)?, rolled: row.get(3)? })
}

fn note_extent(connection: &Connection, device: Device, readings: &[Reading]) -> rusqlite::Result<()> {
    let timed = || readings.iter().filter(|reading| reading.has_time);
    // What was measured before the first reading, and is told by it, is of the device's time too.
    let first = timed().map(|reading| reading.time - reading.period().unwrap_or(0)).min();
    let last = timed().map(|reading| reading.time).max();
    let fields =
        readings.iter().flat_map(|reading| reading.values.present()).fold(0, |all, field| all | bit(field));
    connection
        .prepare_cached(
            "UPDATE device SET fields = fields | ?2, first = min(ifnull(first, ?3), ifnull(?3, first)),
                last = max(ifnull(last, ?4), ifnull(?4, last)) WHERE id = ?1",
        )?
        .execute(params![device.0, fields, first, last])?;
    Ok(())
}

/// Stands for a field among the fields of a device.
pub(super) fn bit(field: Field) -> i64 {
    1 << field as u8
}

/// Something that is the same of the same text, as long as the file lives.
fn digest(text: &str) -> i64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish() as i64
}

/// Keeps an entry, once however often it is told.
pub(super) fn tell(connection: &Connection, device: Device, entry: &StoryEntry) -> rusqlite::Result<()> {
    let text = serde_json::to_string(&StoryEntry { id: 0, ..entry.clone() }).unwrap_or_default();
    connection
        .prepare_cached("INSERT OR IGNORE INTO story (device, time, digest, entry) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![device.0, entry.time.timestamp_millis(), digest(&text), text])?;
    Ok(())
}

/// How far apart the beginnings of an alarm may be that are told by its messages, in milliseconds.
const SAME: i64 = 5000;

/// Keeps what is told of an alarm. The message that was told last counts, in whatever order they come; the severity is the highest.
pub(super) fn keep_alarm(connection: &Connection, device: Device, alarm: &Alarm) -> rusqlite::Result<()> {
    let critical = alarm.severity == Severity::Critical;
    let select = "SELECT begin, told FROM span WHERE device = ?1 AND name = ?2 AND begin BETWEEN ?3 AND ?4 ORDER BY begin LIMIT 1";
    let known: Option<(i64, i64)> = connection
        .prepare_cached(select)?
        .query_row(params![device.0, alarm.name, alarm.begin - SAME, alarm.begin + SAME], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((begin, told)) = known else {
        connection.prepare_cached("INSERT INTO span VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(
            params![
                device.0,
                alarm.name,
                alarm.begin,
                alarm.end,
                alarm.time,
                critical,
                alarm.extreme,
                alarm.limit,
                alarm.field
            ],
        )?;
        return Ok(());
    };
    connection
        .prepare_cached("UPDATE span SET critical = max(critical, ?4), end = ifnull(?5, end) WHERE device = ?1 AND name = ?2 AND begin = ?3")?
        .execute(params![device.0, alarm.name, begin, critical, alarm.end])?;
    if alarm.time >= told {
        connection
            .prepare_cached(
                "UPDATE span SET told = ?4, extreme = ifnull(?5, extreme), bound = ifnull(?6, bound), field = ifnull(?7, field)
                 WHERE device = ?1 AND name = ?2 AND begin = ?3",
            )?
            .execute(params![device.0, alarm.name, begin, alarm.time, alarm.extreme, alarm.limit, alarm.field])?;
    }
    Ok(())
}

/// Keeps the report of a trip.
pub(super) fn keep_trip(
    connection: &Connection,
    device: Device,
    time: i64,
    report: &str,
) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR IGNORE INTO trip VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        device.0,
        time,
        digest(report),
        report
    ])?;
    Ok(())
}

/// Keeps how a device does, as text that only the fleet understands.
pub(super) fn keep_state(connection: &Connection, device: Device, state: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE device SET state = ?2 WHERE id = ?1")?
        .execute(params![device.0, state])?;
    Ok(())
}
