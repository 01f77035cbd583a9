//! What devices send, good and bad.

use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::model::Severity;

const NOW: i64 = 1_795_000_000_000;

fn said(body: &[u8], properties: &[(&str, &str)]) -> Said {
    let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    read(body, &properties, DateTime::from_timestamp_millis(NOW).unwrap())
}

fn reading(body: &str) -> Reading {
    let said = said(body.as_bytes(), &[]);
    assert_eq!(said.readings.len(), 1, "{body}");
    said.readings.into_iter().next().unwrap()
}

#[test]
fn a_reading_is_read_with_all_it_has() {
    let reading = reading(
        r#"{"temperature":4.51,"humidity":81.2,"pressure":1013.25,"location":{"lat":51.9512345,"lon":-4.0,"alt":3.5},
            "speed":38.2,"course":271.0,"fix":"rtkFloat","satellites":9,"hdop":0.9,"door":"open","doorOpenings":3,"light":12.5,
            "temperatureMin":4.0,"temperatureMax":5.0,"temperatureMean":4.4,"period":3600,"place":"the \"yard\"",
            "time":"2026-11-21T09:47:01.250Z","seq":28000000001}"#,
    );
    assert_eq!((reading.time, reading.has_time), (1_795_254_421_250, true));
    assert_eq!(reading.seq, Some(28_000_000_001));
    let value = |field| reading.values.get(field);
    assert_eq!(value(Field::Temperature), Some(4.51));
    assert_eq!(value(Field::Pressure), Some(1013.25));
    assert_eq!(reading.values.position(), Some([-4.0, 51.951_234_5]));
    assert_eq!(value(Field::Altitude), Some(3.5));
    assert_eq!(reading.values.word(Field::Door), Some("open"));
    assert_eq!(reading.values.word(Field::Fix), Some("rtkFloat"));
    assert_eq!(reading.period(), Some(3_600_000));
    assert_eq!(reading.place.as_deref(), Some("the \"yard\""));
}

#[test]
fn what_cannot_be_true_is_absent_and_spoils_nothing_else() {
    for bad in [
        "1e999",
        "-1e999",
        "1e308",
        "\"4.5\"",
        "\"NaN\"",
        "null",
        "[]",
        "{\"a\":[1]}",
        "true",
        "-273.2",
        "200.1",
    ] {
        let reading = reading(&format!("{{\"temperature\":{bad},\"humidity\":81}}"));
        assert_eq!(reading.values.get(Field::Temperature), None, "{bad}");
        assert_eq!(reading.values.get(Field::Humidity), Some(81.0), "{bad}");
    }
    let places = [
        "7",
        "null",
        "{\"lat\":91,\"lon\":4}",
        "{\"lat\":51}",
        "{\"lat\":\"51\",\"lon\":4}",
        "[51,4]",
        "{\"lat\":1e999,\"lon\":4}",
    ];
    for bad in places {
        let reading = reading(&format!("{{\"location\":{bad},\"humidity\":81}}"));
        assert_eq!(reading.values.position(), None, "{bad}");
    }
    let reading = reading(
        r#"{"seq":-1,"door":1,"fix":"moon","place":7,"period":1e12,"location.lat":4,"time":5,"humidity":81}"#,
    );
    assert_eq!((reading.seq, reading.has_time, reading.place.as_deref()), (None, false, None));
    assert_eq!(reading.values.present().collect::<Vec<_>>(), [Field::Humidity]);
}

#[test]
fn times_that_no_reading_has_are_those_of_the_hub() {
    for time in [
        "1970-01-01T00:00:07.000Z",
        "2000-01-01T00:00:00Z",
        "2399-01-01T00:00:00Z",
        "yesterday",
        "99999-01-01T00:00:00Z",
    ] {
        let reading = reading(&format!("{{\"temperature\":4,\"time\":\"{time}\"}}"));
        assert_eq!((reading.time, reading.has_time), (NOW, false), "{time}");
    }
    let reading = reading(r#"{"temperature":4,"timeUnknown":true,"uptime":17.2,"seq":3,"period":60}"#);
    assert_eq!((reading.time, reading.has_time, reading.period()), (NOW, false, None));
}

#[test]
fn bodies_of_all_kinds_are_answered() {
    let large = format!("<script>{}</script>", "x".repeat(256 * 1024));
    let deep = "[".repeat(100_000);
    let bare = r#"{"temperature":NaN}"#;
    for bad in [
        "",
        "hello",
        "<b>4</b>",
        "7",
        "\"x\"",
        "null",
        "true",
        "{\"temperature\":4",
        bare,
        large.as_str(),
        deep.as_str(),
    ] {
        let said = said(bad.as_bytes(), &[]);
        assert!(said.is_unreadable && said.readings.is_empty(), "{}", clipped(bad));
    }
    assert!(said(&[0xff, 0xfe, b'{', b'}'], &[]).is_unreadable);
    for empty in ["{}", "[]", "[{},7,null,[{\"temperature\":4}]]", "{\"a\":1}"] {
        assert_eq!(said(empty.as_bytes(), &[]), Said::default(), "{empty}");
    }
    let batch = said(br#"[{"temperature":4,"seq":1},"x",{"temperature":5,"seq":2}]"#, &[]);
    assert_eq!(batch.readings.iter().map(|reading| reading.seq).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let many = json!((0..5000).map(|n| json!({"temperature": 4, "seq": n})).collect::<Vec<_>>()).to_string();
    assert_eq!(said(many.as_bytes(), &[]).readings.len(), 5000);
}

#[test]
fn events_are_told_from_readings() {
    let body = br#"{"begin":"2026-11-21T08:15:00.000Z","end":"2026-11-21T09:31:00.000Z","alarm":"temperature","severity":"critical",
        "state":"cleared","field":"temperature","extreme":8.41,"limit":7.0,"location":{"lat":51.9,"lon":4.5},
        "time":"2026-11-21T09:41:00.000Z","seq":28}"#;
    for properties in [&[("messageType", "event")][..], &[]] {
        let Some(Notice::Alarm(alarm)) = said(body, properties).notice else { panic!("no alarm") };
        assert_eq!(
            (alarm.name.as_str(), alarm.severity, alarm.state),
            ("temperature", Severity::Critical, AlarmState::Cleared)
        );
        assert_eq!((alarm.extreme, alarm.limit, alarm.at), (Some(8.41), Some(7.0), Some([4.5, 51.9])));
        assert_eq!(alarm.end.unwrap() - alarm.begin, 76 * 60_000);
    }
    let silent =
        [("messageType", "event"), ("alarm", "silent"), ("severity", "critical"), ("state", "raised")];
    let Some(Notice::Alarm(alarm)) = said(br#"{"begin":"2026-11-21T08:15:00Z","limit":180}"#, &silent).notice
    else {
        panic!("no alarm")
    };
    assert_eq!((alarm.name.as_str(), alarm.time), (Alarm::SILENT, NOW));
    let place = said(br#"{"place":"yard","state":"enter","time":"2026-11-21T09:41:00.000Z"}"#, &[]);
    assert!(matches!(place.notice, Some(Notice::Passage(Passage { ref place, .. })) if place == "yard"));
    let trip =
        said(br#"{"evidence":"tripEnd","trip":"x","readings":7,"time":"2026-11-21T09:41:00Z","seq":3}"#, &[]);
    let Some(Notice::Trip(trip)) = trip.notice else { panic!("no trip") };
    assert!(trip.is_end);
    assert_eq!(json!(trip.report), json!({"trip": "x", "readings": 7}));
    for nothing in [
        &br#"{"evidence":"signature"}"#[..],
        br#"{"state":"raised"}"#,
        br#"{"state":"x","alarm":"y"}"#,
        b"[]",
    ] {
        let said = said(nothing, &[("messageType", "event")]);
        assert_eq!(said, Said::default());
    }
}
