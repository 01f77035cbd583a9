//! The diagnosis for people: what is known in lines, and then what is wrong and what helps.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::printable;

use super::facts::{Answer, Facts, never};
use super::findings::{Finding, Level};
use crate::cli::cloud::output::relative;
use crate::cli::terminal::width::width;
use crate::lab::text::wrapped;
use crate::platform::stdout::line;

/// Columns where nobody says how many there are.
const COLUMNS: usize = 80;
/// Of the names on the left.
const NAMES: usize = 13;

/// Prints it.
pub(in crate::cli::cloud) fn print(facts: &Facts, findings: &[Finding], now: DateTime<Utc>) {
    for row in page(facts, findings, now, width().unwrap_or(COLUMNS)) {
        line(&row);
    }
}

/// The lines of it.
pub(super) fn page(facts: &Facts, findings: &[Finding], now: DateTime<Utc>, columns: usize) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), columns };
    cloud(&mut page, facts, now);
    device(&mut page, facts, now);
    log(&mut page, facts);
    page.lines.push(String::new());
    for Finding { level, about, text, mend } in findings {
        let mark = match level {
            Level::Error => '✗',
            Level::Warning => '!',
            Level::Note => '·',
        };
        page.text(&format!("{mark} {about}: {text}"));
        page.text(&format!("  → {mend}"));
    }
    if findings.iter().all(|finding| finding.level == Level::Note) {
        page.text("✓ nothing is wrong");
    }
    page.lines
}

struct Page {
    lines: Vec<String>,
    columns: usize,
}

impl Page {
    /// What is not known has no line.
    fn row(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let text = printable(text);
        for (index, part) in wrapped(&text, self.columns.saturating_sub(NAMES)).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.lines.push(format!("{name:<NAMES$}{part}"));
        }
    }

    fn text(&mut self, text: &str) {
        self.lines.extend(wrapped(&printable(text), self.columns));
    }
}

fn cloud(page: &mut Page, facts: &Facts, now: DateTime<Utc>) {
    let Facts { id, hub, identity, registration, enrollment, has_dps, answer, .. } = facts;
    page.row("device", id);
    let connection = match identity["connectionState"].as_str() {
        Some("Connected") => "online",
        _ if never(&identity["lastActivityTime"]) => "never connected",
        _ => "offline",
    };
    let mut known = vec![hub.clone(), connection.to_owned()];
    known.extend((identity["status"] == "disabled").then(|| "disabled".to_owned()));
    let since = ago(&identity["connectionStateUpdatedTime"], now).map(|ago| format!("changed {ago}"));
    let active = ago(&identity["lastActivityTime"], now).map(|ago| format!("last active {ago}"));
    known.extend(since);
    known.extend(active);
    known.extend(identity["authentication"]["type"].as_str().map(|kind| format!("signs in by {kind}")));
    page.row("hub", &known.join(", "));
    let record = match registration {
        None if *has_dps => "no registration under this name".to_owned(),
        None => String::new(),
        Some(record) => {
            let when = ago(&record["lastUpdatedDateTimeUtc"], now).unwrap_or_default();
            let (status, at) = (word(&record["status"]), word(&record["assignedHub"]));
            let own = match enrollment {
                Some(own) => format!("; an enrollment of its own, {}", word(&own["provisioningStatus"])),
                None => "; enrolled by its group".into(),
            };
            format!("{status} {at} {when}{own}")
        }
    };
    page.row("provisioning", &record);
    if let Answer::Told(_) = answer {
        return;
    }
    let last = &facts.reported()["last"];
    let place = place(word(&last["place"]), &last["lat"], &last["lon"]);
    let celsius = last["temperature"].as_f64().map(|celsius| format!(", {celsius} °C")).unwrap_or_default();
    let told = ago(&last["at"], now).map(|ago| format!("{place}{celsius}, {ago}"));
    page.row("last seen", &told.unwrap_or_default());
    page.row("sensors", &sensors(facts));
    page.row("firmware", word(&facts.reported()["firmware"]["value"]));
}

fn device(page: &mut Page, facts: &Facts, now: DateTime<Utc>) {
    let told = facts.told();
    if told.is_null() {
        return;
    }
    let (status, program) = (&told["status"], &told["program"]);
    let features: Vec<&str> = program["features"].as_array().into_iter().flatten().map(word).collect();
    page.row(
        "agent",
        &format!(
            "{} on {}, up {}, {} MiB, with {}",
            word(&status["version"]),
            word(&program["target"]),
            span(program["upSeconds"].as_u64().unwrap_or_default()),
            program["memoryKib"].as_u64().unwrap_or_default() / 1024,
            features.join(", "),
        ),
    );
    let source = match word(&status["timeSource"]) {
        "kernel" => "by the network (NTP)",
        "gps" => "by GPS",
        "system" => "by its own clock",
        _ => "not known",
    };
    let up = span(status["uptimeSeconds"].as_u64().unwrap_or_default());
    page.row("time", &format!("{} {source}; booted {up} ago", word(&status["time"])));
    connection(page, &told["connection"]);
    certificate(page, &told["certificate"]);
    page.row("sensors", &sensors(facts));
    let fix = &status["lastFix"];
    let name = status["places"][0].as_str().unwrap_or_default();
    let when = ago(&fix["time"], now).map(|ago| format!(", {ago}")).unwrap_or_default();
    page.row(
        "place",
        &if fix.is_object() { place(name, &fix["lat"], &fix["lon"]) + &when } else { String::new() },
    );
    let journal = &status["journal"];
    page.row(
        "readings",
        &format!(
            "{} taken, {} acknowledged, {} wait, {} thinned, {} lost",
            journal["taken"],
            journal["acknowledged"],
            journal["backlog"],
            journal["thinned"],
            journal["dropped"]
        ),
    );
    let settings = &told["settings"];
    let last = match settings["lastInterval"].as_u64() {
        None | Some(0) => "never".to_owned(),
        Some(seconds) => format!("every {}", span(seconds)),
    };
    page.row(
        "settings",
        &format!(
            "a reading every {}, its place {last}; {} fences, {} alarms, evidence {}",
            span(settings["telemetryInterval"].as_u64().unwrap_or_default()),
            settings["geofences"],
            settings["alarms"],
            if settings["evidence"] == true { "on" } else { "off" }
        ),
    );
    let storage = &told["storage"];
    let free = storage["freeMib"].as_u64().map(|free| format!("{free} MiB free in ")).unwrap_or_default();
    page.row("storage", &format!("{free}{}", word(&storage["directory"])));
}

fn connection(page: &mut Page, way: &Value) {
    let through = ["gateway", "proxy"].map(|name| match word(&way[name]) {
        "" => String::new(),
        host => format!(", {name} {host}"),
    });
    page.row(
        "connection",
        &format!(
            "{} to port {}, ping after {} s{}; {} at {}",
            word(&way["transport"]),
            way["port"],
            way["keepAlive"],
            through.concat(),
            word(&way["idScope"]),
            word(&way["dpsHost"])
        ),
    );
}

fn certificate(page: &mut Page, certificate: &Value) {
    if certificate.is_object() {
        let left =
            certificate["daysLeft"].as_i64().map(|days| format!(", {days} days left")).unwrap_or_default();
        let issued = if certificate["issuedBy"] == "dps" { "issued by Azure" } else { "from its file" };
        let until = word(&certificate["validUntil"]).split('T').next().unwrap_or_default();
        let text = format!("until {until}{left}; {issued}, key in a {}", word(&certificate["keyIn"]));
        page.row("certificate", &text);
    }
}

fn log(page: &mut Page, facts: &Facts) {
    let told = facts.told();
    let lines: Vec<&str> = told["log"].as_array().into_iter().flatten().map(word).collect();
    if !lines.is_empty() {
        page.lines.push("its log:".into());
    }
    for text in lines {
        page.text(&format!("  {text}"));
    }
    let cut: Vec<&str> = told["cut"].as_array().into_iter().flatten().map(word).collect();
    if !cut.is_empty() {
        page.text(&format!("  (left out for length: {})", cut.join("; ")));
    }
}

fn sensors(facts: &Facts) -> String {
    let all = facts.part("sensors").as_object().into_iter().flatten();
    let all = all.filter(|(_, sensor)| sensor.is_object());
    all.map(|(name, sensor)| format!("{name} {}", word(&sensor["state"]))).collect::<Vec<_>>().join(", ")
}

/// Its name and where that is.
fn place(name: &str, lat: &Value, lon: &Value) -> String {
    let letter = |value: f64, positive, negative| if value < 0.0 { negative } else { positive };
    let at = lat.as_f64().zip(lon.as_f64()).map(|(lat, lon)| {
        format!("{:.4} {} {:.4} {}", lat.abs(), letter(lat, 'N', 'S'), lon.abs(), letter(lon, 'E', 'W'))
    });
    match (name, at) {
        ("", at) => at.unwrap_or_else(|| "no position".into()),
        (name, Some(at)) => format!("{name}, {at}"),
        (name, None) => name.into(),
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn ago(time: &Value, now: DateTime<Utc>) -> Option<String> {
    relative(time, now).filter(|told| told != "-")
}

/// As people say it.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
