//! Finds what is wrong. What the cloud knows comes first, as nothing else can be mended before.

use chrono::{DateTime, Utc};

use super::facts::{Answer, Facts, never};
use super::findings::{Finding, Level};

/// A certificate with fewer days left should be renewed.
const DAYS_OF_A_CERTIFICATE: i64 = 30;
/// Roots of servers reach every device slowly.
const DAYS_OF_A_ROOT: i64 = 180;
/// What a receiver may take for its first fix, in seconds.
const TO_A_FIX_S: u64 = 300;
/// More readings that wait while it is online are more than a few on their way.
const MANY: u64 = 1000;

/// All that is wrong, the worst that keeps it from working first.
pub(in crate::cli::cloud) fn judge(facts: &Facts, now: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Vec::new();
    at_the_hub(facts, &mut found);
    at_dps(facts, &mut found);
    sensors(facts, &mut found);
    certificates(facts, now, &mut found);
    storage(facts, &mut found);
    settings(facts, &mut found);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    found
}

fn at_the_hub(facts: &Facts, found: &mut Vec<Finding>) {
    let Facts { id, identity, answer, .. } = facts;
    let mut tell =
        |level, text: String, mend: String| found.push(Finding::new(level, "connection", text, mend));
    match answer {
        Answer::Told(_) => {}
        Answer::NotAsked => {
            let reason = identity["statusReason"].as_str().filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            tell(
                Level::Error,
                format!("it is disabled at the hub{reason}, which does not let it in"),
                format!("`container-tracker cloud device enable -d {id}` lets it in again"),
            );
        }
        Answer::Offline if never(&identity["lastActivityTime"]) => tell(
            Level::Error,
            "it has never been connected".into(),
            "run `container-tracker check` on it, then `container-tracker provision`".into(),
        ),
        Answer::Offline => tell(
            Level::Error,
            "it is not connected; it goes on measuring, and delivers later what it measures".into(),
            "look at its power, antenna and SIM; on it `container-tracker status` says what keeps it from the hub".into(),
        ),
        Answer::Silent(seconds) => tell(
            Level::Error,
            format!("it has not answered within {seconds} s, although the hub has taken the call"),
            "its link is slow, or broke off just now: try again, with --timeout 120".into(),
        ),
        Answer::Older => tell(
            Level::Note,
            "its agent is older than the method getDiagnostics: what hub and twin say is shown".into(),
            "install a newer package".into(),
        ),
        Answer::Odd { status, words } => tell(
            Level::Warning,
            format!("it has answered with status {status}: {words}"),
            "try again later; what hub and twin say is shown".into(),
        ),
    }
    if facts.part("takenOver") == true {
        tell(
            Level::Error,
            "another client connects with its identity, and each throws the other out".into(),
            "give each device a certificate of its own, and stop the copy".into(),
        );
    }
    let (waiting, state) = (&facts.told()["status"]["journal"]["backlog"], &facts.told()["status"]["state"]);
    if let Some(waiting) = waiting.as_u64().filter(|waiting| *waiting > MANY && state == "online") {
        tell(
            Level::Note,
            format!("{waiting} readings wait to be sent: it was offline, and is catching up"),
            "nothing has to be done, if the number falls".into(),
        );
    }
}

fn at_dps(facts: &Facts, found: &mut Vec<Finding>) {
    let Facts { id, hub, registration, enrollment, .. } = facts;
    let mut tell =
        |level, text: String, mend: String| found.push(Finding::new(level, "provisioning", text, mend));
    if let Some(enrollment) = enrollment
        && enrollment["provisioningStatus"] == "disabled"
    {
        tell(
            Level::Error,
            "its enrollment is disabled: it does not come back to a hub once it has lost it".into(),
            format!(
                "`container-tracker cloud enrollment update --enrollment-id {id} --provisioning-status enabled`"
            ),
        );
    }
    let Some(registration) = registration else { return };
    match (registration["status"].as_str(), registration["assignedHub"].as_str()) {
        (Some("assigned"), Some(assigned)) if !assigned.eq_ignore_ascii_case(hub) => tell(
            Level::Warning,
            format!("the provisioning service has assigned it to {assigned}, and this is {hub}"),
            "it leaves this hub when it asks next; delete the identity that is not used".into(),
        ),
        (Some("assigned") | None, _) => {}
        (Some(status), _) => {
            let why = registration["errorMessage"].as_str().unwrap_or("no explanation");
            tell(
                Level::Error,
                format!("its registration is {status}: {why}"),
                "look at enrollment and certificate: `container-tracker cloud enrollment list`".into(),
            );
        }
    }
}

fn sensors(facts: &Facts, found: &mut Vec<Finding>) {
    let up = facts.told()["program"]["upSeconds"].as_u64();
    let is_starting = up.is_some_and(|seconds| seconds < TO_A_FIX_S);
    for (name, sensor) in facts.part("sensors").as_object().into_iter().flatten() {
        let level = match sensor["state"].as_str() {
            Some("failed") => Level::Error,
            Some("degraded") if is_starting && name == "gps" => Level::Note,
            Some("degraded") => Level::Warning,
            _ => continue,
        };
        let cause = sensor["cause"].as_str().filter(|cause| !cause.is_empty()).unwrap_or("no cause is told");
        let mend = match name.as_str() {
            "gps" => "give the antenna a free view of the sky; below deck and in a hall there is no fix",
            "door" => "look at the switch at the doors and its cable",
            _ => "look at cable, address and power of the sensor; `container-tracker check` on it says more",
        };
        found.push(Finding::new(level, name, cause, mend));
    }
}

fn certificates(facts: &Facts, now: DateTime<Utc>, found: &mut Vec<Finding>) {
    let told = &facts.told()["certificate"];
    let reported = &facts.reported()["certificate"];
    let until = told["validUntil"].as_str().or(reported["validUntil"].as_str());
    let until = until.and_then(|until| DateTime::parse_from_rfc3339(until).ok());
    let mut tell =
        |level, text: String, mend: &str| found.push(Finding::new(level, "certificate", text, mend));
    let renewal = "put a new chain in place of its file: it is taken within 30 s, without a restart";
    match until.map(|until| until.to_utc().signed_duration_since(now).num_days()) {
        Some(days) if days < 0 => tell(Level::Error, "its certificate has ended".into(), renewal),
        Some(days) if days < DAYS_OF_A_CERTIFICATE => {
            tell(Level::Warning, format!("its certificate ends in {days} days"), renewal);
        }
        _ => {}
    }
    if let Some(trouble) = reported["trouble"].as_str().filter(|trouble| !trouble.is_empty()) {
        tell(Level::Warning, trouble.into(), "look at the certificate policy of its enrollment");
    }
    let root = &facts.told()["firstRootEnd"];
    if let Some(days) = root["daysLeft"].as_i64().filter(|days| *days < DAYS_OF_A_ROOT) {
        let name = root["name"].as_str().unwrap_or_default();
        let text = format!("the root {name} that it trusts servers by ends in {days} days");
        tell(Level::Warning, text, "bring it new roots: connection.roots, or the package ca-certificates");
    }
}

fn storage(facts: &Facts, found: &mut Vec<Finding>) {
    let told = &facts.told()["storage"];
    let place = if told.is_object() { told } else { &facts.reported()["journal"] };
    let text = |name: &str| place[name].as_str().filter(|text| !text.is_empty());
    let mut tell = |level, text: String, mend: &str| found.push(Finding::new(level, "storage", text, mend));
    let card = "look at the card (dmesg), and replace it; readings in memory are lost with the power";
    if place["state"] == "memory" {
        let trouble = text("trouble").unwrap_or("the disk fails");
        tell(Level::Error, format!("readings are kept in memory alone: {trouble}"), card);
    }
    if let Some(file) = text("setAside") {
        tell(Level::Warning, format!("a damaged journal was set aside: {file}"), card);
    }
    if let (Some(free), Some(wanted)) = (told["freeMib"].as_u64(), told["journalMib"].as_u64())
        && free < wanted
    {
        let text = format!("its disk has {free} MiB left, and the journal may take {wanted}");
        tell(Level::Warning, text, "free space, or lower state.journal_size_mib");
    }
    let counts = facts.part("journal");
    if let Some(lost) = counts["dropped"].as_u64().filter(|lost| *lost > 0) {
        tell(
            Level::Warning,
            format!("{lost} readings were lost, as neither disk nor memory took them"),
            card,
        );
    }
}

fn settings(facts: &Facts, found: &mut Vec<Finding>) {
    let status = &facts.told()["status"];
    if status.is_object() && status["timeSource"] == "none" {
        found.push(Finding::new(
            Level::Warning,
            "time",
            "it does not know the time: readings have none until it does",
            "let it reach a time server (NTP, UDP port 123), or give its GPS a view of the sky",
        ));
    }
    for (name, answer) in facts.reported().as_object().into_iter().flatten() {
        // Those that fell out of the twin are nobody's mistake.
        let is_wanted = !facts.twin["properties"]["desired"][name].is_null();
        let Some(code) = answer["ac"].as_u64().filter(|code| *code >= 400 && is_wanted) else { continue };
        let why = answer["ad"].as_str().unwrap_or("no explanation");
        let what = if code == 404 { "has no meaning" } else { "was refused" };
        found.push(Finding::new(
            Level::Warning,
            "settings",
            format!("the desired property {name} {what}: {why}"),
            "set it as docs/settings.md says, by `container-tracker cloud twin update`",
        ));
    }
    let active = facts.part("activeAlarms").as_object().into_iter().flatten();
    for (name, alarm) in active.filter(|(name, alarm)| !name.starts_with('$') && alarm.is_object()) {
        let severity = alarm["severity"].as_str().unwrap_or("an alarm");
        let since = alarm["since"].as_str().map(|since| format!(" since {since}")).unwrap_or_default();
        found.push(Finding::new(
            Level::Note,
            "alarm",
            format!("the alarm {name} is raised ({severity}){since}"),
            "look at the goods; the method acknowledgeAlarm says that somebody knows",
        ));
    }
}
