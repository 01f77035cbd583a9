//! What was measured in some span of time: lowest, highest and mean of the fields that charts show, and the last position.
//!
//! Sums are of whole numbers, so that buckets can be put together in any order and always come out the same. A reading that says
//! what was measured since the one before belongs to every bucket that this time touches.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::telemetry::{Field, Reading, SUMMARIES};

/// Of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// Milliseconds that its samples stand for; 0 where there is none.
    pub(super) weight: i64,
    pub(super) min: i32,
    pub(super) max: i32,
    /// Of the means of the samples, each as often as its weight.
    pub(super) sum: i64,
}

/// The last position, ordered by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time: i64,
    pub(super) latitude: i32,
    pub(super) longitude: i32,
}

/// Of all fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) stats: [Stat; SUMMARIES.len()],
    pub(super) place: Option<Place>,
}

/// What one reading says of one field: of `begin < time <= end`, or of the moment `end` where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) begin: i64,
    pub(super) end: i64,
    pub(super) min: i32,
    pub(super) mean: i32,
    pub(super) max: i32,
}

/// What a reading says of the field with this number in [`SUMMARIES`]; nothing where its time is not known.
pub(super) fn sample(reading: &Reading, number: usize) -> Option<Sample> {
    let (field, summary) = SUMMARIES[number];
    if !reading.has_time {
        return None;
    }
    let end = reading.time;
    let kept = |field: Field| reading.values.kept(field);
    if let (Some(period), Some([min, max, mean])) = (reading.period(), summary)
        && let (Some(min), Some(max)) = (kept(min), kept(max))
        && min <= max
    {
        let middle = || i32::midpoint(min, max);
        let mean = kept(mean).filter(|mean| (min..=max).contains(mean)).unwrap_or_else(middle);
        return Some(Sample { begin: end - period, end, min, mean, max });
    }
    let value = kept(field)?;
    Some(Sample { begin: end, end, min: value, mean: value, max: value })
}

/// Milliseconds that a single measurement stands for, beside those that were measured over a time.
pub(super) const SINGLE: i64 = 60_000;

impl Sample {
    /// What it weighs in one of the buckets that it touches: the time that lies there. So it weighs as much in two halves of a bucket
    /// as in the whole.
    fn weight(&self, bucket: i64, width: i64) -> i64 {
        if self.begin == self.end {
            return SINGLE;
        }
        let (first, last) = (bucket * width, (bucket + 1) * width - 1);
        self.end.min(last) - (self.begin + 1).max(first) + 1
    }

    /// Numbers of the buckets that it touches, each `width` milliseconds long.
    pub(super) fn buckets(&self, width: i64) -> std::ops::RangeInclusive<i64> {
        let first = if self.begin < self.end { self.begin + 1 } else { self.end };
        first.div_euclid(width)..=self.end.div_euclid(width)
    }
}

impl Stat {
    /// Adds a sample, as far as it lies in the bucket with this number.
    pub(super) fn add(&mut self, sample: &Sample, bucket: i64, width: i64) {
        let weight = sample.weight(bucket, width);
        self.merge(&Self { weight, min: sample.min, max: sample.max, sum: i64::from(sample.mean) * weight });
    }

    /// A sample as a whole.
    pub(super) fn of(sample: &Sample) -> Self {
        Self { weight: 1, min: sample.min, max: sample.max, sum: sample.mean.into() }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.weight == 0 {
            return;
        }
        if self.weight == 0 {
            *self = *other;
            return;
        }
        self.weight = self.weight.saturating_add(other.weight);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// In the field's small unit.
    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.weight.max(1) as f64
    }
}

impl Bucket {
    pub(super) fn merge(&mut self, other: &Self) {
        for (stat, other) in self.stats.iter_mut().zip(&other.stats) {
            stat.merge(other);
        }
        self.place = self.place.max(other.place);
    }
}

/// The position that a reading says.
pub(super) fn place(reading: &Reading) -> Option<Place> {
    let kept = |field: Field| reading.values.kept(field).filter(|_| reading.has_time);
    Some(Place { time: reading.time, latitude: kept(Field::Latitude)?, longitude: kept(Field::Longitude)? })
}

/// Puts what a reading says into buckets of this width, by their numbers, as far as they are wanted.
pub(super) fn spread(
    reading: &Reading,
    width: i64,
    wanted: &Range<i64>,
    buckets: &mut BTreeMap<i64, Bucket>,
) {
    for number in 0..SUMMARIES.len() {
        let Some(sample) = sample(reading, number) else { continue };
        let touched = sample.buckets(width);
        for at in (*touched.start()).max(wanted.start)..=(*touched.end()).min(wanted.end - 1) {
            buckets.entry(at).or_default().stats[number].add(&sample, at, width);
        }
    }
    let at = reading.time.div_euclid(width);
    if let Some(place) = place(reading).filter(|_| wanted.contains(&at)) {
        let bucket = buckets.entry(at).or_default();
        bucket.place = bucket.place.max(Some(place));
    }
}
