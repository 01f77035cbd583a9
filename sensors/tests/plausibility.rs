//! What the agent believes of what a receiver says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use common::{Log, decode};
use tracker_sensors::gps::{Fix, Judgement, Kind, Plausibility, PlausibilitySettings, Position, repair_date};

const BUILD_DATE: NaiveDate = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn settings() -> PlausibilitySettings {
    PlausibilitySettings { build_date: Some(BUILD_DATE), time_scale: 1.0 }
}

fn fix(second: u32, latitude: f64) -> Fix {
    Fix {
        time: NaiveTime::MIN + TimeDelta::seconds(i64::from(second)),
        date: Some(date("2026-09-01")),
        position: Position { latitude, longitude: 4.0 },
        altitude_m: None,
        speed_kn: None,
        course_deg: None,
        quality: None,
        satellites: None,
        hdop: None,
        sources: vec![Kind::Rmc],
        spread_m: 0.0,
        end: 0,
        received_at: Duration::from_secs(u64::from(second)),
    }
}

#[test]
fn dates_are_brought_into_the_era_of_the_software() {
    let repaired = |text: &str| repair_date(date(text), BUILD_DATE);
    assert_eq!(repaired("2026-08-01"), Some(date("2026-08-01")));
    assert_eq!(repaired("2007-01-15"), Some(date("2026-08-31")), "one era back");
    assert_eq!(repaired("1987-06-01"), Some(date("2026-08-31")), "two eras back");
    assert_eq!(repaired("2046-07-31"), Some(date("2046-07-31")));
    assert_eq!(repaired("2046-08-02"), None, "20 years later");
    // The day before the build date would come back as a date almost 20 years ahead, which is allowed.
    assert_eq!(repaired("2026-07-31"), Some(date("2046-03-16")));
}

#[test]
fn a_recording_made_a_week_era_behind_gets_its_true_date() {
    let log = Log::named("syn-week-rollover");
    let mut plausibility =
        Plausibility::new(PlausibilitySettings { build_date: Some(date("2025-01-01")), time_scale: 1.0 });
    let mut repaired = 0;
    for fix in decode([&log.bytes[..]]) {
        let sent = fix.date.unwrap();
        let (Judgement::Plausible(fix), _) = plausibility.judge(fix) else {
            panic!("the container did not jump")
        };
        assert_eq!(fix.date.unwrap().signed_duration_since(sent).num_days(), 7168);
        repaired += 1;
    }
    assert_eq!(repaired, 60);
}

#[test]
fn one_far_away_fix_is_not_believed() {
    let mut plausibility = Plausibility::new(settings());
    assert!(matches!(plausibility.judge(fix(0, 52.0)).0, Judgement::Plausible(_)));
    let (Judgement::Suspect { implied_kmh }, _) = plausibility.judge(fix(1, 53.0)) else {
        panic!("111 km in a second")
    };
    assert!((implied_kmh - 400_302.0).abs() < 100.0, "{implied_kmh}");
    assert!(matches!(plausibility.judge(fix(2, 52.0001)).0, Judgement::Plausible(_)), "back where it was");
    assert!(matches!(plausibility.judge(fix(3, 53.0)).0, Judgement::Suspect { .. }), "not yet a third");
}

#[test]
fn a_third_fix_that_agrees_with_the_jump_settles_it() {
    let mut plausibility = Plausibility::new(settings());
    plausibility.judge(fix(0, 52.0));
    assert!(matches!(plausibility.judge(fix(1, 53.0)).0, Judgement::Suspect { .. }));
    assert!(matches!(plausibility.judge(fix(2, 53.0001)).0, Judgement::Plausible(_)));
    assert!(matches!(plausibility.judge(fix(3, 53.0002)).0, Judgement::Plausible(_)));
}

#[test]
fn a_long_time_without_fixes_allows_a_long_way() {
    let mut plausibility = Plausibility::new(settings());
    plausibility.judge(fix(0, 52.0));
    assert!(matches!(plausibility.judge(fix(7200, 53.0)).0, Judgement::Plausible(_)));
}

#[test]
fn wandering_at_rest_is_no_jump_even_ten_times_a_second() {
    let mut plausibility = Plausibility::new(settings());
    plausibility.judge(fix(0, 52.0));
    let mut next = fix(0, 52.0 + 0.003);
    next.time += TimeDelta::milliseconds(100);
    assert!(matches!(plausibility.judge(next).0, Judgement::Plausible(_)));
}

#[test]
fn no_fix_of_a_real_journey_is_doubted() {
    for log in Log::all() {
        let mut plausibility = Plausibility::new(PlausibilitySettings { build_date: None, time_scale: 1.0 });
        let suspects = decode([&log.bytes[..]])
            .into_iter()
            .filter(|fix| matches!(plausibility.judge(fix.clone()).0, Judgement::Suspect { .. }))
            .count();
        // Cut together from two recordings, the second of them the earlier one and 2 km away.
        let jumps = usize::from(log.name == "bt451");
        assert_eq!(suspects, jumps, "{}", log.name);
    }
}

#[test]
fn time_counts_when_two_epochs_in_a_row_agree_with_the_clock() {
    let mut plausibility = Plausibility::new(settings());
    assert_eq!(plausibility.judge(fix(0, 52.0)).1, None, "one epoch proves nothing");
    let time = plausibility.judge(fix(1, 52.0)).1.expect("two agree");
    assert_eq!(
        (time.utc.to_rfc3339().as_str(), time.at),
        ("2026-09-01T00:00:01+00:00", Duration::from_secs(1))
    );

    // The leap seconds become known: a step of 18 s.
    let mut corrected = fix(2, 52.0);
    corrected.time += TimeDelta::seconds(18);
    assert_eq!(plausibility.judge(corrected).1, None);
    let mut next = fix(3, 52.0);
    next.time += TimeDelta::seconds(18);
    assert!(plausibility.judge(next).1.is_some());

    plausibility.no_fix();
    let mut after = fix(5, 52.0);
    after.time += TimeDelta::seconds(18);
    assert_eq!(plausibility.judge(after).1, None, "an epoch without a fix lay between");
}

#[test]
fn time_that_stands_still_is_not_trusted() {
    let mut plausibility = Plausibility::new(settings());
    plausibility.judge(fix(0, 52.0));
    let mut frozen = fix(0, 52.0);
    frozen.received_at = Duration::from_millis(500);
    assert_eq!(plausibility.judge(frozen).1, None);
}

#[test]
fn a_date_that_cannot_be_is_dropped_and_with_it_the_time() {
    let mut plausibility = Plausibility::new(settings());
    for second in 0..3 {
        let mut far = fix(second, 52.0);
        far.date = Some(date("2070-01-01"));
        let (judgement, time) = plausibility.judge(far);
        assert_eq!(time, None);
        let Judgement::Plausible(fix) = judgement else { panic!("the position is sound") };
        assert_eq!(fix.date, None);
    }
}
