//! Buckets that are kept: those of ten minutes and those of six hours, a blob of columns for each day and for each 32 days of a
//! device.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::bucket::{Bucket, Place, spread};
use super::columns::{put, put_column, take, take_column};
use super::key::{Device, key};
use crate::telemetry::{Reading, SUMMARIES};

/// A resolution that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Ten minutes.
    Fine,
    /// Six hours.
    Coarse,
}

const VERSION: u64 = 1;

impl Level {
    /// Milliseconds of a bucket.
    pub(super) const fn width(self) -> i64 {
        match self {
            Self::Fine => 600_000,
            Self::Coarse => 21_600_000,
        }
    }

    /// Buckets in a row.
    const fn buckets(self) -> i64 {
        match self {
            Self::Fine => 144,
            Self::Coarse => 128,
        }
    }

    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Coarse => "coarse",
        }
    }

    /// Milliseconds of a row.
    pub(super) const fn span(self) -> i64 {
        self.width() * self.buckets()
    }
}

/// Adds what readings say, which must not be in there yet.
pub(super) fn add<'a>(
    connection: &Connection,
    device: Device,
    level: Level,
    readings: impl Iterator<Item = &'a Reading>,
) -> rusqlite::Result<()> {
    let mut news: BTreeMap<i64, Bucket> = BTreeMap::new();
    for reading in readings {
        spread(reading, level.width(), &(i64::MIN..i64::MAX), &mut news);
    }
    let mut news = news.into_iter().peekable();
    while let Some((first, _)) = news.peek() {
        let row = first.div_euclid(level.buckets());
        let id = key(device, row * level.span());
        let select = format!("SELECT data FROM {} WHERE id = ?1", level.table());
        let stored: Option<Vec<u8>> =
            connection.prepare_cached(&select)?.query_row([id], |row| row.get(0)).optional()?;
        let mut buckets = stored.and_then(|stored| read(&stored)).unwrap_or_default();
        while let Some((number, bucket)) =
            news.next_if(|(number, _)| number.div_euclid(level.buckets()) == row)
        {
            buckets.entry(number).or_default().merge(&bucket);
        }
        let replace = format!("INSERT OR REPLACE INTO {} (id, data) VALUES (?1, ?2)", level.table());
        connection.prepare_cached(&replace)?.execute(params![id, write(&buckets)])?;
    }
    Ok(())
}

/// The buckets of a device that touch `from <= time < to`.
pub(super) fn between(
    connection: &Connection,
    device: Device,
    level: Level,
    from: i64,
    to: i64,
) -> rusqlite::Result<BTreeMap<i64, Bucket>> {
    let first = from.div_euclid(level.span()) * level.span();
    let select = format!("SELECT data FROM {} WHERE id BETWEEN ?1 AND ?2", level.table());
    let mut query = connection.prepare_cached(&select)?;
    let mut rows = query.query([key(device, first), key(device, to.max(first))])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        all.extend(read(row.get_ref(0)?.as_blob()?).unwrap_or_default());
    }
    let touches = |number: i64| (number + 1) * level.width() > from && number * level.width() < to;
    all.retain(|number, _| touches(*number));
    Ok(all)
}

fn write(buckets: &BTreeMap<i64, Bucket>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, VERSION);
    put(&mut out, buckets.len() as u64);
    let numbers: Vec<_> = buckets.keys().map(|number| Some(*number)).collect();
    put_column(&mut out, &numbers);
    for number in 0..SUMMARIES.len() {
        let stat = |of: fn(&super::bucket::Stat) -> i64| -> Vec<Option<i64>> {
            let stats = buckets.values().map(|bucket| &bucket.stats[number]);
            stats.map(|stat| (stat.weight > 0).then(|| of(stat))).collect()
        };
        put_column(&mut out, &stat(|stat| stat.weight));
        put_column(&mut out, &stat(|stat| stat.min.into()));
        // Near the lowest, and hardly ever far from the mean.
        put_column(&mut out, &stat(|stat| i64::from(stat.max) - i64::from(stat.min)));
        put_column(&mut out, &stat(|stat| stat.sum - i64::from(stat.min) * stat.weight));
    }
    let place = |of: fn(&Place) -> i64| -> Vec<Option<i64>> {
        buckets.values().map(|bucket| bucket.place.as_ref().map(of)).collect()
    };
    put_column(&mut out, &place(|place| place.time));
    put_column(&mut out, &place(|place| place.latitude.into()));
    put_column(&mut out, &place(|place| place.longitude.into()));
    out
}

fn read(mut bytes: &[u8]) -> Option<BTreeMap<i64, Bucket>> {
    let bytes = &mut bytes;
    if take(bytes)? != VERSION {
        return None;
    }
    let count = usize::try_from(take(bytes)?).ok().filter(|count| *count <= 1024)?;
    let numbers: Vec<i64> = take_column(bytes, count)?.into_iter().collect::<Option<_>>()?;
    let mut buckets = vec![Bucket::default(); count];
    for number in 0..SUMMARIES.len() {
        let mut column = || take_column(bytes, count);
        let (weights, mins, spans, sums) = (column()?, column()?, column()?, column()?);
        for (index, bucket) in buckets.iter_mut().enumerate() {
            if let (Some(weight), Some(min), Some(span), Some(sum)) =
                (weights[index], mins[index], spans[index], sums[index])
            {
                let stat = &mut bucket.stats[number];
                stat.weight = weight;
                stat.min = i32::try_from(min).ok()?;
                stat.max = i32::try_from(min.checked_add(span)?).ok()?;
                stat.sum = sum.checked_add(min.checked_mul(weight)?)?;
            }
        }
    }
    let mut column = || take_column(bytes, count);
    let (times, latitudes, longitudes) = (column()?, column()?, column()?);
    for (index, bucket) in buckets.iter_mut().enumerate() {
        if let (Some(time), Some(latitude), Some(longitude)) =
            (times[index], latitudes[index], longitudes[index])
        {
            let (latitude, longitude) = (i32::try_from(latitude).ok()?, i32::try_from(longitude).ok()?);
            bucket.place = Some(Place { time, latitude, longitude });
        }
    }
    Some(numbers.into_iter().zip(buckets).collect())
}
