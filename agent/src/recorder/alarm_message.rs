//! What is told of an alarm: the event message, and the sentence in the log.

use serde_json::{Map, Value, json};

use crate::alarms::life::Kind;
use crate::alarms::signal::Signal;
use crate::alarms::watch::Told;
use crate::event_message::{EventMessage, When};
use crate::instruments::fields::{POSITION_DECIMALS, rounded};

/// Decimals of values and bounds: more than any sensor has.
const DECIMALS: i32 = 4;

/// The event message of what happened at this position.
pub(super) fn message(told: &Told, position: Option<(f64, f64)>) -> EventMessage {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("alarm", told.rule.name.as_str().into());
    put("severity", told.severity.word().into());
    put("state", told.kind.word().into());
    match &told.rule.signal {
        Signal::Field(field) if !field.is_empty() => put("field", field.as_str().into()),
        Signal::SensorFailed(sensor) => put("sensor", (*sensor).into()),
        _ => None,
    };
    if is_measured(told) {
        put("extreme", rounded(told.extreme, DECIMALS).into());
        if let Some(limit) = told.limit {
            put("limit", limit.into());
        }
    }
    if told.gap > 0 {
        put("gap", seconds(told.gap));
    }
    if told.removed {
        put("removed", true.into());
    }
    if let Some((lat, lon)) = position {
        let [lat, lon] = [lat, lon].map(|degrees| rounded(degrees, POSITION_DECIMALS));
        put("location", json!({"lat": lat, "lon": lon}));
    }
    let mut event =
        EventMessage::new("alarm", &told.rule.name, told.kind.word(), Value::Object(fields).to_string());
    event.set("severity", told.severity.word());
    event.moment("begin", told.begin);
    if is_measured(told) {
        event.moment("extremeTime", told.extreme_at);
    }
    if let Some(end) = told.end {
        event.moment("end", end);
    }
    event
}

fn seconds(ms: i64) -> Value {
    if ms % 1000 == 0 { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
}

/// For the log.
pub(super) fn sentence(told: &Told) -> String {
    let (name, severity) = (&told.rule.name, told.severity.word());
    let what = what(told);
    let lasted = match (told.begin, told.end) {
        (When::Ago(begin), Some(When::Ago(end))) => minutes(begin - end),
        (When::Ago(begin), None) => minutes(begin),
        // How long the machine was without power is not known yet.
        _ => "an unknown time".into(),
    };
    match told.kind {
        Kind::Cleared if told.removed => format!("the alarm {name} is over: it is not set any more"),
        Kind::Cleared => format!("the alarm {name} is over after {lasted}: {what}"),
        Kind::Raised => format!("alarm {name} ({severity}): {what}, for {lasted}"),
        Kind::Escalated => format!("alarm {name} is {severity} now: {what}, for {lasted}"),
    }
}

/// Whether it has a value, and is not only so or not.
fn is_measured(told: &Told) -> bool {
    matches!(told.rule.signal, Signal::Field(_) | Signal::Moved | Signal::RootsEnd)
}

fn what(told: &Told) -> String {
    let beyond = told.limit.map_or(String::new(), |limit| format!(", beyond {limit:?}"));
    match &told.rule.signal {
        Signal::Field(field) => format!("{field} {:?}{beyond}", rounded(told.extreme, 2)),
        Signal::Moved => format!("{:.0} m from where it stood{beyond}", told.extreme),
        Signal::SensorFailed(sensor) => format!("{sensor} gives nothing"),
        Signal::GpsGone => "no position".into(),
        Signal::DoorOpened(_) => "the door was opened".into(),
        Signal::CertificateEnds { .. } => "the certificate is near its end".into(),
        Signal::RootsEnd => format!("a root certificate of servers ends in {:.0} days", told.extreme),
        Signal::JournalThinned => "the journal is full, and its history becomes coarser".into(),
    }
}

fn minutes(ms: i64) -> String {
    match ms / 60_000 {
        0 => format!("{} s", ms / 1000),
        minutes => format!("{minutes} min"),
    }
}
