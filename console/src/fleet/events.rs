//! What happened, as entries of the story: a line for people each.

use chrono::DateTime;
use serde_json::Value;

use crate::model::{CloudEvent, StoryEntry, StoryKind};
use crate::telemetry::{self, Alarm, AlarmState, Notice, Passage, Reading, Trip};

/// A text of a stranger, at most so long that it fits into a line or two.
pub(super) fn clipped(text: &str) -> String {
    telemetry::clipped(text).into_owned()
}

/// Whether an event of this kind says that there is such a device. Names that somebody tries a handshake with are none.
pub(super) fn concerns_device(kind: &str) -> bool {
    matches!(
        kind,
        "assigning"
            | "assigned"
            | "registrationDisabled"
            | "registrationRefused"
            | "connectionRefused"
            | "deviceConnected"
            | "deviceDisconnected"
            | "deviceSilent"
            | "deviceHeard"
    )
}

/// The entry for what a device has told.
pub(super) fn of_notice(id: &str, notice: &Notice) -> StoryEntry {
    let entry = |time: i64, kind, text: String| {
        StoryEntry::new(id, DateTime::from_timestamp_millis(time).unwrap_or_default(), kind, text)
    };
    match notice {
        Notice::Alarm(alarm) => StoryEntry {
            severity: Some(alarm.severity),
            alarm: Some(alarm.name.clone()),
            state: Some(alarm.state.word().into()),
            begin: DateTime::from_timestamp_millis(alarm.begin),
            extreme: alarm.extreme,
            limit: alarm.limit,
            at: alarm.at,
            ..entry(alarm.time, StoryKind::Alarm, of_alarm(alarm))
        },
        Notice::Passage(Passage { place, state, time, at }) => {
            let text = match state.as_str() {
                "enter" => format!("entered {place}"),
                "exit" => format!("left {place}"),
                "inside" => format!("is in {place}"),
                "crossed" => format!("passed through {place}"),
                other => format!("{place}: {other}"),
            };
            StoryEntry { state: Some(state.clone()), at: *at, ..entry(*time, StoryKind::Place, text) }
        }
        Notice::Trip(Trip { is_end, time, report }) => {
            let name =
                report.get("trip").and_then(Value::as_str).map(|name| format!(" \"{}\"", clipped(name)));
            let name = name.unwrap_or_default();
            let (state, text) = if *is_end {
                ("end", format!("trip{name} ended"))
            } else {
                ("begin", format!("trip{name} began"))
            };
            StoryEntry { state: Some(state.into()), ..entry(*time, StoryKind::Trip, text) }
        }
    }
}

fn of_alarm(alarm: &Alarm) -> String {
    let name = &alarm.name;
    let severity = format!("{:?}", alarm.severity).to_lowercase();
    let head = match alarm.state {
        AlarmState::Raised => format!("alarm {name} ({severity})"),
        AlarmState::Escalated => format!("alarm {name} is {severity} now"),
        AlarmState::Cleared => format!("alarm {name} is over"),
    };
    match (alarm.extreme, alarm.limit) {
        (Some(extreme), Some(limit)) => format!("{head}: {extreme}, beyond {limit}"),
        (Some(extreme), None) => format!("{head}: {extreme}"),
        _ => head,
    }
}

/// The entry for the door.
pub(super) fn door(id: &str, reading: &Reading, is_open: bool) -> StoryEntry {
    let time = DateTime::from_timestamp_millis(reading.time).unwrap_or_default();
    let state = if is_open { "open" } else { "closed" };
    let text = if is_open { "the door was opened" } else { "the door was closed" };
    let entry = StoryEntry::new(id, time, StoryKind::Door, text);
    StoryEntry { state: Some(state.into()), at: reading.values.position(), ..entry }
}

/// The entry for an event of the cloud, if it is worth one.
pub(super) fn of_cloud(event: &CloudEvent) -> Option<StoryEntry> {
    let is_taken_over = || event.detail["reason"]["kind"] == "takenOver";
    let (kind, state) = match event.kind.as_str() {
        "assigning" => (StoryKind::Provisioning, "assigning"),
        "assigned" => (StoryKind::Provisioning, "assigned"),
        "registrationDisabled" => (StoryKind::Refusal, "disabled"),
        "registrationRefused" | "connectionRefused" | "handshakeFailed" => (StoryKind::Refusal, "refused"),
        "deviceConnected" => (StoryKind::Connection, "connected"),
        "deviceDisconnected" if is_taken_over() => (StoryKind::Takeover, "takenOver"),
        "deviceDisconnected" => (StoryKind::Connection, "disconnected"),
        "deviceSilent" => (StoryKind::Silence, "silent"),
        "deviceHeard" => (StoryKind::Silence, "heard"),
        _ => return None,
    };
    let entry = StoryEntry::new(clipped(&event.device), event.time, kind, clipped(&event.text));
    Some(StoryEntry { state: Some(state.into()), ..entry })
}
