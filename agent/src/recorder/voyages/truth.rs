//! What a report of a trip must say, found out of the story slowly: every reading is kept, and looked at for each question.

use chrono::DateTime;
use serde_json::{Value, json};

use super::device::ZERO;
use super::story::{Before, HOUR, Step};
use crate::config::Alerts;
use crate::platform::clock::rfc3339;

/// °C that figures may differ by: half of their last digit.
const HALF: f64 = 0.0051;

/// Readings of a trip, and by what it is measured.
pub(super) struct Truth<'a> {
    pub(super) steps: &'a [Step],
    /// Milliseconds.
    pub(super) gap_after: i64,
    pub(super) alerts: &'a Alerts,
}

/// A time for which a reading stands: from when, in UTC as far as that is known, and how long.
type Span = Option<(i64, i64)>;

/// Whether a value is beyond a limit.
type Beyond = fn(f64, f64) -> bool;

/// What was measured, for how long, and which reading it was.
struct Piece {
    value: f64,
    from: i64,
    ms: i64,
}

impl Truth<'_> {
    /// That the report says what was so.
    pub(super) fn check(&self, report: &Value) {
        let (spans, gaps) = self.spans();
        assert_eq!(report["readings"], self.steps.len());
        let times: Vec<i64> =
            self.steps.iter().filter(|step| !step.is_timeless).map(|step| step.at).collect();
        assert_eq!(report["first"], time(times.first().map(|at| ZERO + at)));
        assert_eq!(report["last"], time(times.last().map(|at| ZERO + at)));
        let found = &report["gaps"];
        let lengths = gaps.iter().flatten();
        assert_eq!(found["count"], gaps.len(), "{found}");
        assert_eq!(found["ofUnknownLength"], gaps.iter().filter(|gap| gap.is_none()).count(), "{found}");
        seconds(&found["longestSeconds"], lengths.clone().copied().max().unwrap_or(0));
        seconds(&found["totalSeconds"], lengths.sum());
        let Alerts { temperature_low, temperature_high, humidity_low, humidity_high } = *self.alerts;
        self.check_field(
            &report["temperature"],
            &spans,
            |step| step.world.temperature,
            temperature_low,
            temperature_high,
        );
        self.check_field(
            &report["humidity"],
            &spans,
            |step| step.world.humidity,
            humidity_low,
            humidity_high,
        );
        self.check_kinetic(&report["temperature"], &spans);
        assert_eq!(report["doorOpenings"], self.openings());
        self.check_distance(&report["distanceKm"]);
    }

    /// For each reading the time until the next, where that is known and no gap; and the gaps, with their lengths where those are
    /// known.
    fn spans(&self) -> (Vec<Span>, Vec<Option<i64>>) {
        let (mut spans, mut gaps) = (Vec::new(), Vec::new());
        // Where the report thinks it is, which is true wherever the time is known.
        let mut is_true = !self.steps[0].is_timeless;
        let mut here = if is_true { ZERO + self.steps[0].at } else { 0 };
        for pair in self.steps.windows(2) {
            let [one, two] = pair else { unreachable!() };
            let from = here;
            let passed = two.at - one.at;
            let uptimes = (two.at - two.boot_at) - (one.at - one.boot_at);
            let span = match (one.is_timeless, two.is_timeless) {
                (false, false) => Some(passed),
                // Nothing tells one boot without a time from another.
                (true, true) => Some(uptimes).filter(|uptimes| *uptimes >= 0),
                _ => None,
            };
            here = if two.is_timeless { here + span.unwrap_or(0) } else { ZERO + two.at };
            match span {
                Some(span) if span <= self.gap_after => spans.push(Some((from, span))),
                Some(span) => {
                    gaps.push(Some(span));
                    spans.push(None);
                }
                None => {
                    let ends = one.is_timeless && !two.is_timeless && is_true;
                    gaps.push(ends.then(|| here - from));
                    spans.push(None);
                }
            }
            is_true |= !two.is_timeless;
        }
        (spans, gaps)
    }

    fn check_field(
        &self,
        found: &Value,
        spans: &[Span],
        value: impl Fn(&Step) -> Option<f64>,
        low: Option<f64>,
        high: Option<f64>,
    ) {
        let values = || self.steps.iter().filter_map(|step| Some((value(step)?, step)));
        for (name, sign) in [("min", 1.0), ("max", -1.0)] {
            let first = values().min_by(|a, b| (a.0 * sign).total_cmp(&(b.0 * sign)));
            let expected = first.map_or(Value::Null, |(value, step)| {
                json!({"value": value, "time": time((!step.is_timeless).then_some(ZERO + step.at))})
            });
            assert_eq!(found[name], expected, "{name}");
        }
        // Of each reading but the last: what it says, and for how long that stands.
        let held = || self.steps.iter().zip(spans).map(|(step, span)| Some((value(step)?, (*span)?)));
        let known: i64 = held().flatten().map(|(_, (_, ms))| ms).sum();
        let sum: f64 = held().flatten().map(|(value, (_, ms))| value * ms as f64).sum();
        seconds(&found["seconds"], known);
        close(&found["mean"], (known > 0).then(|| sum / known as f64));
        let sides: [(&str, Option<f64>, Beyond); 2] =
            [("low", low, |value, limit| value < limit), ("high", high, |value, limit| value > limit)];
        for (name, limit, is_beyond) in sides {
            let Some(limit) = limit else { continue };
            let found = &found[name];
            assert_eq!(found["limit"], limit);
            let beyond = held()
                .map(|held| held.map(|(value, span)| (is_beyond(value, limit), span)))
                .collect::<Vec<_>>();
            let total = beyond.iter().flatten().filter(|(is, _)| *is).map(|(_, (_, ms))| ms).sum();
            seconds(&found["beyondSeconds"], total);
            for (what, is) in [("Beyond", true), ("Within", false)] {
                let runs = beyond.chunk_by(|a, b| a.map(|a| a.0) == b.map(|b| b.0));
                let runs = runs.filter_map(|run| {
                    let (_, (from, _)) = run[0].filter(|(beyond, _)| *beyond == is)?;
                    Some((from, run.iter().flatten().map(|(_, (_, ms))| ms).sum::<i64>()))
                });
                // The first of the longest.
                let longest = runs.rev().max_by_key(|(_, ms)| *ms);
                seconds(&found[format!("longest{what}Seconds")], longest.map_or(0, |(_, ms)| ms));
                let from = longest.map(|(from, _)| from);
                assert_eq!(found[format!("longest{what}From")], time(from), "{found}");
            }
        }
    }

    fn check_kinetic(&self, found: &Value, spans: &[Span]) {
        let pieces: Vec<Piece> = self
            .steps
            .iter()
            .zip(spans)
            .filter_map(|(step, span)| {
                let (value, (from, ms)) = (step.world.temperature?, (*span)?);
                Some(Piece { value, from, ms })
            })
            .collect();
        close(&found["mkt"], mean_kinetic(pieces.iter().map(|piece| (piece.value, piece.ms))));
        // Split at full hours of UTC.
        let mut parts: Vec<(i64, f64, i64)> = Vec::new();
        for Piece { value, from, ms } in &pieces {
            let mut at = *from;
            while at < from + ms {
                let until = (from + ms).min((at.div_euclid(HOUR) + 1) * HOUR);
                parts.push((at.div_euclid(HOUR), *value, until - at));
                at = until;
            }
        }
        let worst = |length: i64| {
            let mut worst: Option<f64> = None;
            // A window ends with an hour of which something is known.
            for (end, ..) in parts.iter().filter(|part| part.0 > parts[0].0 + length - 2) {
                let within = parts.iter().filter(|part| (end - length + 1..=*end).contains(&part.0));
                let mean = mean_kinetic(within.map(|part| (part.1, part.2)));
                worst = worst.into_iter().chain(mean).reduce(f64::max);
            }
            worst.or_else(|| mean_kinetic(parts.iter().map(|part| (part.1, part.2))))
        };
        for (name, length) in [("mkt24h", 24), ("mkt30d", 720)] {
            close(found[name].get("value").unwrap_or(&Value::Null), worst(length));
        }
    }

    /// Openings that the program saw: those between two of its readings.
    fn openings(&self) -> u64 {
        let of_start = |step: &Step| step.world.openings;
        let mut all = 0;
        for pair in self.steps.windows(2) {
            let [one, two] = pair else { unreachable!() };
            let is_same_start = two.before == Before::Nothing;
            all += if is_same_start { of_start(two) - of_start(one) } else { of_start(two) };
        }
        all
    }

    /// From fix to fix that lie 100 m apart.
    fn check_distance(&self, found: &Value) {
        let fixes: Vec<(f64, f64)> = self.steps.iter().filter_map(|step| Some(step.world.fix?.0)).collect();
        let Some(first) = fixes.first() else { return assert_eq!(found, &Value::Null) };
        let (mut way, mut last) = (0.0, *first);
        for fix in fixes {
            let leg = along_the_surface(last, fix);
            if leg >= 100.0 {
                (way, last) = (way + leg, fix);
            }
        }
        assert!((found.as_f64().unwrap() - way / 1000.0).abs() < 0.0501, "{found} km, {way} m");
    }
}

/// As a report has it.
fn time(at: Option<i64>) -> Value {
    json!(at.map(|at| rfc3339(DateTime::from_timestamp_millis(at).unwrap())))
}

fn seconds(found: &Value, ms: i64) {
    assert!(found.as_i64().is_some_and(|found| (found * 1000 - ms).abs() <= 500), "{found} s, {ms} ms");
}

fn close(found: &Value, expected: Option<f64>) {
    let is_close = match expected {
        None => found.is_null(),
        Some(expected) => found.as_f64().is_some_and(|found| (found - expected).abs() <= HALF),
    };
    assert!(is_close, "{found}, and not {expected:?}");
}

/// The formula as the reference has it, in kelvin.
fn mean_kinetic(pieces: impl Iterator<Item = (f64, i64)>) -> Option<f64> {
    let (mut weight, mut sum) = (0, 0.0);
    for (celsius, ms) in pieces {
        (weight, sum) = (weight + ms, sum + ms as f64 * (-83.144 / 0.008_314_4 / (celsius + 273.15)).exp());
    }
    (weight > 0).then(|| 83.144 / 0.008_314_4 / -(sum / weight as f64).ln() - 273.15)
}

/// By the angle between two directions from the centre of the earth.
fn along_the_surface(from: (f64, f64), to: (f64, f64)) -> f64 {
    let direction = |(x, y): (f64, f64)| {
        let (x, y) = (x.to_radians(), y.to_radians());
        [y.cos() * x.cos(), y.cos() * x.sin(), y.sin()]
    };
    let [a, b] = [from, to].map(direction);
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let sine = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
    let cosine: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    6_371_008.8 * sine.atan2(cosine)
}
