//! What a container says of itself, as rows of panes: of a status file, or of a tracker in this program.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tracker_protocol::printable;

use super::look::Tone;
use super::pane::Row;
use crate::lab::board::Readings;
use crate::status::State;
use crate::status::close_up::Sky;
use crate::status::report::{ActiveAlarmReport, DeviceStatus, JournalReport, SensorReport, SensorState};

/// What was measured, each with its course.
pub(in crate::cli) fn readings(readings: &Readings) -> Vec<Row> {
    let measured = readings.measured().into_iter();
    let mut rows: Vec<Row> = measured.map(|m| Row::Measured(m.name, m.value, m.trend, m.decimals)).collect();
    rows.extend(readings.text("door").map(|door| Row::Fact("door", Tone::Plain, door)));
    if rows.is_empty() {
        rows.push(Row::Text(Tone::Dim, "none yet".into()));
    }
    rows
}

/// Sensors that are not as they should be, and the others by name.
pub(in crate::cli) fn sensor_rows(sensors: &BTreeMap<String, SensorReport>) -> Vec<Row> {
    let state = |(name, SensorReport { state, cause }): (&String, &SensorReport)| {
        let (tone, word) = match state {
            SensorState::Ok => (Tone::Good, "✓"),
            SensorState::Starting => (Tone::Plain, "starts"),
            SensorState::Degraded => (Tone::Warning, "! degraded"),
            SensorState::Failed => (Tone::Bad, "✗ failed"),
            SensorState::Unknown => (Tone::Warning, "? unknown"),
        };
        let cause = if cause.is_empty() { String::new() } else { format!(": {}", printable(cause)) };
        Row::Fact("sensor", tone, format!("{} {word}{cause}", printable(name)))
    };
    sensors.iter().map(state).collect()
}

/// How far it has come with its cloud.
pub(in crate::cli) fn link_rows(device: &DeviceStatus, seconds: u64, cause: Option<&str>) -> Vec<Row> {
    let (tone, stages) = match device.state {
        None => (Tone::Dim, "unknown"),
        Some(State::Registering) => (Tone::Warning, "DPS …  → hub → online"),
        Some(State::Refused) => (Tone::Bad, "DPS ✗  → hub → online"),
        Some(State::Connecting) => (Tone::Warning, "DPS ✓ → hub … → online"),
        Some(State::Online) => (Tone::Good, "DPS ✓ → hub ✓ → online ✓"),
    };
    let state = match device.state {
        None => "unknown",
        Some(State::Registering) => "asks DPS for a hub",
        Some(State::Refused) => "DPS refuses this device",
        Some(State::Connecting) => "connects to its hub",
        Some(State::Online) => "online",
    };
    let mut rows = vec![
        Row::Fact("stage", tone, stages.into()),
        Row::Fact("state", Tone::Plain, format!("{state}, for {}", age(seconds))),
        Row::Fact("hub", Tone::Plain, device.hub.as_ref().map_or("none".into(), printable)),
    ];
    if device.taken_over {
        rows.push(Row::Fact("identity", Tone::Bad, "another client uses it too".into()));
    }
    if let Some(cause) = cause.filter(|_| device.state != Some(State::Online)) {
        rows.extend(attempt(cause).map(|stages| Row::Fact("last attempt", Tone::Warning, stages)));
        rows.push(Row::Fact("held up by", Tone::Warning, printable(cause)));
    }
    rows
}

/// How far the last attempt came, by the words of the link (`link/stage.rs`, `link/error.rs`); `None` of others.
fn attempt(cause: &str) -> Option<String> {
    const STAGES: [&str; 4] = ["name", "TCP", "TLS", "MQTT"];
    let words: [&[&str]; 4] = [
        &["the name servers do not answer", "no such name", "no address"],
        &["there is no TCP connection", "nobody listens there", "no way there"],
        &["does not answer TLS", "TLS: ", "the server's certificate", "broke off TLS", "does not speak TLS"],
        &["CONNECT", "CONNACK", "does not accept"],
    ];
    let failed = words.iter().position(|words| words.iter().any(|words| cause.contains(words)))?;
    let stage = |(index, name): (usize, &&str)| {
        let mark = match index.cmp(&failed) {
            Ordering::Less => " ✓",
            Ordering::Equal => " ✗",
            Ordering::Greater => "",
        };
        format!("{name}{mark}")
    };
    Some(STAGES.iter().enumerate().map(stage).collect::<Vec<_>>().join(" → "))
}

/// What the receiver says of the sky.
pub(in crate::cli) fn sky_rows(sky: &Sky) -> Vec<Row> {
    let fix = match &sky.fix {
        Some(fix) => (Tone::Good, format!("✓ {}", printable(fix))),
        None => (Tone::Warning, "none".into()),
    };
    let mut rows = vec![Row::Fact("fix", fix.0, fix.1)];
    let satellites = sky.satellites.map(|count| format!("{count} satellites"));
    let hdop = sky.hdop.map(|hdop| format!("HDOP {hdop:.1}"));
    let sentences = sky.sentences.as_ref().map(|sentences| format!("by {}", printable(sentences)));
    let heard: Vec<String> = [satellites, hdop, sentences].into_iter().flatten().collect();
    if !heard.is_empty() {
        rows.push(Row::Fact("sky", Tone::Plain, heard.join(", ")));
    }
    let tone = if sky.bytes == 0 { Tone::Bad } else { Tone::Plain };
    let (with, without) = sky.epochs;
    let text =
        format!("{} sentences, {} broken; {with} s with a fix, {without} s without", sky.whole, sky.broken);
    rows.push(Row::Fact("receiver", tone, text));
    rows
}

/// How full the journal is.
pub(in crate::cli) fn journal_rows(journal: &JournalReport) -> Vec<Row> {
    let JournalReport { taken, acknowledged, backlog, thinned, dropped, .. } = *journal;
    let tone = |bad: bool| if bad { Tone::Warning } else { Tone::Plain };
    let waits = if backlog == 1 { "1 reading waits".into() } else { format!("{backlog} readings wait") };
    vec![
        Row::Fact("waiting", tone(backlog > 32), waits),
        Row::Fact("since start", Tone::Plain, format!("{taken} taken, {acknowledged} acknowledged")),
        Row::Fact("lost", tone(thinned + dropped > 0), format!("{thinned} thinned, {dropped} lost")),
    ]
}

/// What is raised.
pub(in crate::cli) fn alarm_rows(alarms: &BTreeMap<String, ActiveAlarmReport>) -> Vec<Row> {
    if alarms.is_empty() {
        return vec![Row::Text(Tone::Plain, "none".into())];
    }
    let alarm = |(name, alarm): (&String, &ActiveAlarmReport)| {
        let ActiveAlarmReport { severity, since, acknowledged } = alarm;
        let tone = if severity == "critical" { Tone::Bad } else { Tone::Warning };
        let since = since.map_or(String::new(), |since| format!(" since {since}"));
        let known = if *acknowledged { ", acknowledged" } else { "" };
        Row::Text(tone, format!("{} {}{since}{known}", printable(severity), printable(name)))
    };
    alarms.iter().map(alarm).collect()
}

/// So long, as people say it.
pub(in crate::cli) fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_is_told_by_the_stage_at_which_it_failed() {
        for (cause, stages) in [
            ("hub:8883: the name servers do not answer within 30 s", "name ✗ → TCP → TLS → MQTT"),
            ("nobody listens there (connection refused)", "name ✓ → TCP ✗ → TLS → MQTT"),
            ("TCP stands, but the server does not answer TLS within 30 s", "name ✓ → TCP ✓ → TLS ✗ → MQTT"),
            ("the server's certificate is for another name: x", "name ✓ → TCP ✓ → TLS ✗ → MQTT"),
            (
                "TLS stands, but the server does not answer CONNECT within 30 s",
                "name ✓ → TCP ✓ → TLS ✓ → MQTT ✗",
            ),
        ] {
            assert_eq!(attempt(cause).as_deref(), Some(stages), "{cause}");
        }
        assert_eq!(attempt("the time is not known yet"), None);
    }
}
