//! How long things took, as histograms that can be added up.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From a microsecond to an hour, to one part in a hundred.
const LONGEST_US: u64 = 3_600_000_000;
const DIGITS: u8 = 2;

/// What takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latency {
    /// From the first packet to the provisioning service until the hub has accepted the device.
    Provisioning,
    /// From the first packet to the hub until it has accepted the device.
    Connecting,
    /// From a message to its acknowledgement.
    Puback,
    /// From the request for the twin to the twin.
    Twin,
    /// From the call of a method to its result, as the service's caller sees it.
    Method,
    /// From what happens to all until the device is online again.
    Recovery,
}

impl Latency {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Provisioning, Self::Connecting, Self::Puback, Self::Twin, Self::Method, Self::Recovery];

    /// As summaries have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Connecting => "connecting",
            Self::Puback => "puback",
            Self::Twin => "twin",
            Self::Method => "method",
            Self::Recovery => "recovery",
        }
    }
}

/// A histogram of microseconds. In JSON it is the list of its buckets that are not empty, [microseconds, count].
#[derive(Debug, Clone)]
pub struct Times(Option<Histogram<u64>>);

impl Default for Times {
    fn default() -> Self {
        // The bounds are good ones, so that there always is a histogram.
        Self(Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok())
    }
}

impl Times {
    /// Counts one.
    pub fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US);
        self.add_count(us, 1);
    }

    fn add_count(&mut self, us: u64, count: u64) {
        if let Some(histogram) = &mut self.0 {
            // Within its bounds nothing fails.
            let _ = histogram.record_n(us.clamp(1, LONGEST_US), count);
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (us, count) in other.buckets() {
            self.add_count(us, count);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// So many of a hundred took no longer than this; `None` where there are none.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Duration::from_micros(histogram.value_at_percentile(percent)))
    }

    fn buckets(&self) -> Vec<(u64, u64)> {
        let of = |histogram: &Histogram<u64>| {
            histogram
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_since_last_iteration()))
                .collect()
        };
        self.0.as_ref().map(of).unwrap_or_default()
    }
}

impl PartialEq for Times {
    fn eq(&self, other: &Self) -> bool {
        self.buckets() == other.buckets()
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.buckets().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut times = Self::default();
        for (us, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            // A sum of many files stays a number.
            times.add_count(us, count.min(1 << 40));
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_of_parts_add_up_to_that_of_the_whole_also_by_way_of_json() {
        let mut whole = Times::default();
        let mut parts = [Times::default(), Times::default(), Times::default()];
        for n in 0..3000u64 {
            let time = Duration::from_micros(n * n / 7);
            whole.record(time);
            parts[n as usize % 3].record(time);
        }
        let mut sum = Times::default();
        for part in &parts {
            let text = serde_json::to_string(part).unwrap();
            sum.add(&serde_json::from_str(&text).unwrap());
        }
        assert_eq!(sum, whole);
        assert_eq!((sum.count(), sum.percentile(99.0)), (3000, whole.percentile(99.0)));
        let median = whole.percentile(50.0).unwrap().as_micros() as f64;
        assert!((median / (1500.0 * 1500.0 / 7.0) - 1.0).abs() < 0.02, "{median}");
        let huge: Times =
            serde_json::from_str("[[0,1],[18446744073709551615,18446744073709551615]]").unwrap();
        assert_eq!(huge.percentile(100.0).map(|time| time.as_secs() / 60), Some(60));
    }
}
