//! What can be asked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::export::{Exported, Mark};
use super::gather::{self, Known};
use super::keeper::{History, HistoryError};
use super::series::{self, summary};
use super::store::bit;
use super::{past, told};
use crate::model::{AlarmSpans, Row, Series, StoryPage, Tails, Track};
use crate::telemetry::{Field, Reading, SUMMARIES};

/// How long the tails of containers are, in milliseconds.
const TAIL: i64 = 72 * 3_600_000;

/// What there is of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extent {
    /// Names of the fields that charts show; `location` where there are positions.
    pub fields: Vec<String>,
    /// Time of the first reading.
    pub first: Option<DateTime<Utc>>,
    /// Time of the last.
    pub last: Option<DateTime<Utc>>,
}

fn ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

fn time(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}

impl History {
    /// The fields of a device over time, in about so many points each: single readings, or the lowest, mean and highest of as long a
    /// time as is needed. Of a field without data there is none.
    pub fn series(
        &self,
        device: &str,
        fields: &[String],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        points: usize,
    ) -> Result<Series, HistoryError> {
        let number = |name: &String| summary(name).ok_or_else(|| HistoryError::NoSuchField(name.clone()));
        let numbers: Vec<usize> = fields.iter().map(number).collect::<Result<_, _>>()?;
        let span = (ms(from), ms(to).max(ms(from) + 1));
        let (step, columns) =
            self.ask(Some(device), |connection| match gather::known(connection, device)? {
                Some(known) => series::series(connection, &known, &numbers, span, points),
                None => Ok((0, Vec::new())),
            })?;
        let named = fields.iter().cloned().zip(columns).filter(|(_, column)| !column.t.is_empty());
        Ok(Series { from, to, step, fields: named.collect() })
    }

    /// The way of a device, in about so many points.
    pub fn track(
        &self,
        device: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        points: usize,
    ) -> Result<Track, HistoryError> {
        let span = (ms(from), ms(to).max(ms(from) + 1));
        self.ask(Some(device), |connection| match gather::known(connection, device)? {
            Some(known) => series::track(connection, &known, span, points),
            None => Ok(Track::default()),
        })
    }

    /// The ways of all devices over the last 72 hours of each.
    pub fn tails(&self, points: usize) -> Result<Tails, HistoryError> {
        self.tails_of(points, i64::MAX)
    }

    /// The same, as they were.
    pub fn tails_at(&self, at: DateTime<Utc>, points: usize) -> Result<Tails, HistoryError> {
        self.tails_of(points, ms(at))
    }

    fn tails_of(&self, points: usize, at: i64) -> Result<Tails, HistoryError> {
        self.ask(None, |connection| {
            let mut tails = BTreeMap::new();
            for (name, known) in gather::all(connection)? {
                let Some(last) = known.last.map(|last| last.min(at)) else { continue };
                let track = series::track(connection, &known, (last - TAIL, last + 1), points)?;
                let point =
                    |point: Option<[f64; 3]>| point.map(|[longitude, latitude, _]| [longitude, latitude]);
                let tail: Vec<_> = track.points.into_iter().map(point).collect();
                if !tail.is_empty() {
                    tails.insert(name, tail);
                }
            }
            Ok(Tails { tails })
        })
    }

    /// What happened to a device, or to all; the newest first, older than the entry with the ID `before`.
    pub fn story(
        &self,
        device: Option<&str>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<StoryPage, HistoryError> {
        self.ask(Some(device.unwrap_or_default()), |connection| {
            let known = match device {
                Some(name) => match gather::known(connection, name)? {
                    Some(known) => Some(known.device),
                    None => return Ok(StoryPage { entries: Vec::new(), next: None }),
                },
                None => None,
            };
            told::story(connection, known, before, limit)
        })
    }

    /// The alarms of a device that stood in this time.
    pub fn alarms(
        &self,
        device: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<AlarmSpans, HistoryError> {
        let spans =
            self.of(device, |connection, known| told::alarms(connection, known.device, ms(from), ms(to)))?;
        Ok(AlarmSpans { spans: spans.unwrap_or_default() })
    }

    /// The reports of a device's trips that have ended, the newest first.
    pub fn trips(&self, device: &str) -> Result<Vec<serde_json::Value>, HistoryError> {
        Ok(self.of(device, |connection, known| told::trips(connection, known.device))?.unwrap_or_default())
    }

    /// What there is of a device.
    pub fn extent(&self, device: &str) -> Result<Extent, HistoryError> {
        let known = self.of(device, |_, known| Ok(known.clone()))?;
        Ok(known.map_or_else(Extent::default, |known| extent(&known)))
    }

    /// The times of the first reading of all and of the last.
    pub fn bounds(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let all = self.ask(Some(""), |connection| {
            let select = "SELECT min(first), max(last) FROM device";
            connection.prepare_cached(select)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        });
        let (first, last): (Option<i64>, Option<i64>) = all.ok()?;
        time(first?).zip(time(last?))
    }

    /// The fleet as it was, in the order of IDs: devices that had told something by then.
    pub fn fleet_at(&self, at: DateTime<Utc>) -> Result<Vec<Row>, HistoryError> {
        self.ask(None, |connection| past::fleet(connection, at))
    }

    /// Some readings of a device of `from <= time < to`, in the order of their times, for an export: those after `after`, and how to
    /// go on; `None` where these were the last.
    pub fn readings(
        &self,
        device: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<(Vec<Exported>, Option<Mark>), HistoryError> {
        let limit = limit.clamp(1, 10_000);
        let from = after.map_or(ms(from), |Mark((time, ..))| time);
        let is_next = |reading: &Reading| {
            reading.time < ms(to) && after.is_none_or(|Mark(after)| reading.key() > after)
        };
        let page = self.of(device, |connection, known| {
            let mut page = Vec::new();
            // A segment at a time, so that no more is read than is given.
            let mut begin = gather::begin_of_segment_at(connection, known.device, from)?;
            while page.len() <= limit {
                let Some((next, readings)) = gather::segment_after(connection, known.device, begin)? else {
                    break;
                };
                begin = next;
                if readings.first().is_some_and(|reading| reading.time >= ms(to)) {
                    break;
                }
                page.extend(
                    readings
                        .into_iter()
                        .filter(|reading| reading.time >= from && is_next(reading))
                        .map(Exported),
                );
            }
            Ok(page)
        })?;
        let mut page = page.unwrap_or_default();
        let has_more = page.len() > limit;
        page.truncate(limit);
        let mark = page.last().map(|last| Mark(last.0.key())).filter(|_| has_more);
        Ok((page, mark))
    }

    /// Forgets a device and all that was kept of it.
    pub fn clear_device(&self, device: &str) -> Result<(), HistoryError> {
        self.of(device, |connection, known| past::forget(connection, known.device))?;
        Ok(())
    }

    fn of<T>(
        &self,
        device: &str,
        question: impl Fn(&rusqlite::Connection, &Known) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, HistoryError> {
        self.ask(Some(device), |connection| {
            gather::known(connection, device)?.map(|known| question(connection, &known)).transpose()
        })
    }
}

fn extent(known: &Known) -> Extent {
    let has = |field: Field| known.fields & bit(field) != 0;
    let of = |(field, summary): &(Field, Option<[Field; 3]>)| {
        (has(*field) || summary.is_some_and(|summary| summary.into_iter().any(has)))
            .then(|| field.name().to_owned())
    };
    let mut fields: Vec<String> = SUMMARIES.iter().filter_map(of).collect();
    if has(Field::Latitude) {
        fields.push("location".into());
    }
    Extent { fields, first: known.first.and_then(time), last: known.last.and_then(time) }
}
