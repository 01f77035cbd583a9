//! Reading what happened: story, alarms, trips.

use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::key::Device;
use crate::model::{AlarmSpan, Severity, StoryEntry, StoryPage};

/// Entries of a device, or of all, the newest first, older than the entry with this ID.
pub(super) fn story(
    connection: &Connection,
    device: Option<Device>,
    before: Option<i64>,
    limit: usize,
) -> rusqlite::Result<StoryPage> {
    let limit = limit.clamp(1, 1000) as i64;
    let end = match before {
        None => (i64::MAX, i64::MAX),
        Some(id) => {
            let select = "SELECT time, id FROM story WHERE id = ?1";
            let row = connection
                .prepare_cached(select)?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            // One that is gone was among the oldest.
            let Some(end) = row else { return Ok(StoryPage { entries: Vec::new(), next: None }) };
            end
        }
    };
    let select = match device {
        Some(_) => {
            "SELECT id, entry FROM story WHERE device = ?1 AND (time, id) < (?2, ?3) ORDER BY time DESC, id DESC LIMIT ?4"
        }
        None => {
            "SELECT id, entry FROM story WHERE ?1 IS NULL AND (time, id) < (?2, ?3) ORDER BY time DESC, id DESC LIMIT ?4"
        }
    };
    let mut query = connection.prepare_cached(select)?;
    let mut rows = query.query(params![device.map(|device| device.0), end.0, end.1, limit + 1])?;
    let mut entries: Vec<StoryEntry> = Vec::new();
    let mut has_more = false;
    while let Some(row) = rows.next()? {
        if entries.len() as i64 == limit {
            has_more = true;
            break;
        }
        if let Ok(entry) = serde_json::from_str::<StoryEntry>(row.get_ref(1)?.as_str()?) {
            entries.push(StoryEntry { id: row.get(0)?, ..entry });
        }
    }
    let next = entries.last().filter(|_| has_more).map(|entry| entry.id);
    Ok(StoryPage { entries, next })
}

/// Alarms of a device that stood at some time of `from <= time < to`, in the order in which they began.
pub(super) fn alarms(
    connection: &Connection,
    device: Device,
    from: i64,
    to: i64,
) -> rusqlite::Result<Vec<AlarmSpan>> {
    let select = "SELECT name, begin, end, critical, extreme, bound, field FROM span
        WHERE device = ?1 AND begin < ?3 AND (end IS NULL OR end >= ?2) ORDER BY begin, name";
    let mut query = connection.prepare_cached(select)?;
    let spans = query.query_map([device.0, from, to], |row| {
        let time = |ms: Option<i64>| ms.and_then(DateTime::from_timestamp_millis);
        Ok(AlarmSpan {
            name: row.get(0)?,
            severity: if row.get(3)? { Severity::Critical } else { Severity::Warning },
            begin: time(row.get(1)?).unwrap_or_default(),
            end: time(row.get(2)?),
            extreme: row.get(4)?,
            limit: row.get(5)?,
            field: row.get(6)?,
        })
    })?;
    spans.collect()
}

/// Reports of trips, the newest first.
pub(super) fn trips(connection: &Connection, device: Device) -> rusqlite::Result<Vec<Value>> {
    let select = "SELECT report FROM trip WHERE device = ?1 ORDER BY time DESC LIMIT 100";
    let mut query = connection.prepare_cached(select)?;
    let mut rows = query.query([device.0])?;
    let mut trips = Vec::new();
    while let Some(row) = rows.next()? {
        trips.extend(serde_json::from_str::<Value>(row.get_ref(0)?.as_str()?));
    }
    Ok(trips)
}
