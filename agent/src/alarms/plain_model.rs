//! What alarms are documented to be, in a slow and plain way, for tests.

use super::life::Kind;
use super::rule::{Rule, Severity};

pub(crate) const INTERVAL: i64 = 60_000;
pub(crate) const GAP: i64 = 3 * INTERVAL;

/// One reading: when, in milliseconds, and what.
pub(crate) type Sample = (i64, Option<f64>);

/// What a person is told: when, what, how bad, begin, extreme value and when.
pub(crate) type Line = (i64, Kind, Severity, i64, f64, i64);

/// So long, up to and with reading `last`, all values that there are fulfil a condition; the time of gaps is not counted.
/// `None` where the last one does not. Gives the first of them too.
fn run(
    samples: &[(i64, f64)],
    last: usize,
    from: usize,
    gap: i64,
    holds: impl Fn(f64) -> bool,
) -> Option<(i64, usize)> {
    let mut first = last;
    if !holds(samples[last].1) {
        return None;
    }
    while first > from && holds(samples[first - 1].1) {
        first -= 1;
    }
    let seen =
        samples[first..=last].windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|passed| *passed <= gap);
    Some((seen.sum(), first))
}

/// Looks back from every reading, and knows nothing but what was told. What is farther apart than `gap`, in milliseconds, has one
/// between.
pub(crate) fn plain(rule: &Rule, samples: &[Sample], gap: i64) -> Vec<Line> {
    let values: Vec<(i64, f64)> = samples.iter().filter_map(|(at, value)| Some((*at, (*value)?))).collect();
    let outermost = rule.levels.iter().flatten().next().unwrap();
    let (mut lines, mut raised, mut begin, mut from) = (Vec::new(), None::<Severity>, 0, 0);
    for last in 0..values.len() {
        let extreme = |begin: usize| {
            let farthest = values[begin..=last].iter().rev();
            *farthest.max_by(|a, b| outermost.excess(a.1).total_cmp(&outermost.excess(b.1))).unwrap()
        };
        let reached = [Severity::Critical, Severity::Warning].into_iter().find(|severity| {
            let Some(level) = rule.level(*severity) else { return false };
            let run = run(&values, last, from, gap, |value| level.excess(value) > 0.0);
            run.is_some_and(|(seen, _)| seen >= level.delay_ms)
        });
        if let Some(severity) = reached.filter(|reached| Some(*reached) > raised) {
            let kind = if raised.is_none() { Kind::Raised } else { Kind::Escalated };
            if raised.is_none() {
                begin = run(&values, last, from, gap, |value| outermost.excess(value) > 0.0).unwrap().1;
            }
            raised = Some(severity);
            let (at, value) = extreme(begin);
            lines.push((values[last].0, kind, severity, values[begin].0, value, at));
        }
        let back = run(&values, last, begin, gap, |value| outermost.excess(value) <= -rule.hysteresis);
        if let (Some(severity), Some((seen, _))) = (raised, back)
            && seen >= rule.clear_ms
        {
            let (at, value) = extreme(begin);
            lines.push((values[last].0, Kind::Cleared, severity, values[begin].0, value, at));
            (raised, from) = (None, last + 1);
        }
    }
    lines
}
