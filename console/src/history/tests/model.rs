//! Whatever comes, in whatever order and however often: what is asked for is what a plain list says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::bucket::{SINGLE, sample};
use super::*;
use crate::telemetry::SUMMARIES;

/// Readings of a device over some days, single and aggregated, some without a time.
fn readings() -> impl Strategy<Value = Vec<Reading>> {
    // Dense enough that some segments are full, and sparse enough that some buckets are empty.
    let density = prop::sample::select(vec![7_000_i64, 60_000, 1_800_000, HOUR, 5 * HOUR]);
    (density, 1..900_usize, any::<u64>()).prop_map(|(interval, count, seed)| {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut time = 0;
        let mut all = Vec::new();
        for seq in 0..count as u64 {
            time += interval
                + random(interval as u64 / 4) as i64
                + if random(50) == 0 { 30 * interval } else { 0 };
            let degrees = random(8000) as f64 / 100.0 - 30.0;
            let mut reading = match random(10) {
                0 => aggregated(time, seq, [degrees - 1.5, degrees, degrees + 2.5], (interval / 1000) as f64),
                _ => placed(time, seq, random(360) as f64 - 180.0, random(180) as f64 - 90.0),
            };
            reading.values.set(Field::Humidity, (random(3) == 0).then(|| random(90_000) as i32));
            reading.values.set(Field::Speed, (random(3) == 0).then(|| random(9000) as i32));
            reading.has_time = random(40) > 0;
            all.push(reading);
        }
        all
    })
}

/// Lowest, sum, weight and highest by bucket, made the slow way.
fn plain(readings: &[Reading], number: usize, width: i64) -> BTreeMap<i64, (i32, i64, i64, i32)> {
    let mut buckets: BTreeMap<i64, (i32, i64, i64, i32)> = BTreeMap::new();
    for sample in readings.iter().filter_map(|reading| sample(reading, number)) {
        for (bucket, weight) in buckets_touched(sample.begin, sample.end, width) {
            let all = buckets.entry(bucket).or_insert((i32::MAX, 0, 0, i32::MIN));
            *all = (
                all.0.min(sample.min),
                all.1 + weight * i64::from(sample.mean),
                all.2 + weight,
                all.3.max(sample.max),
            );
        }
    }
    buckets
}

/// Those of which some moment is after `begin` and not after `end`, and how many milliseconds of each are.
fn buckets_touched(begin: i64, end: i64, width: i64) -> Vec<(i64, i64)> {
    if begin == end {
        return vec![(end.div_euclid(width), SINGLE)];
    }
    let bounds = |bucket: i64| (begin.max(bucket * width - 1), end.min((bucket + 1) * width - 1));
    let of = |bucket: i64| (bucket, bounds(bucket).1 - bounds(bucket).0);
    (begin.div_euclid(width)..=end.div_euclid(width)).map(of).filter(|(_, weight)| *weight > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, ..ProptestConfig::default() })]
    #[test]
    fn series_are_those_of_a_plain_list(
        readings in readings(), order in any::<prop::sample::Index>(), cuts in 1..6_usize, twice in 0..2_usize, mixed in 0..4_u8,
        points in prop::sample::select(vec![1_usize, 7, 60, 800]), from in -2..40_i64, length in 1..2000_i64,
    ) {
        let history = history();
        // Turned around or mixed, in parts of which some come again: as backlogs come, and worse.
        let mut arriving = readings.clone();
        arriving.rotate_left(order.index(readings.len()));
        match mixed {
            0 => arriving.reverse(),
            1 => arriving.sort_by_key(|reading| reading.seq.map(|seq| seq * 7919 % 101)),
            _ => {}
        }
        let size = arriving.len().div_ceil(cuts);
        for (number, part) in arriving.chunks(size).enumerate() {
            for _ in 0..=(twice * (number % 2)) {
                history.take("a", part.to_vec());
                history.flush(&[], at(0));
            }
        }
        let mut expected = readings.clone();
        expected.sort_by_key(Reading::key);
        prop_assert_eq!(exported(&history, "a"), expected);

        let (from, to) = (from * HOUR, from * HOUR + length * 97_000);
        let fields: Vec<String> = SUMMARIES.iter().map(|(field, _)| field.name().to_owned()).collect();
        let series = history.series("a", &fields, at(from), at(to), points).unwrap();
        let within = readings.iter().filter(|reading| (DAY + from..DAY + to).contains(&reading.time)).count();
        prop_assert!(series.step > 0 || within <= points);
        for (number, (field, _)) in SUMMARIES.iter().enumerate() {
            let column = series.fields.get(field.name()).cloned().unwrap_or_default();
            prop_assert!(column.t.windows(2).all(|pair| pair[0] < pair[1]), "times rise");
            if series.step == 0 {
                for sample in readings.iter().filter_map(|reading| sample(reading, number)) {
                    if sample.end >= DAY + from && sample.end < DAY + to {
                        let found = column.t.iter().position(|t| *t == sample.end as f64 / 1000.0);
                        prop_assert!(found.is_some_and(|at| column.max[at] == Some(field.value(sample.max.into()))));
                    }
                }
                continue;
            }
            let width = i64::from(series.step) * 1000;
            let wanted = (DAY + from).div_euclid(width)..=(DAY + to - 1).div_euclid(width);
            let mut expected = plain(&readings, number, width);
            expected.retain(|bucket, _| wanted.contains(bucket));
            let points: Vec<_> = (0..column.t.len()).filter(|at| column.mean[*at].is_some()).collect();
            prop_assert_eq!(points.len(), expected.len(), "{} at {}", field.name(), width);
            for (at, (bucket, (min, sum, count, max))) in points.into_iter().zip(expected) {
                prop_assert_eq!(column.t[at], (bucket * width + width / 2) as f64 / 1000.0);
                let value = |kept: f64| Some(field.value(kept));
                prop_assert_eq!(column.min[at], value(min.into()));
                prop_assert_eq!(column.max[at], value(max.into()));
                prop_assert_eq!(column.mean[at], value(sum as f64 / count as f64));
            }
        }
        let track = history.track("a", at(from), at(to), points).unwrap();
        for [longitude, latitude, time] in track.points.into_iter().flatten() {
            let is_of = |reading: &Reading| reading.has_time && reading.time as f64 / 1000.0 == time && reading.values.position() == Some([longitude, latitude]);
            prop_assert!(readings.iter().any(is_of), "no position is made up");
        }
    }

    #[test]
    fn what_readings_leave_when_they_go_is_what_they_were(readings in readings(), late in 0..400_usize) {
        let options = HistoryOptions { most_bytes: 0, ..HistoryOptions::in_memory() };
        let history = History { waiting: Arc::default(), shelf: Arc::new(Mutex::new(Shelf::open(options))) };
        let kept: Vec<Reading> = readings.iter().filter(|reading| reading.has_time).cloned().collect();
        // Some of them come when those around them are gone already.
        let (first, second) = kept.split_at(late.min(kept.len()));
        for part in [second, first] {
            history.take("a", part.to_vec());
            history.ask(None, |_| Ok(())).unwrap();
            let mut shelf = lock(&history.shelf);
            while shelf.remove_some_segments() > 0 {}
        }
        prop_assert!(exported(&history, "a").is_empty());
        for width in [6 * HOUR, 24 * HOUR] {
            let buckets = history.ask(Some("a"), |connection| match gather::known(connection, "a")? {
                Some(known) => gather::buckets(connection, &known, (DAY - 9 * 24 * HOUR, DAY + 999 * 24 * HOUR), width, |_| true),
                None => Ok(BTreeMap::new()),
            });
            let left = buckets.unwrap().into_iter().map(|(number, bucket)| (number, bucket.stats[0]));
            let left = left.map(|(number, stat)| (number, (stat.min, stat.sum, stat.weight, stat.max)));
            prop_assert_eq!(left.filter(|(_, stat)| stat.2 > 0).collect::<BTreeMap<_, _>>(), plain(&kept, 0, width));
        }
        // Nearer there are buckets of ten minutes, or of six hours where there were few readings; never nothing.
        for reading in kept.iter().take(3) {
            let near = reading.time - DAY;
            let series = history.series("a", &temperature(), at(near - 7 * HOUR), at(near + 7 * HOUR), 800).unwrap();
            prop_assert!(!series.fields["temperature"].t.is_empty());
        }
    }
}
