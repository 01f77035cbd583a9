//! The status in words, and what is wrong in it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::commands::issued_words;
use crate::event::recent::Trouble;
use crate::identity::certificate::RENEW_AT;
use crate::platform::timestamp::Timestamp;
use crate::status::State;
use crate::status::report::{
    ActiveAlarmReport, CertificateReport, LastFix, RootReport, SensorReport, SensorState, StatusReport,
};

/// In any state but online, and for longer, something is wrong, however rare readings are.
const LONG_OFFLINE_SECONDS: u64 = 600;

/// Readings that are rarer than so are overdue after two intervals; a moment on a slow link is not worth a word. In seconds.
const SHORTEST_OVERDUE: f64 = 10.0;

/// What is wrong by the agent's own word; `now` counts from the boot of the machine.
pub(super) fn troubles(status: &StatusReport, now: Duration) -> Vec<String> {
    let mut troubles: Vec<String> = status.hung.iter().map(|task| format!("{task} hangs")).collect();
    troubles.extend(not_delivering(status, now));
    if status.device.taken_over {
        troubles.push("another client uses this device's identity".into());
    }
    for (name, SensorReport { state, cause }) in &status.device.sensors {
        if *state == SensorState::Failed {
            troubles.push(format!("{name}: {cause}"));
        }
    }
    troubles.extend(status.journal_trouble.clone());
    let dropped = status.device.journal.dropped;
    if dropped > 0 {
        troubles.push(format!("{dropped} readings were lost"));
    }
    match status.certificate.as_ref().and_then(|certificate| certificate.days_left) {
        Some(days) if days < 0 => troubles.push("the certificate is expired".into()),
        Some(days) if days < RENEW_AT.num_days() => {
            troubles.push(format!("the certificate has {days} days left"));
        }
        _ => {}
    }
    troubles.extend(status.issued.iter().flat_map(issued_words::troubles));
    let issuer = status.certificate.as_ref().and_then(|certificate| certificate.issuer_days_left);
    if let Some(days) = issuer.filter(|days| *days < RENEW_AT.num_days()) {
        troubles.push(format!("the certificate's issuer has {days} days left"));
    }
    if let Some(RootReport { name, days_left: Some(days), .. }) = &status.first_root_end
        && *days < RENEW_AT.num_days()
    {
        troubles.push(format!("the root {name} of servers has {days} days left"));
    }
    troubles
}

/// That readings do not arrive, if so, for how long, and why.
fn not_delivering(status: &StatusReport, now: Duration) -> Option<String> {
    let state = status.device.state?;
    let backlog = status.device.journal.backlog;
    let silent = status.last_delivered.and_then(|last| Some(now.as_secs_f64() - last.uptime?));
    let is_overdue = silent.zip(status.interval_seconds).is_some_and(|(silent, interval)| {
        backlog > 0 && silent > (2.0 * interval as f64).max(SHORTEST_OVERDUE)
    });
    let is_long = state != State::Online && status.in_state_seconds > LONG_OFFLINE_SECONDS;
    if status.last_delivered.is_some() && !is_overdue && !is_long && state != State::Refused {
        return None;
    }
    let mut text = match state {
        State::Refused => "DPS refuses this device".to_owned(),
        state => word(&state),
    };
    text += &format!(" for {}", span(status.in_state_seconds));
    match (status.last_delivered, silent) {
        (None, _) => text += ", nothing delivered since the start",
        (_, Some(silent)) if is_overdue => {
            text += &format!(", nothing delivered for {}", span(silent as u64));
        }
        _ => {}
    }
    match backlog {
        0 => {}
        1 => text += ", 1 reading waits",
        backlog => text += &format!(", {backlog} readings wait"),
    }
    match (&status.offline_cause, state) {
        (_, State::Online) => {}
        (Some(cause), _) => text += &format!(": {cause}"),
        (None, State::Refused) => text += ", see the troubles below",
        (None, _) if status.device.time.is_none() => text += ": the time is not known yet",
        (None, _) => {}
    }
    Some(text)
}

/// The whole status, a line for each thing. What `told` says already is not repeated.
pub(super) fn describe(text: &mut String, status: &StatusReport, told: &[String]) {
    let is_told = |cause: &str| told.iter().any(|told| told.ends_with(cause));
    let device = &status.device;
    let mut line = |name: &str, value: String| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("state", format!("{}, for {}", word(&device.state), span(status.in_state_seconds)));
    line("hub", word(&device.hub));
    if let Some(transport) = &status.transport {
        line("transport", transport.clone());
    }
    line(
        "last delivered",
        status.last_delivered.map_or(" nothing since the start".into(), |delivered| {
            format!(" reading {}{}", delivered.seq, at(delivered.time, delivered.uptime, status))
        }),
    );
    let journal = &device.journal;
    line(
        "journal",
        format!("{} wait, {} thinned, {} lost", journal.backlog, journal.thinned, journal.dropped),
    );
    for (name, SensorReport { state, cause }) in &device.sensors {
        let cause = if cause.is_empty() || is_told(cause) { String::new() } else { format!(": {cause}") };
        line(name, word(state) + &cause);
    }
    for (name, ActiveAlarmReport { severity, since, acknowledged }) in &device.active_alarms {
        let known = if *acknowledged { ", acknowledged" } else { "" };
        line(
            "alarm",
            format!("{name}: {severity}{}{known}", since.map_or(String::new(), |at| format!(" since {at}"))),
        );
    }
    line(
        "last fix",
        device.last_fix.map_or("none".into(), |LastFix { lat, lon, time }| {
            format!("{lat:?}, {lon:?}{}", at(time, None, status))
        }),
    );
    if !device.places.is_empty() {
        line("in", device.places.join(", "));
    }
    line(
        "clock",
        device.time.map_or("the time is not known yet".into(), |time| {
            format!("{} ({})", word(&time), word(&device.time_source))
        }),
    );
    line(
        "certificate",
        status.certificate.as_ref().map_or("can't be read".into(), |certificate| {
            let CertificateReport { common_name, days_left, .. } = certificate;
            let left = days_left.map_or(String::new(), |days| format!(", {days} days left"));
            word(common_name) + &left
        }),
    );
    if let Some(root) = &status.first_root_end {
        line("server roots", root_end(root));
    }
    if let Some(issued) = &status.issued {
        line("issued", issued_words::in_words(issued));
    }
    line("version", word(&device.version));
    lately(text, status, told);
}

/// The root that ends first.
pub(super) fn root_end(RootReport { name, days_left, .. }: &RootReport) -> String {
    let left = days_left.map_or(String::new(), |days| format!(", {days} days left"));
    format!("first to end is {name}{left}")
}

/// The last troubles, each cause once.
fn lately(text: &mut String, status: &StatusReport, told: &[String]) {
    let mut causes: Vec<(&str, usize, &Trouble)> = Vec::new();
    for trouble in &status.troubles {
        let cause = without_next(&trouble.text);
        let before = causes.iter().position(|(known, ..)| *known == cause);
        let times = before.map_or(0, |index| causes.remove(index).1);
        causes.push((cause, times + 1, trouble));
    }
    if !causes.is_empty() {
        text.push_str("lately\n");
    }
    // What stands above in full.
    let above: Vec<&str> = [&status.offline_cause, &status.journal_trouble]
        .into_iter()
        .flatten()
        .chain(status.device.sensors.values().map(|sensor| &sensor.cause))
        .map(String::as_str)
        .filter(|cause| told.iter().any(|told| told.contains(cause)) && cause.len() > AS_ABOVE.len())
        .collect();
    for (_, times, trouble) in causes {
        let mut said = trouble.text.clone();
        for cause in &above {
            said = said.replace(cause, AS_ABOVE);
        }
        if times > 1 {
            said += &format!(" ({times} times)");
        }
        let when = when(trouble.time, trouble.uptime, status);
        let _ = writeln!(text, "  {when} {} {said}", word(&trouble.level));
    }
}

/// In place of a cause that stands above.
const AS_ABOVE: &str = "as above";

/// A sentence without what is done about it next, which is another one each time.
fn without_next(text: &str) -> &str {
    ["; trying again in ", "; it goes on measuring and asks again in "]
        .into_iter()
        .fold(text, |text, next| text.rsplit_once(next).map_or(text, |(before, _)| before))
}

/// A moment, after the thing that happened then.
pub fn at(time: Option<Timestamp>, uptime: Option<f64>, status: &StatusReport) -> String {
    let at = if time.is_some() { " at " } else { ", " };
    format!("{at}{}", when(time, uptime, status))
}

/// A moment: its time; as long as that was not known, how long it was before the status was written.
pub fn when(time: Option<Timestamp>, uptime: Option<f64>, status: &StatusReport) -> String {
    match (time, uptime) {
        (Some(time), _) => word(&time),
        (None, Some(uptime)) => {
            format!("{} ago", span((status.written_at_uptime - uptime).max(0.0) as u64))
        }
        (None, None) => "time unknown".into(),
    }
}

/// A value as it stands in the file, without quotes; one that is not there is "none".
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value).unwrap_or_default() {
        Value::Null => "none".into(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// So long, as people say it.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
