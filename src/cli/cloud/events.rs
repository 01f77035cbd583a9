//! `cloud events`: what provisioning service, registry and sessions do, and why a device was refused.

use std::path::PathBuf;

use anyhow::bail;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::{printable, printable_json};

use super::output::{Output, OutputFormat};
use super::readings::{open_history, since};
use super::service::client::Call;
use super::service::event_stream::{self, Until};
use super::target::Target;
use crate::commands::signals::when_nobody_reads;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// Members that have columns of their own.
const COLUMNS: [&str; 5] = ["time", "event", "deviceId", "registrationId", "clientId"];

/// Show what provisioning service, registry and sessions do, one JSON object a line, until Ctrl-C: registrations, why a device was
/// refused, connections and how they ended, faults. From an emulator from now on, or with --history what a console has kept.
///
/// Azure tells none of this to a connection string. What it has instead is said when it is asked for there.
#[derive(Debug, clap::Args)]
pub(super) struct EventsCommand {
    /// Only what names this device.
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<String>,
    /// Show what a console has kept in this directory (its --history), also of a real hub, and end.
    #[arg(long, value_name = "DIRECTORY")]
    history: Option<PathBuf>,
    /// With --history: from this time on; 7d, 12h, 2026-01-31 …
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = since, requires = "history")]
    since: DateTime<Utc>,
    /// End after so many events.
    #[arg(long, visible_alias = "mc", value_name = "N")]
    message_count: Option<u64>,
    /// End after so many seconds without an event; 0 waits for ever.
    #[arg(long, short, visible_alias = "to", value_name = "SECONDS", default_value_t = 0)]
    timeout: u64,
}

impl EventsCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        if let Some(directory) = &self.history {
            return self.show_kept(directory, &target.output);
        }
        let service = target.dps()?;
        if service.is_azure() {
            bail!(
                "Azure tells a connection string neither what its registry does nor why a device was refused: lead \
                 DeviceLifecycleEvents and DeviceConnectionStateEvents to the built-in endpoint with `az iot hub message-route create`, and \
                 `container-tracker cloud monitor` shows them; refusals stand in the resource logs, `az monitor diagnostic-settings \
                 create` with the category Connections (hub) or DeviceOperations (DPS)"
            );
        }
        let stream = service.stream(Call::get(&["events"]).header("accept", "text/event-stream"))?;
        tell!(
            "events of {} from now on; Ctrl-C ends",
            self.device_id.as_deref().map_or("all".into(), printable)
        );
        when_nobody_reads(|| std::process::exit(0));
        let until = Until { count: self.message_count, silence_s: self.timeout };
        event_stream::follow(stream, "events", &until, |event| {
            if !self.concerns(&event) {
                return Ok(Some(false));
            }
            let chosen = target.output.chosen(&event)?;
            Ok(line(&chosen.unwrap_or_else(|| print(&event, target.output.format()))).then_some(true))
        })
    }

    fn concerns(&self, event: &Value) -> bool {
        let Some(wanted) = &self.device_id else { return true };
        COLUMNS[2..].iter().any(|name| event[name].as_str() == Some(wanted))
    }

    fn show_kept(&self, directory: &std::path::Path, output: &Output) -> anyhow::Result<()> {
        let archive = open_history(directory)?;
        let mut left = self.message_count.unwrap_or(u64::MAX);
        let entries = archive.story(
            self.device_id.as_deref(),
            self.since,
            usize::try_from(left).unwrap_or(usize::MAX),
        )?;
        for entry in entries {
            let value = serde_json::to_value(&entry).unwrap_or_default();
            let text = match (output.chosen(&value)?, output.format()) {
                (Some(chosen), _) => chosen,
                (None, OutputFormat::Table) => format!(
                    "{}  {:<18}  {:<13}  {}",
                    entry.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                    printable(if entry.device.is_empty() { "-" } else { &entry.device }),
                    value["kind"].as_str().unwrap_or("-"),
                    printable(&entry.text)
                ),
                _ => printable_json(value),
            };
            if left == 0 || !line(&text) {
                break;
            }
            left -= 1;
        }
        Ok(())
    }
}

fn print(event: &Value, format: OutputFormat) -> String {
    if format != OutputFormat::Table {
        return printable_json(event);
    }
    let text = |name: &str| event[name].as_str();
    let device = COLUMNS[2..].iter().find_map(|name| text(name)).filter(|device| !device.is_empty());
    let details = event
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !COLUMNS.contains(&name.as_str()) && !value.is_null());
    let details: Vec<_> = details
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={}", printable(text)),
            other => format!("{name}={}", printable(other)),
        })
        .collect();
    format!(
        "{}  {:<18}  {:<20}  {}",
        printable(text("time").unwrap_or("-")),
        printable(device.unwrap_or("-")),
        printable(text("event").unwrap_or("-")),
        details.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_in_a_table_is_one_line_with_its_reason() {
        let nasty = "a\nb \u{1b}[2J";
        let event = json!({"time": "2026-11-28T12:00:00Z", "event": "registrationRefused", "registrationId": nasty,
            "errorCode": 401_002, "reason": nasty});
        let line = print(&event, OutputFormat::Table);
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.contains("registrationRefused") && line.contains("errorCode=401002"), "{line}");
    }
}
