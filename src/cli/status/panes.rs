//! What was seen, as panes.

use std::time::Duration;

use super::disk::{Disk, bytes};
use super::log_tail::LogTail;
use super::sight::Sight;
use crate::cli::terminal::screen::{
    Facts, Pane, Row, Tone, alarm_rows, journal_rows, link_rows, readings as reading_rows, sensor_rows,
    sky_rows,
};
use crate::commands::issued_words;
use crate::commands::status::words::{at, span, when, word};
use crate::event::recent::Level;
use crate::lab::board::Readings;
use crate::status::report::{CertificateReport, LastFix, StatusReport};

/// All that there is to say.
pub(super) fn facts(sight: &Sight, readings: &Readings, disk: Option<&Disk>, log: Option<&LogTail>) -> Facts {
    let (title, tone) = title(sight);
    let Some(status) = &sight.status else {
        let log = Pane::new("log", Vec::new());
        return Facts { title, tone, panes: vec![verdict(sight)], log };
    };
    let panes = vec![
        verdict(sight),
        Pane::new("readings", measured(status, readings)),
        Pane::new("link", link(status)),
        Pane::new("position", position(status)),
        Pane::new("journal", journal(status, disk)),
        Pane::new("alarms", alarm_rows(&status.device.active_alarms)),
        Pane::new("device", device(status)),
    ];
    Facts { title, tone, panes, log: log_of(status, log) }
}

fn title(sight: &Sight) -> (String, Tone) {
    let name = sight.status.as_ref().and_then(|status| status.certificate.as_ref()?.common_name.clone());
    let name = name.unwrap_or_else(|| "container-tracker".into());
    let (state, tone) = match (&sight.absent, sight.troubles.is_empty()) {
        (Some(_), _) => ("not running", Tone::Bad),
        (None, true) => ("well", Tone::Good),
        (None, false) => ("trouble", Tone::Warning),
    };
    let age = sight.age.map_or(String::new(), |age| format!(" · as of {} ago", span(age.as_secs())));
    (format!("{name} · {state}{age}"), tone)
}

fn verdict(sight: &Sight) -> Pane {
    let mut rows: Vec<Row> =
        sight.absent.iter().map(|why| Row::Text(Tone::Bad, format!("✗ {why}"))).collect();
    rows.extend(sight.troubles.iter().map(|trouble| Row::Text(Tone::Warning, format!("! {trouble}"))));
    if rows.is_empty() {
        rows.push(Row::Text(Tone::Good, "✓ all is well".into()));
    }
    Pane::new("state", rows)
}

fn measured(status: &StatusReport, readings: &Readings) -> Vec<Row> {
    let Some(measurement) = &status.measurement else {
        let why = "this agent tells no readings in its status: one that is built with the laboratory does, the firmware does not";
        return vec![Row::Text(Tone::Dim, why.into())];
    };
    let mut rows = reading_rows(readings);
    let age = Duration::try_from_secs_f64(status.written_at_uptime - measurement.uptime).unwrap_or_default();
    rows.push(Row::Fact("taken", Tone::Plain, format!("{} ago", span(age.as_secs()))));
    if let Some(interval) = status.interval_seconds {
        rows.push(Row::Fact("interval", Tone::Plain, format!("{interval} s")));
    }
    rows.extend(sensor_rows(&status.device.sensors));
    rows
}

fn link(status: &StatusReport) -> Vec<Row> {
    let mut rows = link_rows(&status.device, status.in_state_seconds, status.offline_cause.as_deref());
    let last = status.last_delivered.map_or("nothing since the start".into(), |delivered| {
        format!("reading {}{}", delivered.seq, at(delivered.time, delivered.uptime, status))
    });
    rows.push(Row::Fact("delivered", Tone::Plain, last));
    rows
}

fn position(status: &StatusReport) -> Vec<Row> {
    let fix = status.device.last_fix.map_or("no fix".into(), |LastFix { lat, lon, time }| {
        format!("{lat:?}, {lon:?}{}", at(time, None, status))
    });
    let mut rows = vec![Row::Fact("last fix", Tone::Plain, fix)];
    rows.extend(status.sky.iter().flat_map(sky_rows));
    if !status.device.places.is_empty() {
        rows.push(Row::Fact("in", Tone::Good, status.device.places.join(", ")));
    }
    rows
}

fn journal(status: &StatusReport, disk: Option<&Disk>) -> Vec<Row> {
    let mut rows = journal_rows(&status.device.journal);
    if let Some(Disk { journal, free }) = disk {
        let text = format!("{} taken, {} free", bytes(*journal), bytes(*free));
        rows.push(Row::Fact("disk", Tone::Plain, text));
    }
    let trouble = status.journal_trouble.iter().chain(&status.journal_set_aside);
    rows.extend(trouble.map(|trouble| Row::Fact("trouble", Tone::Warning, trouble.clone())));
    rows
}

fn device(status: &StatusReport) -> Vec<Row> {
    let clock = status.device.time.map_or("the time is not known yet".into(), |time| {
        format!("{} ({})", word(&time), word(&status.device.time_source))
    });
    let certificate = status.certificate.as_ref().map_or("can't be read".into(), |certificate| {
        let CertificateReport { common_name, days_left, .. } = certificate;
        let left = days_left.map_or(String::new(), |days| format!(", {days} days left"));
        common_name.clone().unwrap_or_else(|| "no name".into()) + &left
    });
    let issued = status.issued.as_ref().map(|issued| ("issued", issued_words::in_words(issued)));
    let version = ("version", status.device.version.clone());
    let facts = [("clock", clock), ("certificate", certificate)].into_iter().chain(issued).chain([version]);
    facts.map(|(name, value)| Row::Fact(name, Tone::Plain, value)).collect()
}

/// The log; without one the troubles that the agent remembers.
fn log_of(status: &StatusReport, log: Option<&LogTail>) -> Pane {
    let lines = log.map(LogTail::lines).unwrap_or_default();
    if let Some(log) = log.filter(|_| !lines.is_empty()) {
        return Pane::new(
            log.source(),
            lines.into_iter().map(|line| Row::Text(tone_of(&line), line)).collect(),
        );
    }
    let trouble = status.troubles.iter().map(|trouble| {
        let tone = if trouble.level == Level::Error { Tone::Bad } else { Tone::Warning };
        let when = when(trouble.time, trouble.uptime, status);
        Row::Text(tone, format!("{when} {} {}", word(&trouble.level), trouble.text))
    });
    Pane::new("log: the last warnings, as the status has them (all of it: --log FILE)", trouble.collect())
}

fn tone_of(line: &str) -> Tone {
    match line {
        line if line.contains(" ERROR ") => Tone::Bad,
        line if line.contains(" WARN ") => Tone::Warning,
        _ => Tone::Plain,
    }
}
