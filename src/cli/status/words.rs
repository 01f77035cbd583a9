//! The status in words, and what is wrong in it.

use std::fmt::Write as _;

use serde_json::Value;

/// A certificate with fewer days left is trouble.
const RENEW_AT_DAYS: i64 = 30;

/// What is wrong by the agent's own word.
pub(super) fn troubles(status: &Value) -> Vec<String> {
    let mut troubles = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for task in status["hung"].as_array().into_iter().flatten() {
        troubles.push(format!("{} hangs", text(task)));
    }
    match status["state"].as_str() {
        Some("refused") => troubles.push("DPS refuses this device, see the troubles below".into()),
        Some("online") | None => {}
        Some(state) if status["inStateSeconds"].as_u64() > Some(600) => {
            troubles.push(format!("{state} for {}", span(&status["inStateSeconds"])));
        }
        Some(_) => {}
    }
    if status["takenOver"] == true {
        troubles.push("another client uses this device's identity".into());
    }
    for (name, sensor) in status["sensors"].as_object().into_iter().flatten() {
        if sensor["state"] == "failed" {
            troubles.push(format!("{name}: {}", text(&sensor["cause"])));
        }
    }
    if let Some(trouble) = status["journalTrouble"].as_str() {
        troubles.push(trouble.into());
    }
    if status["journal"]["dropped"].as_u64() > Some(0) {
        troubles.push(format!("{} readings were lost", status["journal"]["dropped"]));
    }
    match status["certificate"]["daysLeft"].as_i64() {
        Some(days) if days < 0 => troubles.push("the certificate is expired".into()),
        Some(days) if days < RENEW_AT_DAYS => troubles.push(format!("the certificate has {days} days left")),
        _ => {}
    }
    troubles
}

/// The whole status, a line for each thing.
pub(super) fn describe(text: &mut String, status: &Value) {
    let word = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = |name: &str, value: String| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("state", format!("{}, for {}", word(&status["state"]), span(&status["inStateSeconds"])));
    line("hub", word(&status["hub"]));
    let delivered = &status["lastDelivered"];
    line(
        "last delivered",
        if delivered.is_null() {
            " nothing since the start".into()
        } else {
            format!(" reading {} at {}", delivered["seq"], word(&delivered["time"]))
        },
    );
    let journal = &status["journal"];
    line(
        "journal",
        format!("{} wait, {} thinned, {} lost", journal["backlog"], journal["thinned"], journal["dropped"]),
    );
    for (name, sensor) in status["sensors"].as_object().into_iter().flatten() {
        let cause = sensor["cause"].as_str().filter(|cause| !cause.is_empty());
        line(name, word(&sensor["state"]) + &cause.map(|cause| format!(": {cause}")).unwrap_or_default());
    }
    let fix = &status["lastFix"];
    line(
        "last fix",
        if fix.is_null() {
            "none".into()
        } else {
            format!("{}, {} at {}", fix["lat"], fix["lon"], word(&fix["time"]))
        },
    );
    line("clock", format!("{} ({})", word(&status["time"]), word(&status["timeSource"])));
    let certificate = &status["certificate"];
    line(
        "certificate",
        if certificate.is_null() {
            "can't be read".into()
        } else {
            format!("{}, {} days left", word(&certificate["commonName"]), word(&certificate["daysLeft"]))
        },
    );
    line("version", word(&status["version"]));
    let troubles = status["troubles"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !troubles.is_empty() {
        text.push_str("lately\n");
    }
    for trouble in troubles {
        let _ = writeln!(
            text,
            "  {} {} {}",
            word(&trouble["time"]),
            word(&trouble["level"]),
            word(&trouble["text"])
        );
    }
}

fn span(seconds: &Value) -> String {
    match seconds.as_u64().unwrap_or_default() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
