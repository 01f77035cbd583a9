//! The alarms against a slow plain model of what they are documented to be, over random series.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;

use super::life::Kind;
use super::plain_model::{GAP, INTERVAL, Line, Sample, plain};
use super::rule::{Level, Rule, Severity};
use super::signal::Signal;
use super::watch::{Moment, Told, Watch};
use crate::event_message::When;

fn rule(warning: Option<Level>, critical: Option<Level>, hysteresis: f64, clear_ms: i64) -> Rule {
    let signal = Signal::Field("temperature".into());
    Rule { name: "t".into(), signal, levels: [warning, critical], hysteresis, clear_ms }
}

/// UTC at the moment 0 of all series.
const ZERO: i64 = 1_790_000_000_000;

fn line(now: i64, told: &Told) -> Line {
    let at = |when| match when {
        When::Ago(ms) => now - ms,
        When::Utc(ms) => ms - ZERO,
    };
    (now, told.kind, told.severity, at(told.begin), told.extreme, at(told.extreme_at))
}

/// When the machine boots anew, and whether the time is known at once, or only after so many readings.
#[derive(Debug, Clone)]
struct Boot {
    before: usize,
    time_known_after: usize,
}

/// What the machine tells, of a device that is restarted and boots on the way: times are as its clock has them.
fn machine(rule: &Rule, samples: &[Sample], boots: &[Boot]) -> Vec<(i64, Told)> {
    let rules: Arc<[Rule]> = Arc::from([rule.clone()]);
    let (mut watch, mut all) = (Watch::new("boot"), Vec::new());
    watch.set_rules(rules.clone());
    let (mut boot_at, mut unknown, mut state) = (-5000, 0, None::<String>);
    for (number, (at, value)) in samples.iter().enumerate() {
        for boot in boots.iter().filter(|boot| boot.before == number) {
            boot_at = at - 20_000;
            let name = format!("boot {number}");
            unknown = boot.time_known_after;
            watch = match &state {
                Some(state) => Watch::after(state, &name, rules.clone()).unwrap(),
                None => Watch::new(&name),
            };
            watch.set_rules(rules.clone());
        }
        let utc = (unknown == 0).then(|| DateTime::from_timestamp_millis(ZERO + at).unwrap());
        unknown = unknown.saturating_sub(1);
        let moment = Moment {
            monotonic: Duration::from_millis((at - boot_at) as u64),
            utc,
            interval: Duration::from_millis(INTERVAL as u64),
        };
        let outcome = watch.look(moment, |_| *value);
        if outcome.keep {
            state = Some(watch.state(moment));
        }
        all.extend(outcome.told.into_iter().map(|told| (*at, told)));
    }
    all
}

fn lines(told: &[(i64, Told)]) -> Vec<Line> {
    told.iter().map(|(now, told)| line(*now, told)).collect()
}

fn level() -> impl Strategy<Value = Level> {
    (prop::option::of(-3..0), 1..4, 0..5_i64).prop_map(|(low, high, delay)| Level {
        low: low.map(f64::from),
        high: Some(f64::from(high)),
        delay_ms: delay * INTERVAL,
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    (level(), 0..3, 0..5_i64, 0..3, 0..3, 0..4_i64).prop_map(
        |(inner, wider, delay, shape, hysteresis, clear)| {
            let wider = f64::from(wider);
            let outer = Level {
                low: inner.low.map(|low| low - wider),
                high: inner.high.map(|high| high + wider),
                delay_ms: delay * INTERVAL,
            };
            let (warning, critical) = match shape {
                0 => (Some(inner), Some(outer)),
                1 => (Some(inner), None),
                _ => (None, Some(inner)),
            };
            rule(warning, critical, f64::from(hysteresis) / 2.0, clear * INTERVAL)
        },
    )
}

fn series() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![8 => Just(INTERVAL), 1 => Just(GAP), 1 => Just(GAP + 1), 1 => Just(10 * GAP)];
    // It stays where it is for a while, as temperatures do.
    let value = prop_oneof![1 => Just(None), 9 => (-6..7_i32).prop_map(|half| Some(f64::from(half)))];
    prop::collection::vec((step, value, 1..6_usize), 1..40).prop_map(|parts| {
        let mut at = 0;
        let mut samples = Vec::new();
        for (step, value, times) in parts {
            at += step - INTERVAL;
            for _ in 0..times {
                at += INTERVAL;
                samples.push((at, value));
            }
        }
        samples
    })
}

fn boots(known: impl Strategy<Value = usize> + 'static) -> impl Strategy<Value = Vec<Boot>> {
    let boot = (0..80_usize, known).prop_map(|(before, time_known_after)| Boot { before, time_known_after });
    prop::collection::vec(boot, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn it_tells_what_the_plain_model_tells(rule in rules(), samples in series()) {
        prop_assert_eq!(lines(&machine(&rule, &samples, &[])), plain(&rule, &samples, GAP));
    }

    #[test]
    fn boots_lose_nothing_and_double_nothing(rule in rules(), samples in series(), boots in boots(Just(0))) {
        prop_assert_eq!(lines(&machine(&rule, &samples, &boots)), plain(&rule, &samples, GAP));
    }

    /// How long it took to boot is not known then, and no time is counted across it; but what is told is in order.
    #[test]
    fn events_alternate_whatever_the_clock_knows(
        rule in rules(), samples in series(), boots in boots(0..6_usize),
    ) {
        let told = machine(&rule, &samples, &boots);
        let mut raised = None;
        for (_, told) in &told {
            let right = match told.kind {
                Kind::Raised => raised.is_none(),
                Kind::Escalated => raised == Some(Severity::Warning) && told.severity == Severity::Critical,
                Kind::Cleared => raised == Some(told.severity),
            };
            prop_assert!(right, "{:?} after {:?}", told, raised);
            raised = (told.kind != Kind::Cleared).then_some(told.severity);
        }
    }

    #[test]
    fn at_the_border_nothing_flaps(noise in prop::collection::vec(-0.9..0.9_f64, 1..300)) {
        let level = Level { low: None, high: Some(8.0), delay_ms: 0 };
        let rule = rule(Some(level), None, 1.0, 0);
        let samples: Vec<Sample> = (0..).map(|n| n * INTERVAL).zip(noise.iter().map(|n| Some(8.0 + n))).collect();
        prop_assert!(machine(&rule, &samples, &[]).len() <= 1);
    }
}

#[test]
fn a_defrost_raises_nothing_and_a_failed_compressor_does() {
    let level =
        |high, minutes| Some(Level { low: Some(0.0), high: Some(high), delay_ms: minutes * INTERVAL });
    let rule = rule(level(7.0, 30), level(10.0, 60), 0.5, 10 * INTERVAL);
    let told = |value: &dyn Fn(i64) -> f64| {
        let samples: Vec<Sample> = (0..24 * 60).map(|n| (n * INTERVAL, Some(value(n)))).collect();
        lines(&machine(&rule, &samples, &[]))
    };
    // Every six hours 25 minutes at 8.5.
    assert_eq!(told(&|n| if n % 360 < 25 { 8.5 } else { 4.0 }), []);
    // It fails after an hour, warms by 2 degrees an hour, is mended after ten, and cools by 4 an hour.
    let fails = |n: i64| {
        let warmed = 2.0 * (n - 60).clamp(0, 540) as f64 / 60.0;
        (4.0 + warmed - 4.0 * (n - 600).max(0) as f64 / 60.0).max(4.0)
    };
    let told = told(&fails);
    let minutes: Vec<_> = told.iter().map(|line| (line.0 / INTERVAL, line.1, line.2, line.4)).collect();
    assert_eq!(
        minutes,
        [
            (181, Kind::Raised, Severity::Warning, 8.033_333_333_333_333),
            (301, Kind::Escalated, Severity::Critical, 12.033_333_333_333_333),
            (843, Kind::Cleared, Severity::Critical, 22.0),
        ]
    );
    assert!(told.iter().all(|line| line.3 == 151 * INTERVAL), "it began when 7 degrees were passed");
}

#[test]
fn a_gap_neither_raises_nor_clears_and_is_told() {
    let rule =
        rule(Some(Level { low: None, high: Some(8.0), delay_ms: 5 * INTERVAL }), None, 0.0, 2 * INTERVAL);
    let hour = 60 * INTERVAL;
    let at = |times: &[i64], value: f64| times.iter().map(|at| (*at, Some(value))).collect::<Vec<_>>();
    let minutes = |from: i64, to: i64| (from..to).map(|n| n * INTERVAL).collect::<Vec<_>>();
    let samples = [
        at(&minutes(0, 4), 9.0),
        // Two hours without any, one with readings that have no value.
        (120..180).map(|n| (n * INTERVAL, None)).collect(),
        at(&minutes(180, 190), 9.0),
        at(&minutes(300, 310), 7.0),
    ]
    .concat();
    let told = machine(&rule, &samples, &[]);
    let told: Vec<_> = told.iter().map(|(at, told)| (at / INTERVAL, told.kind, told.gap)).collect();
    assert_eq!(
        told,
        [(182, Kind::Raised, 2 * hour + 57 * INTERVAL), (302, Kind::Cleared, 4 * hour + 48 * INTERVAL)]
    );
}

#[test]
fn a_clock_that_becomes_known_moves_what_was_before_to_where_it_was() {
    let rule = rule(Some(Level { low: None, high: Some(8.0), delay_ms: 2 * INTERVAL }), None, 0.0, 0);
    let hot = |n: i64| ((n * INTERVAL), Some(9.0));
    // An hour without power while it is pending or raised; then ten minutes without time.
    for before in [2, 4] {
        let mut samples: Vec<Sample> = (0..before).map(hot).chain((64..80).map(hot)).collect();
        samples.push((80 * INTERVAL, Some(5.0)));
        let boots = [Boot { before: before as usize, time_known_after: 10 }];
        let lines = lines(&machine(&rule, &samples, &boots));
        assert_eq!(lines, plain(&rule, &samples, GAP));
        assert_eq!(lines.len(), 2);
    }
}

#[test]
fn an_alarm_that_nobody_asks_for_any_more_ends_and_one_that_is_set_otherwise_lives_on() {
    let level = |high| Some(Level { low: None, high: Some(high), delay_ms: 0 });
    let moment = |minute: u64| Moment {
        monotonic: Duration::from_mins(minute),
        utc: None,
        interval: Duration::from_mins(1),
    };
    let mut watch = Watch::new("boot");
    watch.set_rules(Arc::from([rule(level(8.0), None, 0.0, 0)]));
    assert_eq!(watch.look(moment(1), |_| Some(9.0)).told[0].kind, Kind::Raised);
    watch.set_rules(Arc::from([rule(level(8.5), None, 0.0, 0)]));
    assert!(watch.look(moment(2), |_| Some(9.0)).told.is_empty());
    assert!(watch.acknowledge("t") && !watch.acknowledge("u"));
    assert!(watch.active()[0].acknowledged);
    // Over a restart, too.
    let state = watch.state(moment(2));
    for rules in [vec![], vec![rule(level(8.5), None, 0.0, 0)]] {
        let is_set = !rules.is_empty();
        let mut watch = Watch::after(&state, "boot", rules.into()).unwrap();
        let told = watch.look(moment(3), |_| Some(9.0)).told;
        let removed: Vec<_> = told.iter().map(|told| (told.kind, told.removed)).collect();
        assert_eq!(removed, if is_set { vec![] } else { vec![(Kind::Cleared, true)] });
        assert_eq!(watch.is_idle(), !is_set);
        assert!(watch.look(moment(4), |_| Some(9.0)).told.is_empty());
    }
}
