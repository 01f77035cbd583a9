//! What charts and maps draw: points of fields over time, and the way of a container.

use rusqlite::Connection;

use super::bucket::{Sample, Stat, place, sample};
use super::gather::{self, Known, Which, buckets};
use super::steps::{gaps, step};
use crate::model::{FieldSeries, Track};
use crate::telemetry::{Field, SUMMARIES};

/// No answer has more points of a field, whatever is asked for.
const MOST_POINTS: usize = 10_000;

/// The fields that charts show, by name.
pub(super) fn summary(name: &str) -> Option<usize> {
    SUMMARIES.iter().position(|(field, _)| field.name() == name)
}

/// A point before it is one: when it begins and ends, in milliseconds, and what is there.
struct Point {
    begin: i64,
    end: i64,
    stat: Stat,
}

/// Points of the fields with these numbers, and how many seconds each stands for: 0 where they are single readings.
pub(super) fn series(
    connection: &Connection,
    known: &Known,
    fields: &[usize],
    (from, to): (i64, i64),
    points: usize,
) -> rusqlite::Result<(u32, Vec<FieldSeries>)> {
    let points = points.clamp(1, MOST_POINTS);
    let Some((from, to)) = within(known, (from, to)) else { return Ok((0, Vec::new())) };
    let wanted = |field: Field| {
        let is = |number: &usize| {
            let (of, summary) = SUMMARIES[*number];
            of == field || summary.is_some_and(|summary| summary.contains(&field))
        };
        fields.iter().any(is)
    };
    if is_single(connection, known, (from, to), points)? {
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); fields.len()];
        gather::for_each_reading(connection, known.device, (from, to), Which::All, wanted, |reading| {
            for (samples, number) in samples.iter_mut().zip(fields) {
                samples.extend(sample(reading, *number));
            }
        })?;
        let all = samples.iter().zip(fields).map(|(samples, number)| singles(samples, SUMMARIES[*number].0));
        return Ok((0, all.collect()));
    }
    let step = step(to - from, points);
    let buckets = buckets(connection, known, (from, to), step, wanted)?;
    let of = |number: &usize| {
        let points =
            buckets.iter().filter(|(_, bucket)| bucket.stats[*number].weight > 0).map(|(at, bucket)| {
                let middle = at * step + step / 2;
                Point { begin: middle, end: middle, stat: bucket.stats[*number] }
            });
        column(&points.collect::<Vec<_>>(), SUMMARIES[*number].0)
    };
    Ok(((step / 1000) as u32, fields.iter().map(of).collect()))
}

/// The part of a span in which there may be anything: points are not spent on the time before and after.
fn within(known: &Known, (from, to): (i64, i64)) -> Option<(i64, i64)> {
    let (from, to) = (from.max(known.first?), to.min(known.last? + 1));
    (from < to).then_some((from, to))
}

/// Whether there are so few readings that each can be shown.
fn is_single(
    connection: &Connection,
    known: &Known,
    (from, to): (i64, i64),
    points: usize,
) -> rusqlite::Result<bool> {
    Ok(from >= known.raw_since && gather::count(connection, known.device, from, to)? <= points)
}

/// A point for each reading; two for one that says what was measured since the one before, so that its band covers that time.
fn singles(samples: &[Sample], field: Field) -> FieldSeries {
    let point = |sample: &Sample| Point { begin: sample.begin, end: sample.end, stat: Stat::of(sample) };
    column(&samples.iter().map(point).collect::<Vec<_>>(), field)
}

fn column(points: &[Point], field: Field) -> FieldSeries {
    let distances: Vec<i64> = points.windows(2).map(|pair| (pair[1].begin - pair[0].end).max(0)).collect();
    // Between spans that touch there is nothing; what is usual is told by what stands apart.
    let usual: Vec<i64> = points.windows(2).map(|pair| (pair[1].end - pair[0].end).max(1)).collect();
    let gaps = gaps(&usual);
    let mut column = FieldSeries::default();
    let seconds = |ms: i64| ms as f64 / 1000.0;
    for (number, Point { begin, end, stat }) in points.iter().enumerate() {
        if number > 0 && gaps[number - 1] && distances[number - 1] > usual[number - 1] / 2 {
            let before = points[number - 1].end;
            column.t.push(seconds(before + (begin - before) / 2));
            for values in [&mut column.min, &mut column.mean, &mut column.max] {
                values.push(None);
            }
        }
        let last = column.t.last().copied();
        let mut put = |t: f64| {
            column.t.push(t);
            column.min.push(Some(field.value(stat.min.into())));
            column.mean.push(Some(field.value(stat.mean())));
            column.max.push(Some(field.value(stat.max.into())));
        };
        if begin < end {
            // A moment after the point before, where they touch.
            let first = seconds(*begin + 1);
            let first = last.map_or(first, |last| first.max(last + 0.001));
            if first < seconds(*end) {
                put(first);
            }
        }
        if last.is_none_or(|last| last < seconds(*end)) {
            put(seconds(*end));
        }
    }
    column
}

/// Where the container was: single positions where there are few, else the last of each bucket. Positions are never averaged,
/// which would lead through Africa from one side of the antimeridian to the other.
pub(super) fn track(
    connection: &Connection,
    known: &Known,
    (from, to): (i64, i64),
    points: usize,
) -> rusqlite::Result<Track> {
    let points = points.clamp(1, MOST_POINTS);
    let Some((from, to)) = within(known, (from, to)) else { return Ok(Track::default()) };
    let wanted = |field: Field| matches!(field, Field::Latitude | Field::Longitude);
    let mut places = Vec::new();
    if is_single(connection, known, (from, to), points)? {
        let take = |reading: &crate::telemetry::Reading| {
            places.extend(place(reading).filter(|place| place.time < to));
        };
        gather::for_each_reading(connection, known.device, (from, to), Which::All, wanted, take)?;
    } else {
        let buckets = buckets(connection, known, (from, to), step(to - from, points), wanted)?;
        places.extend(buckets.values().filter_map(|bucket| bucket.place));
        places.retain(|place| (from..to).contains(&place.time));
    }
    places.dedup_by_key(|place| place.time);
    let distances: Vec<i64> = places.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    let gaps = gaps(&distances);
    let mut track = Track::default();
    for (number, place) in places.iter().enumerate() {
        if number > 0 && gaps[number - 1] {
            track.points.push(None);
        }
        let longitude = Field::Longitude.value(place.longitude.into());
        let latitude = Field::Latitude.value(place.latitude.into());
        track.points.push(Some([longitude, latitude, place.time as f64 / 1000.0]));
    }
    Ok(track)
}
