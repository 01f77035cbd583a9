//! What was measured between two reports: minimum, maximum and mean, so that no peak is too short to be seen.

use std::time::Duration;

use crate::instruments::SUMMARISED;
use crate::instruments::fields::Fields;

/// Of a summary, the seconds that it is of.
const PERIOD: &str = "period";
/// Measurements that are farther apart than so many intervals have a hole between them, that counts for nothing.
const HOLE_INTERVALS: u32 = 3;

/// The measurements since the last report.
#[derive(Debug, Default)]
pub(super) struct Summary {
    spreads: [Spread; SUMMARISED.len()],
    /// How long was measured.
    period: Duration,
    /// The last measurement.
    last: Option<Duration>,
}

/// Of one field.
#[derive(Debug, Default, Clone, Copy)]
struct Spread {
    least: f64,
    most: f64,
    /// Of value times seconds.
    sum: f64,
    /// Seconds; 0: there was no value.
    weight: f64,
}

impl Summary {
    /// Takes a measurement: it stands for the time since the one before, at the given interval.
    pub(super) fn take(&mut self, at: Duration, interval: Duration, fields: &Fields) {
        let since = self.last.replace(at).map_or(interval, |last| at.saturating_sub(last));
        let stands_for = if since > interval * HOLE_INTERVALS { interval } else { since };
        self.period += stands_for;
        let weight = stands_for.as_secs_f64().max(f64::MIN_POSITIVE);
        for (spread, [name, ..]) in self.spreads.iter_mut().zip(SUMMARISED) {
            if let Some(value) = fields.get(name) {
                let is_first = spread.weight == 0.0;
                spread.least = if is_first { value } else { spread.least.min(value) };
                spread.most = if is_first { value } else { spread.most.max(value) };
                spread.sum += value * weight;
                spread.weight += weight;
            }
        }
    }

    /// Adds it to the fields of a report, and begins anew.
    pub(super) fn tell(&mut self, fields: &mut Fields) {
        for (spread, [_, min, max, mean]) in self.spreads.iter().zip(SUMMARISED) {
            let known = |value: f64| (spread.weight > 0.0).then_some(value);
            fields.number(min, known(spread.least), 2);
            fields.number(max, known(spread.most), 2);
            fields.number(mean, known(spread.sum / spread.weight), 2);
        }
        fields.count(PERIOD, self.period.as_secs_f64().round() as u64);
        *self = Self { last: self.last, ..Self::default() };
    }

    /// A report that needs none.
    pub(super) fn skip(&mut self, at: Duration) {
        *self = Self { last: Some(at), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        /// Held against all measurements, each of which stands for the time since the one before.
        #[test]
        fn it_is_the_summary_of_all_measurements(
            all in proptest::collection::vec((1..=300_u64, proptest::option::weighted(0.9, -40.0..85.0)), 1..100),
        ) {
            let (interval, mut summary, mut at) = (Duration::from_mins(1), Summary::default(), Duration::ZERO);
            summary.skip(at);
            let mut plain: Vec<(f64, f64)> = Vec::new();
            let mut period = 0;
            for (after, value) in &all {
                at += Duration::from_secs(*after);
                let mut fields = Fields::default();
                fields.number("temperature", *value, 2);
                summary.take(at, interval, &fields);
                // A hole counts as the one measurement after it.
                let stands_for = if *after > 180 { 60 } else { *after };
                period += stands_for;
                plain.extend(value.map(|value| (value, stands_for as f64)));
            }
            let mut fields = Fields::default();
            summary.tell(&mut fields);
            let told: Value = serde_json::from_str(&fields.clone().into_json()).unwrap();
            prop_assert_eq!(&told["period"], &Value::from(period));
            let seconds: f64 = plain.iter().map(|(_, seconds)| seconds).sum();
            let mean = plain.iter().map(|(value, seconds)| value * seconds).sum::<f64>() / seconds;
            let of = |fold: fn(f64, f64) -> f64| plain.iter().map(|(value, _)| *value).reduce(fold);
            prop_assert_eq!(fields.get("temperatureMin"), of(f64::min));
            prop_assert_eq!(fields.get("temperatureMax"), of(f64::max));
            match fields.get("temperatureMean") {
                Some(told) => prop_assert!((told - mean).abs() < 1e-9, "{told} and {mean}"),
                None => prop_assert!(plain.is_empty()),
            }
            prop_assert!(told.get("humidityMin").is_none());
            // Nothing of it is told twice.
            summary.take(at + interval, interval, &Fields::default());
            let mut fields = Fields::default();
            summary.tell(&mut fields);
            prop_assert_eq!(fields.into_json(), "{\"period\":60}");
        }
    }
}
