//! Histories that earlier versions have written: `tests/data/history-COMMIT`, each filled by [`fill`] of that commit.

use std::path::Path;

use super::*;
use crate::model::{Severity, StoryKind};
use crate::telemetry::AlarmState;

const VERSIONS: [&str; 1] = ["178cdef"];

/// A day of two devices: readings each five minutes, of which one is aggregated, an alarm, a trip, and what was told.
fn fill(history: &History) {
    let readings = (0..288_i64).map(|n| placed(n * 300_000, n as u64, 4.0 + n as f64 / 100.0, 52.0));
    history.take("a", readings.collect());
    history.take("b", vec![aggregated(0, 7, [3.0, 4.5, 6.0], 3600.0), reading(HOUR, 8, -18.25)]);
    let alarm = Alarm {
        name: "temperature".into(),
        severity: Severity::Critical,
        state: AlarmState::Cleared,
        time: DAY + 2 * HOUR,
        seq: Some(9),
        begin: DAY + HOUR,
        end: Some(DAY + 2 * HOUR),
        extreme: Some(9.5),
        limit: Some(7.0),
        field: Some("temperature".into()),
        at: None,
    };
    history.alarm("b", alarm);
    let report = serde_json::json!({"trip": "west", "readings": 2}).as_object().cloned().unwrap();
    history.trip("b", Trip { is_end: true, time: DAY + 3 * HOUR, report });
    history.tell(StoryEntry::new("b", at(HOUR), StoryKind::Connection, "Connected to cheese-hub."));
    history.flush(&[("a".into(), "{\"kept\":1}".into())], at(4 * HOUR));
}

fn is_whole(history: &History) {
    assert_eq!(history.notices(), [""; 0]);
    let a = exported(history, "a");
    assert_eq!((a.len(), a[0].time, a[287].seq), (288, DAY, Some(287)));
    assert_eq!(a[100].values.position(), Some([5.0, 52.0]));
    let b = exported(history, "b");
    assert_eq!(b, [aggregated(0, 7, [3.0, 4.5, 6.0], 3600.0), reading(HOUR, 8, -18.25)]);
    let series = history.series("a", &temperature(), at(0), at(24 * HOUR), 24).unwrap();
    assert!(!series.fields["temperature"].t.is_empty());
    let spans = history.alarms("b", at(0), at(24 * HOUR)).unwrap().spans;
    assert_eq!((spans.len(), spans[0].extreme, spans[0].end), (1, Some(9.5), Some(at(2 * HOUR))));
    assert_eq!(history.trips("b").unwrap()[0]["trip"], "west");
    let told = history.story(Some("b"), None, 10).unwrap();
    assert_eq!(told.entries[0].text, "Connected to cheese-hub.");
    assert_eq!(history.states(), [("a".to_owned(), "{\"kept\":1}".to_owned())]);
}

#[test]
fn what_is_filled_today_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("console.sqlite");
    let history = History::open(HistoryOptions::kept(&file));
    fill(&history);
    is_whole(&history);
    drop(history);
    if let Ok(place) = std::env::var("KEEP") {
        std::fs::copy(&file, place).unwrap();
    }
    is_whole(&History::open(HistoryOptions::kept(&file)));
}

#[test]
fn a_history_of_an_earlier_version_is_whole() {
    for version in VERSIONS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("console.sqlite");
        let written = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/data/history-{version}/console.sqlite"));
        std::fs::copy(written, &file).unwrap();
        let history = History::open(HistoryOptions::kept(&file));
        is_whole(&history);
        history.take("b", vec![reading(2 * HOUR, 9, 1.0)]);
        history.flush(&[], at(5 * HOUR));
        assert_eq!(exported(&history, "b").len(), 3, "and goes on");
    }
}
