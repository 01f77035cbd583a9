//! The fleet under all that devices, hubs and people do.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::live::{MOST_STRANGERS, REMEMBERED};
use super::*;
use crate::model::{
    CloudEvent, Connection, Delta, Fault, FaultKind, Identity, Row, Severity, State, StoryKind, Targets,
};
use crate::telemetry::{Alarm, AlarmState, Field, Notice, Reading, Values};

const DAY: i64 = 1_795_000_000_000;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(DAY + ms).unwrap()
}

fn reading(ms: i64, seq: u64, degrees: f64) -> Reading {
    let mut values = Values::default();
    values.set(Field::Temperature, Field::Temperature.keep(degrees));
    Reading { time: DAY + ms, has_time: true, seq: Some(seq), values, place: None }
}

fn with(mut reading: Reading, field: Field, value: f64) -> Reading {
    reading.values.set(field, field.keep(value));
    reading
}

fn event(kind: &str, device: &str, detail: Value) -> CloudEvent {
    CloudEvent { time: at(0), device: device.into(), kind: kind.into(), detail }
}

fn identity(id: &str, hub: &str, connection: Connection) -> Identity {
    Identity {
        id: id.into(),
        hub: hub.into(),
        is_enabled: true,
        connection,
        last_activity: None,
        messages_waiting: 0,
        authentication: "none".into(),
        thumbprints: Vec::new(),
        twin: None,
    }
}

fn row(fleet: &mut Fleet, id: &str) -> Row {
    fleet.row(id, at(0)).unwrap()
}

#[test]
fn what_comes_late_fills_the_spark_and_changes_nothing_else() {
    let mut fleet = Fleet::new(0);
    let hour = 3_600_000;
    let came = [(10, 9, 9.0), (1, 1, 1.0), (2, 2, 2.0), (2, 2, 2.0), (-40, 0, 77.0)];
    let is_new = came.map(|(hours, seq, degrees)| {
        fleet.reading("a", &reading(hours * hour, seq, degrees), at(11 * hour)) == Taken::New
    });
    assert_eq!(is_new, [true, true, true, false, true], "one comes twice");
    let row = row(&mut fleet, "a");
    assert_eq!((row.temperature, row.last_reading), (Some(9.0), Some(at(10 * hour))));
    let mut spark = vec![None; 10];
    (spark[0], spark[1], spark[9]) = (Some(1.0), Some(2.0), Some(9.0));
    assert_eq!(row.spark, spark);
}

#[test]
fn a_position_stays_for_weeks_and_a_temperature_does_not() {
    let mut fleet = Fleet::new(0);
    let week = 7 * 86_400_000;
    let placed = with(with(reading(0, 1, 4.0), Field::Latitude, 51.0), Field::Longitude, 179.9);
    fleet.reading("a", &placed, at(0));
    let mut bare = reading(3 * week, 2, 4.0);
    bare.values = Values::default();
    bare.values.set(Field::Humidity, Field::Humidity.keep(80.0));
    fleet.reading("a", &bare, at(3 * week));
    let row = row(&mut fleet, "a");
    assert_eq!((row.at, row.temperature, row.humidity), (Some([179.9, 51.0]), None, Some(80.0)));
}

#[test]
fn a_clock_that_was_ahead_once_hides_nothing_and_one_that_never_knows_is_shown() {
    let mut fleet = Fleet::new(0);
    fleet.reading("a", &reading(3_000_000_000_000, 1, 70.0), at(0));
    fleet.reading("a", &reading(60_000, 2, 4.0), at(60_000));
    assert_eq!(
        (row(&mut fleet, "a").temperature, row(&mut fleet, "a").last_reading),
        (Some(4.0), Some(at(60_000)))
    );
    let untimed = |ms: i64, seq, degrees| Reading { has_time: false, ..reading(ms, seq, degrees) };
    fleet.reading("a", &untimed(120_000, 3, 80.0), at(120_000));
    assert_eq!(row(&mut fleet, "a").temperature, Some(4.0), "what has no time may be old");
    fleet.reading("b", &untimed(0, 1, 4.0), at(0));
    fleet.reading("b", &untimed(60_000, 2, 5.0), at(60_000));
    assert_eq!((row(&mut fleet, "b").temperature, row(&mut fleet, "b").last_reading), (Some(5.0), None));
}

#[test]
fn an_emulator_that_begins_anew_is_followed() {
    let mut fleet = Fleet::new(0);
    fleet.reading("a", &reading(0, 5, 4.0), at(0));
    assert_eq!(fleet.reading("a", &reading(1000, 1, 5.0), at(1000)), Taken::New, "numbers begin anew");
    assert_eq!(
        fleet.reading("a", &reading(2000, 5, 6.0), at(2000)),
        Taken::New,
        "the same number, another reading"
    );
    assert_eq!(row(&mut fleet, "a").temperature, Some(6.0));
}

#[test]
fn the_gravest_state_is_shown() {
    let mut fleet = Fleet::new(0);
    let state = |fleet: &mut Fleet| row(fleet, "a").state;
    fleet.identities(&[identity("a", "east", Connection::Disconnected)]);
    assert_eq!((state(&mut fleet), row(&mut fleet, "a").connection), (State::New, Connection::Never));
    fleet.cloud_event(&event("deviceConnected", "a", json!({"hub": "east"})));
    fleet.reading("a", &reading(0, 1, 4.0), at(0));
    assert_eq!(state(&mut fleet), State::Ok);
    fleet.cloud_event(&event("deviceSilent", "a", json!({"seconds": 90})));
    assert_eq!(state(&mut fleet), State::Silent);
    let alarm = Alarm {
        name: "temperature".into(),
        severity: Severity::Warning,
        state: AlarmState::Raised,
        time: DAY,
        seq: None,
        begin: DAY,
        end: None,
        extreme: Some(8.4),
        limit: Some(7.0),
        field: None,
        at: None,
    };
    let told = fleet.notice("a", &Notice::Alarm(alarm.clone())).unwrap();
    assert_eq!(
        (told.text.as_str(), told.kind),
        ("Alarm temperature (warning): 8.4, beyond 7.", StoryKind::Alarm)
    );
    assert_eq!(fleet.notice("a", &Notice::Alarm(alarm)), None, "it comes twice");
    assert_eq!(state(&mut fleet), State::Alarm);
    let fault = Fault {
        id: 1,
        kind: Some(FaultKind::BlackHole),
        text: "x".into(),
        devices: Targets::ALL,
        until: None,
    };
    fleet.faults(vec![fault]);
    assert_eq!(state(&mut fleet), State::Outage);
    let refused =
        event("registrationRefused", "a", json!({"reason": "wrong ID scope", "errorCode": 401_002}));
    assert_eq!(fleet.cloud_event(&refused).unwrap().kind, StoryKind::Refusal);
    assert_eq!(
        (state(&mut fleet), row(&mut fleet, "a").refusal.as_deref()),
        (State::Refused, Some("wrong ID scope"))
    );
    fleet.identities(&[Identity { is_enabled: false, ..identity("a", "east", Connection::Disconnected) }]);
    assert_eq!(
        (state(&mut fleet), row(&mut fleet, "a").connection),
        (State::Disabled, Connection::Disconnected)
    );
}

#[test]
fn what_happens_is_told_in_a_sentence_that_does_not_repeat_whose_it_is() {
    let mut fleet = Fleet::new(0);
    let hub = "cheese-hub.azure-devices.net";
    let lost = json!({"kind": "connectionLost", "detail": "reset"});
    let cases = [
        (
            "assigning",
            json!({"enrollment": "enrollment group \"trackers\""}),
            "Let in by enrollment group \"trackers\".",
        ),
        (
            "assigned",
            json!({"hub": hub, "deviceId": "a", "substatus": "initialAssignment"}),
            "Assigned to cheese-hub.",
        ),
        (
            "assigned",
            json!({"hub": hub, "deviceId": "b", "substatus": "deviceDataMigrated"}),
            "Assigned to cheese-hub as \"b\", its twin came along.",
        ),
        (
            "registrationDisabled",
            json!({"enrollment": "group \"g\""}),
            "Refused by DPS: group \"g\" is disabled.",
        ),
        (
            "registrationRefused",
            json!({"errorCode": 401_002, "reason": "no."}),
            "Refused by DPS with 401002: no.",
        ),
        (
            "connectionRefused",
            json!({"service": hub, "reason": "disabled"}),
            "Connection refused by cheese-hub: disabled.",
        ),
        ("deviceConnected", json!({"hub": hub, "deviceId": "a"}), "Connected to cheese-hub."),
        (
            "deviceDisconnected",
            json!({"hub": hub, "reason": {"kind": "disconnect"}}),
            "Disconnected from cheese-hub: it said goodbye.",
        ),
        (
            "deviceDisconnected",
            json!({"hub": hub, "reason": lost}),
            "Disconnected from cheese-hub: the connection was lost (reset).",
        ),
        ("deviceSilent", json!({"seconds": 90}), "Silent: not heard for 90 s."),
    ];
    for (kind, detail, sentence) in cases {
        assert_eq!(fleet.cloud_event(&event(kind, "a", detail)).unwrap().text, sentence);
    }
}

#[test]
fn a_device_is_deleted_comes_back_and_moves() {
    let mut fleet = Fleet::new(7);
    fleet.identities(&[
        identity("a", "east", Connection::Connected),
        identity("b", "east", Connection::Connected),
    ]);
    let (version, rows) = fleet.rows(at(0));
    assert_eq!(rows.len(), 2);
    fleet.identities(&[identity("b", "east", Connection::Connected)]);
    let (version, delta) = fleet.delta(version, at(0)).unwrap();
    assert_eq!((delta.gone, fleet.row("a", at(0))), (vec!["a".to_owned()], None));
    fleet.reading("a", &reading(0, 1, 4.0), at(0));
    let (version, delta) = fleet.delta(version, at(0)).unwrap();
    assert_eq!((delta.gone.len(), delta.devices[0]["temperature"].as_f64()), (0, Some(4.0)));
    // At two hubs for a moment, the old one first and last.
    let (old, new) =
        (identity("a", "east", Connection::Disconnected), identity("a", "west", Connection::Connected));
    for order in [[old.clone(), new.clone()], [new, old]] {
        fleet.identities(&order);
        assert_eq!(row(&mut fleet, "a").hub, "west");
    }
    fleet.cloud_event(&event(
        "deviceDisconnected",
        "a",
        json!({"hub": "east", "reason": {"kind": "deviceDeleted"}}),
    ));
    assert_eq!(row(&mut fleet, "a").connection, Connection::Connected, "the old hub has no say");
    let taken = event("deviceDisconnected", "a", json!({"hub": "west", "reason": {"kind": "takenOver"}}));
    assert_eq!(fleet.cloud_event(&taken).unwrap().kind, StoryKind::Takeover);
    assert!(fleet.delta(version, at(0)).is_some());
    assert!(fleet.delta(6, at(0)).is_none() && fleet.delta(1_000_000, at(0)).is_none(), "of another life");
}

#[test]
fn the_door_is_told_once_it_moves() {
    let mut fleet = Fleet::new(0);
    let door = |ms, seq, open: f64| with(reading(ms, seq, 4.0), Field::Door, open);
    assert_eq!(fleet.reading("a", &door(0, 1, 0.0), at(0)), Taken::New);
    let Taken::Door(told) = fleet.reading("a", &door(60, 2, 1.0), at(0)) else {
        panic!("the door has not moved")
    };
    assert_eq!((told.kind, told.state.as_deref()), (StoryKind::Door, Some("open")));
    assert_eq!(fleet.reading("a", &door(30, 3, 0.0), at(0)), Taken::New, "what is old tells nothing of now");
    assert_eq!(
        fleet.reading("a", &reading(90, 4, 4.0), at(0)),
        Taken::New,
        "a line that can't be read has not moved"
    );
}

#[test]
fn strangers_fill_no_memory_and_their_names_are_text() {
    let mut fleet = Fleet::new(0);
    fleet.cloud_event(&event("handshakeFailed", "<script>", json!({})));
    assert_eq!(fleet.rows(at(0)).1.len(), 0);
    for number in 0..MOST_STRANGERS + 10 {
        fleet.cloud_event(&event(
            "registrationRefused",
            &format!("<b>{number}"),
            json!({"reason": "x".repeat(5000)}),
        ));
    }
    let (version, rows) = fleet.rows(at(0));
    assert_eq!(rows.len(), MOST_STRANGERS);
    assert!(rows.iter().all(|row| row.refusal.as_ref().is_some_and(|reason| reason.chars().count() <= 201)));
    assert!(fleet.delta(version - 1, at(0)).unwrap().1.entries.len() <= REMEMBERED);
    assert!(fleet.delta(1, at(0)).is_none(), "entries were forgotten since");
}

#[test]
fn what_is_kept_comes_back() {
    let mut fleet = Fleet::new(0);
    fleet.cloud_event(&event("deviceConnected", "a", json!({"hub": "east"})));
    fleet.reading("a", &with(reading(0, 1, 4.0), Field::Door, 1.0), at(0));
    fleet.twin(
        "a",
        &json!({"tags": {"cargo": "Gouda"}, "properties": {"reported": {"journal": {"waiting": 3}}}}),
    );
    let before = row(&mut fleet, "a");
    let unsaved = fleet.unsaved();
    assert!(fleet.unsaved().is_empty());
    let mut again = Fleet::new(0);
    for (id, state) in unsaved {
        again.restore(id, serde_json::from_str(&state).unwrap());
    }
    assert_eq!(row(&mut again, "a"), before);
    again
        .restore("old".into(), serde_json::from_str(r#"{"hub":"x","member":"of another version"}"#).unwrap());
    again.identities(&[identity("a", "east", Connection::Connected)]);
    assert!(again.row("old", at(0)).is_none(), "it was deleted meanwhile");
}

/// What can happen to some devices.
#[derive(Clone, Debug)]
enum Deed {
    Reading(i64, u64, f64),
    Event(&'static str),
    Identities(Vec<bool>),
    Twin(u64),
    Faults(bool),
    Look,
}

fn deed() -> impl Strategy<Value = (usize, Deed)> {
    let kinds = [
        "deviceConnected",
        "deviceDisconnected",
        "deviceSilent",
        "registrationRefused",
        "assigned",
        "unheard",
    ];
    let deed = prop_oneof![
        4 => (-50..50_i64, 0..9_u64, -40.0..80.0_f64).prop_map(|(hours, seq, degrees)| Deed::Reading(hours * 3_600_000, seq, degrees)),
        2 => prop::sample::select(kinds.to_vec()).prop_map(Deed::Event),
        1 => prop::collection::vec(any::<bool>(), 3).prop_map(Deed::Identities),
        1 => (0..5_u64).prop_map(Deed::Twin),
        1 => any::<bool>().prop_map(Deed::Faults),
        2 => Just(Deed::Look),
    ];
    (0..3_usize, deed)
}

fn json_rows(rows: Vec<Row>) -> BTreeMap<String, Map<String, Value>> {
    let object = |row: Row| (row.id.clone(), serde_json::to_value(row).unwrap().as_object().unwrap().clone());
    rows.into_iter().map(object).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn deltas_on_an_old_fleet_give_the_new_one(deeds in prop::collection::vec(deed(), 1..60)) {
        const IDS: [&str; 3] = ["a", "b", "<c>"];
        let mut fleet = Fleet::new(100);
        // One page that looks often, and one that looks at the end.
        let (mut seen, rows) = fleet.rows(at(0));
        let mut page = json_rows(rows);
        let (begin, mut late) = (seen, page.clone());
        let apply = |page: &mut BTreeMap<String, Map<String, Value>>, delta: Delta| {
            for id in delta.gone {
                page.remove(&id);
            }
            for mut members in delta.devices {
                let id = members["id"].as_str().unwrap().to_owned();
                page.entry(id).or_default().append(&mut members);
            }
        };
        for (device, deed) in deeds.into_iter().chain([(0, Deed::Look)]) {
            let id = IDS[device];
            match deed {
                Deed::Reading(ms, seq, degrees) => drop(fleet.reading(id, &reading(ms, seq, degrees), at(0))),
                Deed::Event(kind) => drop(fleet.cloud_event(&event(kind, id, json!({"hub": "east", "reason": "x"})))),
                Deed::Identities(are) => {
                    let there = IDS.iter().zip(are).filter(|(_, is)| *is);
                    fleet.identities(&there.map(|(id, _)| identity(id, "east", Connection::Connected)).collect::<Vec<_>>());
                }
                Deed::Twin(waiting) => fleet.twin(id, &json!({"properties": {"reported": {"journal": {"waiting": waiting}}}})),
                Deed::Faults(is) => {
                    let devices = Targets::Devices(vec![id.into()]);
                    let fault = Fault { id: 1, kind: None, text: String::new(), devices, until: None };
                    fleet.faults(if is { vec![fault] } else { Vec::new() });
                }
                Deed::Look => {
                    let (version, delta) = fleet.delta(seen, at(0)).unwrap();
                    apply(&mut page, delta);
                    seen = version;
                    let (same, rows) = fleet.rows(at(0));
                    prop_assert_eq!(same, version);
                    prop_assert_eq!(&page, &json_rows(rows));
                    prop_assert!(fleet.delta(seen, at(0)).unwrap().1.devices.is_empty());
                }
            }
        }
        apply(&mut late, fleet.delta(begin, at(0)).unwrap().1);
        prop_assert_eq!(late, page);
    }
}

#[test]
fn what_was_counted_in_a_journal_is_better_than_what_a_twin_says() {
    let mut fleet = Fleet::new(0);
    fleet.heard("a", "hub", None, DateTime::UNIX_EPOCH);
    let twin = serde_json::json!({"properties": {"reported": {"journal": {"waiting": 17}}}});
    fleet.twin("a", &twin);
    let backlog = |fleet: &mut Fleet| fleet.row("a", DateTime::UNIX_EPOCH).unwrap().backlog;
    assert_eq!(backlog(&mut fleet), Some(17));
    fleet.backlogs(&[("a".into(), 3), ("stranger".into(), 1)]);
    fleet.twin("a", &twin);
    assert_eq!(backlog(&mut fleet), Some(3));
    assert!(fleet.row("stranger", DateTime::UNIX_EPOCH).is_none());
}
