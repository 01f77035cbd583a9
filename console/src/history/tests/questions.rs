//! What is asked, and what is answered.

use serde_json::json;

use super::*;
use crate::model::{Severity, State, StoryKind};
use crate::telemetry::AlarmState;

fn column(history: &History, from: i64, to: i64, points: usize) -> crate::model::FieldSeries {
    let series = history.series("a", &temperature(), at(from), at(to), points).unwrap();
    series.fields.get("temperature").cloned().unwrap_or_default()
}

fn seconds(ms: i64) -> f64 {
    (DAY + ms) as f64 / 1000.0
}

#[test]
fn a_gap_is_a_gap_and_is_filled_by_what_comes_late() {
    let history = history();
    let hours = |range: std::ops::Range<i64>| {
        range.map(|hour| reading(hour * HOUR, hour as u64, 4.0)).collect::<Vec<_>>()
    };
    history.take("a", hours(0..24));
    history.take("a", hours(240..264));
    let with_gap = column(&history, 0, 400 * HOUR, 800);
    assert_eq!(
        (with_gap.t.len(), with_gap.mean[24], with_gap.min[24], with_gap.max[24]),
        (49, None, None, None)
    );
    assert!(with_gap.t[24] > with_gap.t[23] && with_gap.t[24] < with_gap.t[25]);
    history.take("a", hours(24..240));
    let filled = column(&history, 0, 400 * HOUR, 800);
    assert_eq!((filled.t.len(), filled.mean.contains(&None)), (264, false));
    let coarse = column(&history, 0, 400 * HOUR, 25);
    assert_eq!(coarse.mean.len(), 22, "twelve hours each");
}

#[test]
fn the_band_of_an_aggregated_reading_covers_the_time_before_it() {
    let history = history();
    let readings =
        (1..=6).map(|n| aggregated(n * HOUR, n as u64, [n as f64, n as f64 + 1.0, n as f64 + 5.0], 3600.0));
    history.take("a", readings.collect());
    let band = column(&history, 0, 7 * HOUR, 800);
    assert_eq!(band.t.len(), 12, "where it begins and where it ends");
    assert_eq!((band.t[0], band.t[1]), (seconds(1), seconds(HOUR)));
    assert_eq!((band.t[2], band.t[3]), (seconds(HOUR + 1), seconds(2 * HOUR)));
    assert_eq!((band.min[2], band.mean[2], band.max[2]), (Some(2.0), Some(3.0), Some(7.0)));
    // Also from after the span that is asked for.
    let before = column(&history, 30 * 60_000, 40 * 60_000, 1);
    assert_eq!(before.max, [Some(6.0), Some(6.0)]);
}

#[test]
fn readings_without_a_time_are_in_no_chart_and_in_every_export() {
    let history = history();
    let untimed = Reading { has_time: false, ..reading(60_000, 2, 70.0) };
    history.take("a", vec![reading(0, 1, 4.0), untimed, reading(120_000, 3, 5.0)]);
    assert_eq!(column(&history, 0, HOUR, 800).mean, [Some(4.0), Some(5.0)]);
    assert_eq!(column(&history, 0, HOUR, 1).max, [Some(5.0)]);
    let (all, _) = history.readings("a", at(0), at(HOUR), None, 100).unwrap();
    let lines: Vec<_> = all.iter().map(|reading| serde_json::to_value(reading).unwrap()).collect();
    assert_eq!(
        lines[1],
        json!({"temperature": 70, "timeUnknown": true, "enqueuedTime": crate::model::time::text(at(60_000)), "seq": 2})
    );
    assert_eq!(lines[2]["time"], crate::model::time::text(at(120_000)));
    let mut csv = Exported::HEADER.to_owned();
    all[1].csv(&mut csv);
    let (header, line) = csv.split_once("\r\n").unwrap();
    let names = Field::ALL.map(Field::name).join(",");
    assert_eq!(header, format!("time,timeUnknown,seq,place,{names}"));
    assert!(line.contains(",true,2,,70,"), "{line}");
    assert_eq!(header.split(',').count(), line.trim_end().split(',').count());
}

#[test]
fn places_are_quoted_and_no_formula() {
    let place = Some("=1+1 \"yard\",\n<b>".into());
    let exported = Exported(Reading { place, ..reading(0, 1, 4.0) });
    let mut line = String::new();
    exported.csv(&mut line);
    assert!(line.contains(",\"'=1+1 \"\"yard\"\",\n<b>\",4,"), "{line}");
}

#[test]
fn a_way_over_the_antimeridian_leads_over_no_other_place() {
    let history = history();
    let east = (0..500).map(|n| placed(n * 60_000, n as u64, 175.0 + n as f64 / 100.0, -17.0));
    let west = (500..1000).map(|n| placed(n * 60_000, n as u64, -180.0 + (n - 500) as f64 / 100.0, -17.0));
    history.take("a", east.chain(west).collect());
    for points in [10, 60, 2000] {
        let track = history.track("a", at(0), at(1000 * 60_000), points).unwrap();
        assert!(track.points.iter().flatten().all(|point| point[0].abs() >= 174.9), "{points}");
        assert!(
            track.points.len() <= points.max(1) && track.points.len() >= 8,
            "{} of {points}",
            track.points.len()
        );
    }
    let tails = history.tails(60).unwrap();
    assert!(tails.tails["a"].iter().flatten().all(|point| point[0].abs() >= 174.9));
}

#[test]
fn weeks_without_a_position_are_a_gap_of_the_way() {
    let history = history();
    let mut readings: Vec<Reading> = (0..800).map(|hour| reading(hour * HOUR, hour as u64, 4.0)).collect();
    for hour in (0..50).chain(700..750) {
        readings[hour] = placed(hour as i64 * HOUR, hour as u64, 4.0, 51.0);
    }
    history.take("a", readings);
    for points in [2000, 300] {
        let track = history.track("a", at(0), at(800 * HOUR), points).unwrap();
        assert_eq!(track.points.iter().filter(|point| point.is_none()).count(), 1, "{points}");
    }
    let row = history.fleet_at(at(600 * HOUR)).unwrap().remove(0);
    assert_eq!((row.at, row.temperature), (Some([4.0, 51.0]), Some(4.0)), "it was last seen there");
    assert_eq!(row.spark.len(), 24);
}

fn alarm(state: AlarmState, time: i64, begin: i64, severity: Severity, extreme: f64) -> Alarm {
    let end = (state == AlarmState::Cleared).then_some(DAY + time - 60_000);
    Alarm {
        name: "temperature".into(),
        severity,
        state,
        time: DAY + time,
        seq: None,
        begin: DAY + begin,
        end,
        extreme: Some(extreme),
        limit: Some(7.0),
        field: Some("temperature".into()),
        at: None,
    }
}

#[test]
fn alarms_are_spans_in_whatever_order_their_messages_come() {
    let life = [
        alarm(AlarmState::Raised, HOUR, 0, Severity::Warning, 8.0),
        alarm(AlarmState::Escalated, 2 * HOUR, 7, Severity::Critical, 12.0),
        alarm(AlarmState::Cleared, 3 * HOUR, -3, Severity::Critical, 13.0),
        alarm(AlarmState::Raised, 9 * HOUR, 8 * HOUR, Severity::Warning, 9.0),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let history = history();
        for number in order.into_iter().chain(order) {
            history.alarm("a", life[number].clone());
        }
        let spans = history.alarms("a", at(0), at(10 * HOUR)).unwrap().spans;
        assert_eq!(spans.len(), 2, "{order:?}");
        assert_eq!(
            (spans[0].severity, spans[0].extreme, spans[0].end),
            (Severity::Critical, Some(13.0), Some(at(3 * HOUR - 60_000)))
        );
        assert_eq!(
            (spans[1].severity, spans[1].end, spans[1].field.as_deref()),
            (Severity::Warning, None, Some("temperature"))
        );
        assert_eq!(history.alarms("a", at(4 * HOUR), at(5 * HOUR)).unwrap().spans, []);
        assert_eq!(history.alarms("a", at(HOUR), at(HOUR + 1)).unwrap().spans.len(), 1);
        history.take("a", vec![reading(0, 1, 4.0)]);
        let state = |time| history.fleet_at(at(time)).unwrap().remove(0).state;
        assert_eq!(
            [state(2 * HOUR), state(5 * HOUR), state(9 * HOUR)],
            [State::Alarm, State::Ok, State::Alarm]
        );
    }
}

#[test]
fn the_story_is_told_page_by_page_and_each_entry_once() {
    let history = history();
    for _ in 0..2 {
        for number in (0..25).rev() {
            let device = if number % 5 == 0 { "b" } else { "a" };
            history.tell(StoryEntry::new(
                device,
                at(number / 2 * 1000),
                StoryKind::Connection,
                format!("entry {number}"),
            ));
        }
        history.tell(StoryEntry::new("", at(0), StoryKind::Fault, "of nobody"));
        history.flush(&[], at(0));
    }
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = history.story(Some("a"), before, 3).unwrap();
        all.extend(page.entries);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 20);
    assert!(all.windows(2).all(|pair| (pair[0].time, pair[0].id) > (pair[1].time, pair[1].id)));
    assert_eq!(history.story(None, None, 100).unwrap().entries.len(), 26);
    assert_eq!(history.story(Some("unheard"), None, 100).unwrap().entries, []);
    assert_eq!(history.story(Some("a"), Some(9999), 100).unwrap().entries, []);
}

#[test]
fn trips_are_kept_once_the_newest_first() {
    let history = history();
    let trip = |time: i64, name: &str, is_end| {
        let report = json!({"trip": name, "readings": 7}).as_object().cloned().unwrap();
        Trip { is_end, time: DAY + time, report }
    };
    for _ in 0..2 {
        history.trip("a", trip(0, "first", true));
        history.trip("a", trip(HOUR, "second", true));
        history.trip("a", trip(2 * HOUR, "third", false));
    }
    let names: Vec<_> = history.trips("a").unwrap().iter().map(|trip| trip["trip"].clone()).collect();
    assert_eq!(names, ["second", "first"]);
}

#[test]
fn what_is_not_there_is_empty_and_what_cannot_be_asked_says_so() {
    let history = history();
    assert_eq!(history.series("a", &temperature(), at(0), at(HOUR), 800).unwrap().fields.len(), 0);
    assert_eq!(history.track("a", at(0), at(HOUR), 800).unwrap().points, []);
    assert_eq!(history.extent("a").unwrap(), Extent::default());
    assert_eq!((history.bounds(), history.fleet_at(at(0)).unwrap()), (None, Vec::new()));
    let error = history.series("a", &["<b>".into()], at(0), at(HOUR), 800).unwrap_err();
    assert_eq!(
        error.to_string(),
        "charts show no field \"<b>\"; they show temperature, humidity, pressure, light and speed"
    );
    history.take("a", vec![reading(0, 1, 4.0), placed(HOUR, 2, 4.0, 51.0)]);
    let backwards = history.series("a", &temperature(), at(HOUR), at(-HOUR), 0).unwrap();
    assert!(backwards.fields.values().all(|column| column.t.len() <= 2));
    let extent = history.extent("a").unwrap();
    assert_eq!(
        (extent.fields, extent.first, extent.last),
        (vec!["temperature".to_owned(), "location".to_owned()], Some(at(0)), Some(at(HOUR)))
    );
    assert_eq!(history.bounds(), Some((at(0), at(HOUR))));
    let all =
        history.series("a", &temperature(), DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC, 800).unwrap();
    assert_eq!(
        (all.step, all.fields["temperature"].t.len()),
        (0, 2),
        "all there is, in no more time than that takes"
    );
    assert_eq!(
        history.track("a", DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC, 2).unwrap().points.len(),
        1
    );
    assert_eq!(history.alarms("a", DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC).unwrap().spans, []);
    assert_eq!(
        history.readings("a", DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC, None, 9).unwrap().0.len(),
        2
    );
    history.clear_device("a").unwrap();
    assert_eq!((history.extent("a").unwrap(), exported(&history, "a")), (Extent::default(), Vec::new()));
}

#[test]
fn an_emulator_that_begins_anew_loses_nothing_of_what_was() {
    let history = history();
    history.take("a", (0..300).map(|n| reading(n * 60_000, n as u64, 4.0)).collect());
    // The same numbers, of readings that are others.
    history.take("a", (0..300).map(|n| reading(n * 60_000 + 7000, n as u64, 8.0)).collect());
    history.take("a", (0..300).map(|n| reading(n * 60_000, n as u64, 4.0)).collect());
    assert_eq!(exported(&history, "a").len(), 600);
    let mean = column(&history, 0, 300 * 60_000, 1);
    assert_eq!(mean.mean, [Some(6.0)]);
}
