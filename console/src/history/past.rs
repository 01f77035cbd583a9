//! The fleet as it was at some time.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use super::gather::{self, Known, begin_of_segment_at, segment_after};
use super::key::{Device, key};
use super::told;
use crate::fleet;
use crate::model::{Row, StoryEntry, StoryKind};
use crate::telemetry::{Field, Reading, Values};

const HOUR: i64 = 3_600_000;
/// What was measured longer ago is not shown as if it were of that time.
const OLD: i64 = 7 * 24 * HOUR;
/// A position is, as containers are below deck for weeks.
const OLD_PLACE: i64 = 60 * 24 * HOUR;
/// Entries of a device that are looked through for how it was.
const ENTRIES: i64 = 24;

/// The rows of all devices that had told something by then.
pub(super) fn fleet(connection: &Connection, at: DateTime<Utc>) -> rusqlite::Result<Vec<Row>> {
    let now: std::collections::HashMap<String, String> = gather::states(connection)?.into_iter().collect();
    let mut rows = Vec::new();
    for (name, known) in gather::all(connection)? {
        let ms = at.timestamp_millis();
        let entries = entries(connection, known.device, ms)?;
        if known.first.is_none_or(|first| first > ms) && entries.is_empty() {
            continue;
        }
        let mut device = fleet::Device::default();
        if let Some(now) = now.get(&name).and_then(|state| serde_json::from_str::<fleet::Device>(state).ok())
        {
            device = device.like(&now);
        }
        measured(connection, &known, ms, &mut device)?;
        for entry in entries.iter().rev() {
            device.told(entry);
        }
        for span in told::alarms(connection, known.device, ms, ms + 1)? {
            if span.end.is_none_or(|end| end > at) {
                device.alarms_mut().put(&span.name, span.severity, span.begin.timestamp_millis());
            }
        }
        rows.push(device.row(&name, false, at));
    }
    Ok(rows)
}

/// Puts in what was measured by then: readings, or where they are gone what they were rolled up to.
fn measured(
    connection: &Connection,
    known: &Known,
    at: i64,
    device: &mut fleet::Device,
) -> rusqlite::Result<()> {
    let is_temperature = |field: Field| {
        matches!(
            field,
            Field::Temperature | Field::TemperatureMin | Field::TemperatureMax | Field::TemperatureMean
        )
    };
    let hours = gather::buckets(connection, known, (at - 24 * HOUR, at), HOUR, is_temperature)?;
    let sums = hours.iter().filter(|(_, bucket)| bucket.stats[0].weight > 0);
    device
        .past(fleet::Spark::of(sums.map(|(hour, bucket)| (*hour, bucket.stats[0].mean().round() as i64, 1))));
    let begin = begin_of_segment_at(connection, known.device, at)?;
    let readings =
        segment_after(connection, known.device, begin)?.map(|(_, readings)| readings).unwrap_or_default();
    let mut has_place = false;
    let mut take = |reading: &Reading, device: &mut fleet::Device| {
        has_place |= reading.values.position().is_some();
        device.shown_at(reading);
    };
    for reading in readings.iter().filter(|reading| reading.time <= at && reading.time > at - OLD) {
        take(reading, device);
    }
    if !has_place {
        let is_place = |field: Field| matches!(field, Field::Latitude | Field::Longitude);
        let all = gather::buckets(connection, known, (at - OLD_PLACE, at), 6 * HOUR, is_place)?;
        let place = all.values().rev().filter_map(|bucket| bucket.place).find(|place| place.time <= at);
        if let Some(place) = place {
            let mut values = Values::default();
            values.set(Field::Latitude, Some(place.latitude));
            values.set(Field::Longitude, Some(place.longitude));
            device.place_at(place.time, values.position());
        }
    }
    Ok(())
}

/// What was last told of it by then, the newest first.
fn entries(connection: &Connection, device: Device, at: i64) -> rusqlite::Result<Vec<StoryEntry>> {
    let select = "SELECT entry FROM story WHERE device = ?1 AND time <= ?2 ORDER BY time DESC LIMIT ?3";
    let mut query = connection.prepare_cached(select)?;
    let mut rows = query.query([device.0, at, ENTRIES])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.extend(serde_json::from_str::<StoryEntry>(row.get_ref(0)?.as_str()?));
    }
    entries.retain(|entry| {
        matches!(
            entry.kind,
            StoryKind::Provisioning
                | StoryKind::Refusal
                | StoryKind::Connection
                | StoryKind::Takeover
                | StoryKind::Silence
        )
    });
    Ok(entries)
}

/// Removes all that was kept of a device.
pub(super) fn forget(connection: &Connection, device: Device) -> rusqlite::Result<()> {
    let range = [key(device, 0), key(device, i64::MAX)];
    for table in ["segment", "fine", "coarse"] {
        connection.execute(&format!("DELETE FROM {table} WHERE id BETWEEN ?1 AND ?2"), range)?;
    }
    for table in ["story", "span", "trip"] {
        connection.execute(&format!("DELETE FROM {table} WHERE device = ?1"), [device.0])?;
    }
    let empty =
        "UPDATE device SET fields = 0, first = NULL, last = NULL, raw_since = 0, state = NULL WHERE id = ?1";
    connection.execute(empty, params![device.0])?;
    Ok(())
}
