//! What the agent believes of what a receiver says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use common::{Log, decode};
use tracker_sensors::gps::{
    Fix, Judgement, Kind, KnownDates, Plausibility, PlausibilitySettings, Position, repair_date,
};

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

fn repaired(sent: &str, known: &KnownDates) -> Option<NaiveDate> {
    repair_date(date(sent), BUILD_DATE, known).ok()
}

#[test]
fn dates_are_brought_into_the_era_of_the_software() {
    let repaired = |text: &str| repaired(text, &KnownDates::default());
    assert_eq!(repaired("2026-08-01"), Some(date("2026-08-01")));
    assert_eq!(repaired("2007-01-15"), Some(date("2026-08-31")), "one era back");
    assert_eq!(repaired("2046-07-31"), Some(date("2046-07-31")));
    assert_eq!(repaired("2046-08-02"), None, "20 years later");
}

#[test]
fn a_date_that_is_not_one_era_back_is_refused() {
    for sent in [
        // What receivers show that do not know the date.
        "1980-01-05",
        "1980-01-06",
        "1980-01-12",
        "1999-08-22",
        "2000-01-01",
        "2006-01-01",
        "2019-04-07",
        // Two eras back, and recordings: the nearest era is their own.
        "1987-06-01",
        "2018-03-01",
        "2026-07-31",
    ] {
        let refused = repair_date(date(sent), BUILD_DATE, &KnownDates::default()).unwrap_err();
        assert_eq!(refused.sent, date(sent));
    }
}

#[test]
fn a_date_is_repaired_only_where_nothing_speaks_against_it() {
    let newest = |text: &str| KnownDates { newest: Some(date(text)), validity: None };
    let valid = |from: &str, to: &str| KnownDates { newest: None, validity: Some(date(from)..=date(to)) };
    let sent = "2009-01-15"; // 2028-08-31
    assert_eq!(repaired(sent, &newest("2028-08-31")), Some(date("2028-08-31")));
    assert_eq!(repaired(sent, &newest("2028-09-01")), None);
    assert_eq!(
        repaired(sent, &newest("2038-11-21")),
        Some(date("2028-08-31")),
        "left by a version that believed it"
    );
    assert_eq!(repaired(sent, &valid("2026-01-01", "2028-08-31")), Some(date("2028-08-31")));
    assert_eq!(repaired(sent, &valid("2026-01-01", "2028-08-30")), None);
    assert_eq!(repaired(sent, &valid("2028-09-01", "2030-01-01")), None);
    let refused = repair_date(date(sent), BUILD_DATE, &valid("2026-01-01", "2028-01-01")).unwrap_err();
    let words = "the receiver says that it is 2009-01-15 (or 2028-08-31, where its week number has rolled over), when the \
                 certificate is not valid: its time is not used";
    assert!(refused.to_string().starts_with(words), "{refused}");
    // What was not repaired is the receiver's own word.
    let sent = "2028-08-31";
    assert_eq!(repaired(sent, &valid("2026-01-01", "2028-01-01")), Some(date(sent)));
}

#[test]
fn an_era_that_was_right_stays_right() {
    let knows_until = |end: &str| -> tracker_sensors::gps::Known {
        let known = KnownDates { newest: None, validity: Some(BUILD_DATE..=date(end)) };
        std::sync::Arc::new(move || known.clone())
    };
    let rolled = |day: u64, second: u32| {
        let mut fix = fix(second, 52.0);
        fix.date = Some(date("2007-01-15") + chrono::Days::new(day));
        fix.received_at += Duration::from_hours(24 * day);
        fix
    };
    let mut plausibility = Plausibility::new(settings()).knowing(knows_until("2026-09-01"));
    plausibility.judge(rolled(0, 0));
    assert!(plausibility.judge(rolled(0, 1)).1.is_some());
    for day in 1..9 {
        plausibility.judge(rolled(day, 2));
        let time = plausibility.judge(rolled(day, 3)).1.expect("the certificate may have ended");
        assert_eq!(time.utc.date_naive(), date("2026-08-31") + chrono::Days::new(day));
    }
    let mut fresh = Plausibility::new(settings()).knowing(knows_until("2026-09-01"));
    fresh.judge(rolled(9, 0));
    assert_eq!(fresh.judge(rolled(9, 1)).1, None);
    assert!(fresh.refused_date().is_some());
}

#[test]
fn a_certificate_that_was_renewed_counts_soon() {
    let end = std::sync::Arc::new(std::sync::Mutex::new(date("2026-08-15")));
    let asked = end.clone();
    let known = move || KnownDates { newest: None, validity: Some(BUILD_DATE..=*asked.lock().unwrap()) };
    let mut plausibility = Plausibility::new(settings()).knowing(std::sync::Arc::new(known));
    let mut time_at = |second: u32| {
        let mut fix = fix(second, 52.0);
        fix.date = Some(date("2007-01-15"));
        plausibility.judge(fix).1
    };
    assert_eq!((time_at(0), time_at(1)), (None, None));
    *end.lock().unwrap() = date("2027-08-15");
    assert_eq!((time_at(2), time_at(3)), (None, None), "not asked for each fix");
    assert_eq!(time_at(301), None);
    assert!(time_at(302).is_some());
}

#[test]
fn no_value_is_beyond_what_can_be() {
    let bytes = std::fs::read(common::data("nmea/cases/absurd-motion.nmea")).unwrap();
    let mut plausibility = Plausibility::new(PlausibilitySettings { build_date: None, time_scale: 1.0 });
    let judged: Vec<Fix> = decode([&bytes[..]])
        .into_iter()
        .map(|fix| match plausibility.judge(fix).0 {
            Judgement::Plausible(fix) => fix,
            Judgement::Suspect { .. } => panic!("it did not move"),
        })
        .collect();
    let told: Vec<_> = judged
        .iter()
        .map(|fix| (fix.speed_kn, fix.course_deg, fix.altitude_m, fix.satellites, fix.hdop))
        .collect();
    let expected = [
        (Some(0.1), Some(360.0), Some(4.0), Some(0), None),
        (None, None, None, Some(0), None),
        (None, None, None, None, None),
    ];
    assert_eq!(told, expected);
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
