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
                "enter" => format!("Entered {place}."),
                "exit" => format!("Left {place}."),
                "inside" => format!("Is in {place}."),
                "crossed" => format!("Passed through {place}."),
                other => format!("{place}: {other}."),
            };
            StoryEntry { state: Some(state.clone()), at: *at, ..entry(*time, StoryKind::Place, text) }
        }
        Notice::Trip(Trip { is_end, time, report }) => {
            let name =
                report.get("trip").and_then(Value::as_str).map(|name| format!(" \"{}\"", clipped(name)));
            let name = name.unwrap_or_default();
            let (state, text) = if *is_end {
                ("end", format!("Trip{name} ended."))
            } else {
                ("begin", format!("Trip{name} began."))
            };
            StoryEntry { state: Some(state.into()), ..entry(*time, StoryKind::Trip, text) }
        }
    }
}

fn of_alarm(alarm: &Alarm) -> String {
    let name = &alarm.name;
    let severity = format!("{:?}", alarm.severity).to_lowercase();
    let head = match alarm.state {
        AlarmState::Raised => format!("Alarm {name} ({severity})"),
        AlarmState::Escalated => format!("Alarm {name} is {severity} now"),
        AlarmState::Cleared => format!("Alarm {name} is over"),
    };
    match (alarm.extreme, alarm.limit) {
        (Some(extreme), Some(limit)) => format!("{head}: {extreme}, beyond {limit}."),
        (Some(extreme), None) => format!("{head}: {extreme}."),
        _ => head + ".",
    }
}

/// The entry for the door.
pub(super) fn door(id: &str, reading: &Reading, is_open: bool) -> StoryEntry {
    let time = DateTime::from_timestamp_millis(reading.time).unwrap_or_default();
    let state = if is_open { "open" } else { "closed" };
    let text = if is_open { "The door was opened." } else { "The door was closed." };
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
    let entry = StoryEntry::new(clipped(&event.device), event.time, kind, of_happening(event));
    Some(StoryEntry { state: Some(state.into()), ..entry })
}

/// What happened, told of the device that it happened to: its name stands beside it.
pub(super) fn of_happening(event: &CloudEvent) -> String {
    let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let hub = first_label(detail("hub"));
    let text = match event.kind.as_str() {
        "assigning" => format!("Let in by {}", detail("enrollment")),
        "assigned" => {
            let name = detail("deviceId");
            let other = if name == event.device { String::new() } else { format!(" as {name:?}") };
            format!("Assigned to {hub}{other}{}", of_substatus(detail("substatus")))
        }
        "registrationDisabled" => format!("Refused by DPS: {} is disabled", detail("enrollment")),
        "registrationRefused" => {
            let code = event.detail.get("errorCode").and_then(Value::as_u64).unwrap_or_default();
            format!("Refused by DPS with {code}: {}", detail("reason"))
        }
        "connectionRefused" => {
            let service = first_label(detail("service"));
            let by = if service.is_empty() { String::new() } else { format!(" by {service}") };
            format!("Connection refused{by}: {}", detail("reason"))
        }
        "handshakeFailed" => format!("TLS with {} failed: {}", detail("peer"), detail("reason")),
        "deviceConnected" => format!("Connected to {hub}"),
        "deviceDisconnected" => format!("Disconnected from {hub}: {}", of_goodbye(event)),
        "deviceSilent" => match event.detail.get("seconds").and_then(Value::as_i64) {
            Some(seconds) => format!("Silent: not heard for {seconds} s"),
            None => "Silent".into(),
        },
        "deviceHeard" => "Heard again".into(),
        other => other.to_owned(),
    };
    let text = clipped(&text);
    if text.ends_with(['.', '?', '!', '…']) { text } else { text + "." }
}

/// How an assignment came about.
fn of_substatus(word: &str) -> &'static str {
    match word {
        "deviceDataMigrated" => ", its twin came along",
        "deviceDataReset" => ", with a new twin",
        "reprovisionedToInitialAssignment" => ", where it was at first",
        _ => "",
    }
}

/// How a connection ended.
fn of_goodbye(event: &CloudEvent) -> String {
    let reason = event.detail.get("reason");
    let member = |name: &str| reason.and_then(|reason| reason.get(name)).and_then(Value::as_str);
    let known = match member("kind").unwrap_or_default() {
        "disconnect" => "it said goodbye",
        "connectionLost" => "the connection was lost",
        "keepAliveTimeout" => "it has fallen silent",
        "protocolViolation" => "it broke the protocol",
        "takenOver" => "another client took over its identity",
        "deviceDisabled" => "it was disabled",
        "deviceDeleted" => "its identity was deleted",
        "tokenExpired" => "its shared access signature has expired",
        "backlog" => "it does not read what is sent to it",
        "fault" => "a fault was asked for",
        "shutdown" => "the hub was shut down",
        other => other,
    };
    match member("detail") {
        Some(detail) if !detail.is_empty() => format!("{known} ({detail})"),
        _ => known.to_owned(),
    }
}

/// The part of a host name that tells one hub from another.
fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}
