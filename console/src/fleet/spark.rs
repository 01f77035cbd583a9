//! Means of the temperature over the last 24 hours, hour by hour, in the device's own time.

use serde::{Deserialize, Serialize};

use crate::telemetry::{Field, Reading};

const HOURS: i64 = 24;
const HOUR: i64 = 3_600_000;

/// Of each hour its number since 1970, the sum and the number of its readings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spark(Vec<(i64, i64, u32)>);

impl Spark {
    /// Takes a reading, whenever it comes: one that was late fills its hour.
    pub(crate) fn take(&mut self, reading: &Reading) {
        let kept = |field| reading.values.kept(field);
        let Some(temperature) = kept(Field::TemperatureMean).or_else(|| kept(Field::Temperature)) else {
            return;
        };
        if reading.has_time {
            self.add(reading.time.div_euclid(HOUR), temperature.into(), 1);
        }
    }

    fn add(&mut self, hour: i64, sum: i64, count: u32) {
        let newest = self.0.last().map_or(hour, |(newest, ..)| *newest);
        if hour <= newest - HOURS {
            return;
        }
        match self.0.binary_search_by_key(&hour, |(hour, ..)| *hour) {
            Ok(at) => {
                self.0[at].1 += sum;
                self.0[at].2 = self.0[at].2.saturating_add(count);
            }
            Err(at) => self.0.insert(at, (hour, sum, count)),
        }
        let newest = newest.max(hour);
        self.0.retain(|(hour, ..)| *hour > newest - HOURS);
    }

    /// Means, the newest last; nothing before the first.
    pub(crate) fn means(&self) -> Vec<Option<f64>> {
        let (Some((first, ..)), Some((last, ..))) = (self.0.first(), self.0.last()) else {
            return Vec::new();
        };
        let mean = |hour: i64| {
            let at = self.0.binary_search_by_key(&hour, |(hour, ..)| *hour).ok()?;
            let (_, sum, count) = self.0[at];
            let mean = Field::Temperature.value(sum as f64 / f64::from(count.max(1)));
            // As fine as one sees it, so that a row does not change with every reading.
            Some((mean * 10.0).round() / 10.0)
        };
        (*first..=*last).map(mean).collect()
    }

    /// Of sums and numbers of readings of hours.
    pub(crate) fn of(hours: impl IntoIterator<Item = (i64, i64, u32)>) -> Self {
        let mut spark = Self::default();
        for (hour, sum, count) in hours {
            spark.add(hour, sum, count);
        }
        spark
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
        #[test]
        fn in_whatever_order_readings_come_the_spark_is_the_same(readings in prop::collection::vec((0..90_i64, -40..40_i64), 1..80)) {
            let mut spark = Spark::default();
            let mut plain: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (hour, degrees) in &readings {
                spark.add(*hour, degrees * 1000, 1);
                plain.entry(*hour).or_default().push(*degrees as f64);
            }
            let newest = *plain.keys().last().unwrap();
            let plain = plain.split_off(&(newest - 23));
            let first = *plain.keys().next().unwrap();
            let means = spark.means();
            prop_assert_eq!(means.len() as i64, newest - first + 1);
            for (hour, mean) in (first..).zip(means) {
                let expected = plain.get(&hour).map(|all| all.iter().sum::<f64>() / all.len() as f64);
                prop_assert_eq!(mean.is_some(), expected.is_some());
                prop_assert!((mean.unwrap_or_default() - expected.unwrap_or_default()).abs() <= 0.0501);
            }
        }
    }
}
