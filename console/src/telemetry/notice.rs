//! What devices tell by messages of their own: alarms, fences, trips. (And hubs, of devices that have fallen silent, in the
//! same form.)

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::field::Field;
use super::text::{clipped, moment};
use crate::model::{Position, Severity};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    /// Of an alarm.
    Alarm(Alarm),
    /// Of a fence.
    Passage(Passage),
    /// Of a trip.
    Trip(Trip),
}

/// What became of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Raised,
    Escalated,
    Cleared,
}

/// An alarm was raised, became worse or ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm {
    /// As the device calls it.
    pub(crate) name: String,
    pub(crate) severity: Severity,
    pub(crate) state: AlarmState,
    /// When that was told, in milliseconds since 1970, and with which number.
    pub(crate) time: i64,
    pub(crate) seq: Option<u64>,
    /// When it began and, if it has, ended.
    pub(crate) begin: i64,
    pub(crate) end: Option<i64>,
    pub(crate) extreme: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) field: Option<String>,
    pub(crate) at: Option<Position>,
}

impl Alarm {
    /// What hubs call it when they miss a device.
    pub(crate) const SILENT: &'static str = "silent";
}

impl AlarmState {
    /// As messages have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Cleared => "cleared",
        }
    }
}

/// The container entered or left a fence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Passage {
    pub(crate) place: String,
    /// `inside`, `enter`, `exit` or `crossed`.
    pub(crate) state: String,
    pub(crate) time: i64,
    pub(crate) at: Option<Position>,
}

/// A trip began or ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trip {
    pub(crate) is_end: bool,
    pub(crate) time: i64,
    /// By what it is measured, or its report.
    pub(crate) report: Map<String, Value>,
}

/// Reads the body of an event or of a statement; `None` where it is neither, or one that tells people nothing.
pub(super) fn read(
    body: &Value,
    properties: &BTreeMap<String, String>,
    enqueued: DateTime<Utc>,
) -> Option<Notice> {
    let body = body.as_object()?;
    let enqueued = enqueued.timestamp_millis();
    let time = time_of(body, "time").unwrap_or(enqueued);
    if let Some(statement) = body.get("evidence").and_then(Value::as_str) {
        let is_end = match statement {
            "tripBegin" => false,
            "tripEnd" => true,
            _ => return None,
        };
        let mut report = body.clone();
        report.retain(|member, _| !["evidence", "time", "seq"].contains(&member.as_str()));
        return Some(Notice::Trip(Trip { is_end, time, report }));
    }
    // What an event says of itself stands in its properties too, for routes; hubs say it only there.
    let text = |name: &str| {
        let said =
            body.get(name).and_then(Value::as_str).or_else(|| properties.get(name).map(String::as_str));
        said.map(|text| clipped(text).into_owned())
    };
    let state = text("state")?;
    let at = position(body.get("location"));
    if let Some(place) = text("place") {
        return Some(Notice::Passage(Passage { place, state, time, at }));
    }
    let state = match state.as_str() {
        "raised" => AlarmState::Raised,
        "escalated" => AlarmState::Escalated,
        "cleared" => AlarmState::Cleared,
        _ => return None,
    };
    let severity = match text("severity").as_deref() {
        Some("critical") => Severity::Critical,
        _ => Severity::Warning,
    };
    let is_cleared = state == AlarmState::Cleared;
    Some(Notice::Alarm(Alarm {
        name: text("alarm")?,
        severity,
        state,
        time,
        seq: body.get("seq").and_then(Value::as_u64),
        begin: time_of(body, "begin").unwrap_or(time),
        end: is_cleared.then(|| time_of(body, "end").unwrap_or(time)),
        extreme: finite(body, "extreme"),
        limit: finite(body, "limit"),
        field: text("field"),
        at,
    }))
}

fn time_of(body: &Map<String, Value>, member: &str) -> Option<i64> {
    moment(body.get(member)?.as_str()?)
}

fn finite(body: &Map<String, Value>, member: &str) -> Option<f64> {
    body.get(member)?.as_f64().filter(|value| value.abs() < 1e9)
}

fn position(location: Option<&Value>) -> Option<Position> {
    let degrees = |member: &str, field: Field| {
        let value = location?.get(member)?.as_f64()?;
        field.keep(value).map(|_| value)
    };
    Some([degrees("lon", Field::Longitude)?, degrees("lat", Field::Latitude)?])
}
