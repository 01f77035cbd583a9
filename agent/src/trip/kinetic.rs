//! Mean kinetic temperature: the one temperature that does the same harm as the course of temperatures did.
//!
//! `T = (ΔH/R) / -ln( Σ w·exp(-ΔH/(R·T)) / Σ w )`, in kelvin, with ΔH/R = 83.144 / 0.0083144 = 10,000 K.

use std::collections::VecDeque;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::numbers::rounded;
use super::timeline::Held;
use crate::platform::clock::rfc3339;

/// ΔH/R in kelvin.
const ACTIVATION: f64 = 10_000.0;
/// 0 °C in kelvin.
const ZERO: f64 = 273.15;
/// No sensor measures less, in kelvin.
const COLDEST: f64 = 50.0;
const HOUR_MS: i64 = 3_600_000;
/// Hours of the windows.
const DAY: i64 = 24;
const MONTH: i64 = 30 * 24;
/// Rates that differ by less of them are those of one temperature.
const ALIKE: f64 = 1e-9;
/// Bytes of an hour as it is kept.
const KEPT: usize = 20;

/// Milliseconds, and the sum of harm over them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Harm {
    ms: i64,
    sum: f64,
}

/// One clock hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Hour {
    /// Since 1970.
    number: i64,
    harm: Harm,
}

/// Completed hours, no more than a window needs: some 14 KB at the most.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hours(VecDeque<Hour>);

/// The worst window so far: its mean harm, and its first hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Worst(f64, i64);

/// What is known of a temperature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kinetic {
    whole: Harm,
    /// The first hour of the trip.
    first: Option<i64>,
    current: Option<Hour>,
    day: Option<Worst>,
    month: Option<Worst>,
    #[serde(skip)]
    hours: Hours,
}

impl Harm {
    fn add(&mut self, other: Self) {
        self.ms += other.ms;
        self.sum += other.sum;
    }

    fn mean(self) -> Option<f64> {
        (self.ms > 0).then(|| self.sum / self.ms as f64)
    }
}

/// Harm a millisecond at a temperature in °C, relative to that at 0 °C.
fn rate(celsius: f64) -> f64 {
    let kelvin = (celsius + ZERO).max(COLDEST);
    (ACTIVATION * (1.0 / ZERO - 1.0 / kelvin)).exp()
}

/// The temperature in °C at which harm has this rate.
fn celsius(rate: f64) -> f64 {
    ACTIVATION / (ACTIVATION / ZERO - rate.ln()) - ZERO
}

impl Hours {
    /// As bytes, to be kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hour = |hour: &Hour| {
            let ms = (hour.harm.ms as u32).to_le_bytes();
            [&hour.number.to_le_bytes()[..], &ms, &hour.harm.sum.to_le_bytes()].concat()
        };
        self.0.iter().flat_map(hour).collect()
    }

    /// From bytes; what is no hour at their end is passed over.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let hour = |bytes: &[u8]| {
            let number = i64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
            let ms = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?);
            let sum = f64::from_le_bytes(bytes.get(12..KEPT)?.try_into().ok()?);
            Some(Hour { number, harm: Harm { ms: ms.into(), sum } })
        };
        Self(bytes.chunks_exact(KEPT).filter_map(hour).collect())
    }

    /// The number of the newest, which tells whether they have changed; `None` without any.
    pub fn newest(&self) -> Option<i64> {
        self.0.back().map(|hour| hour.number)
    }
}

impl Kinetic {
    pub(super) fn hours(&self) -> &Hours {
        &self.hours
    }

    pub(super) fn set_hours(&mut self, hours: Hours) {
        self.hours = hours;
    }

    /// A temperature has stood so long.
    pub(super) fn hold(&mut self, celsius: f64, held: Held) {
        let rate = rate(celsius);
        let (mut from, end) = (held.from_ms, held.from_ms + held.ms);
        while from < end {
            let number = from.div_euclid(HOUR_MS);
            let until = end.min((number + 1) * HOUR_MS);
            let ms = until - from;
            self.add(number, Harm { ms, sum: rate * ms as f64 });
            from = until;
        }
    }

    fn add(&mut self, number: i64, harm: Harm) {
        self.whole.add(harm);
        // Where the time steps back, what comes counts to the hour that it was.
        let number = self.current.map_or(number, |current| number.max(current.number));
        self.first.get_or_insert(number);
        match &mut self.current {
            Some(current) if current.number == number => current.harm.add(harm),
            current => {
                if let Some(done) = current.replace(Hour { number, harm }) {
                    self.complete(done);
                }
            }
        }
    }

    fn complete(&mut self, done: Hour) {
        self.day = self.worse(self.day, done, DAY);
        self.month = self.worse(self.month, done, MONTH);
        self.hours.0.push_back(done);
        while self.hours.0.front().is_some_and(|hour| hour.number <= done.number - MONTH) {
            self.hours.0.pop_front();
        }
    }

    /// The worse of the worst so far and the window of so many hours that ends with this one.
    fn worse(&self, worst: Option<Worst>, last: Hour, length: i64) -> Option<Worst> {
        let first = last.number + 1 - length;
        if self.first.is_none_or(|begin| begin > first) {
            return worst;
        }
        let mut harm = last.harm;
        for hour in self.hours.0.iter().rev().take_while(|hour| hour.number >= first) {
            harm.add(hour.harm);
        }
        let here = harm.mean().map(|mean| Worst(mean, first));
        match (worst, here) {
            // Of windows that are alike the first counts, whatever a sum was rounded to on the way.
            (Some(worst), Some(here)) if here.0 <= worst.0 * (1.0 + ALIKE) => Some(worst),
            (worst, here) => here.or(worst),
        }
    }

    pub(super) fn report(&self) -> Map<String, Value> {
        let mut report = Map::new();
        let whole = self.whole.mean();
        report.insert("mkt".into(), json!(whole.map(|rate| rounded(celsius(rate), 2))));
        for (name, worst, length) in [("mkt24h", self.day, DAY), ("mkt30d", self.month, MONTH)] {
            let worst = self.current.map_or(worst, |current| self.worse(worst, current, length));
            let worst = worst.or_else(|| Some(Worst(whole?, self.first?)));
            let shown = worst.map(|Worst(rate, first)| {
                let from = DateTime::from_timestamp_millis(first * HOUR_MS).map(rfc3339);
                json!({"value": rounded(celsius(rate), 2), "from": from})
            });
            report.insert(name.into(), json!(shown));
        }
        report
    }
}
