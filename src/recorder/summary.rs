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
