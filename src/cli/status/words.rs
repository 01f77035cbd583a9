//! The status in words, and what is wrong in it.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::identity::certificate::RENEW_AT;
use crate::status::State;
use crate::status::report::{CertificateReport, LastFix, SensorReport, SensorState, StatusReport};

/// In any state but online, and for longer, something is wrong.
const LONG_OFFLINE_SECONDS: u64 = 600;

/// What is wrong by the agent's own word.
pub(super) fn troubles(status: &StatusReport) -> Vec<String> {
    let mut troubles: Vec<String> = status.hung.iter().map(|task| format!("{task} hangs")).collect();
    match status.device.state {
        Some(State::Refused) => troubles.push("DPS refuses this device, see the troubles below".into()),
        Some(State::Online) | None => {}
        Some(state) if status.in_state_seconds > LONG_OFFLINE_SECONDS => {
            troubles.push(format!("{} for {}", word(&state), span(status.in_state_seconds)));
        }
        Some(_) => {}
    }
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
    troubles
}

/// The whole status, a line for each thing.
pub(super) fn describe(text: &mut String, status: &StatusReport) {
    let device = &status.device;
    let mut line = |name: &str, value: String| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("state", format!("{}, for {}", word(&device.state), span(status.in_state_seconds)));
    line("hub", word(&device.hub));
    line(
        "last delivered",
        status.last_delivered.map_or(" nothing since the start".into(), |delivered| {
            format!(" reading {} at {}", delivered.seq, word(&delivered.time))
        }),
    );
    let journal = &device.journal;
    line(
        "journal",
        format!("{} wait, {} thinned, {} lost", journal.backlog, journal.thinned, journal.dropped),
    );
    for (name, SensorReport { state, cause }) in &device.sensors {
        let cause = if cause.is_empty() { String::new() } else { format!(": {cause}") };
        line(name, word(state) + &cause);
    }
    line(
        "last fix",
        device.last_fix.map_or("none".into(), |LastFix { lat, lon, time }| {
            format!("{lat:?}, {lon:?} at {}", word(&time))
        }),
    );
    line("clock", format!("{} ({})", word(&device.time), word(&device.time_source)));
    line(
        "certificate",
        status.certificate.as_ref().map_or("can't be read".into(), |certificate| {
            let CertificateReport { common_name, days_left, .. } = certificate;
            format!("{}, {} days left", word(common_name), word(days_left))
        }),
    );
    line("version", word(&device.version));
    if !status.troubles.is_empty() {
        text.push_str("lately\n");
    }
    for trouble in &status.troubles {
        let _ = writeln!(text, "  {} {} {}", word(&trouble.time), word(&trouble.level), trouble.text);
    }
}

/// A value as it stands in the file, without quotes; one that is not there is "none".
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value).unwrap_or_default() {
        Value::Null => "none".into(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
