//! `cloud monitor`: telemetry as it reaches the hub.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::{printable, printable_json};

use crate::cli::cloud::amqp::{Position, Tap};
use crate::cli::cloud::output::{Output, OutputFormat};
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::service::event_stream::{self, Until};
use crate::cli::cloud::target::Target;
use crate::commands::signals::when_nobody_reads;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// The consumer group that every hub has.
const DEFAULT_GROUP: &str = "$Default";

/// Longer than any program runs.
const FOR_EVER: Duration = Duration::from_hours(10 * 365 * 24);

/// Show messages of devices as they reach the hub, one JSON object a line, until Ctrl-C.
///
/// From Azure they are read at the hub's built-in endpoint, over AMQP (port 5671); from an emulator also, where one of the options
/// is given that only the endpoint knows.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct MonitorCommand {
    /// Only messages of this device.
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<String>,
    /// The consumer group to read as, at the built-in endpoint.
    #[arg(long, visible_alias = "cg", value_name = "NAME")]
    consumer_group: Option<String>,
    /// Begin with what the built-in endpoint took after this time: milliseconds since 1970, or like 2026-01-31T12:00:00Z; 0 begins with the oldest that it keeps.
    #[arg(long, visible_alias = "et", value_name = "TIME", value_parser = moment)]
    enqueued_time: Option<DateTime<Utc>>,
    /// End after so many messages.
    #[arg(long, visible_alias = "mc", value_name = "N")]
    message_count: Option<u64>,
    /// End after so many seconds without a message; 0 waits for ever.
    #[arg(long, short, visible_alias = "to", value_name = "SECONDS", default_value_t = 0)]
    timeout: u64,
}

impl MonitorCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = match &self.device_id {
            Some(device) => target.hub_of(device)?,
            None => target.hub()?,
        };
        let is_asked = self.consumer_group.is_some() || self.enqueued_time.is_some();
        if hub.is_azure() || is_asked {
            return self.read_endpoint(&hub, &target.output);
        }
        let mut call = Call::get(&["telemetry"]).header("accept", "text/event-stream");
        if let Some(device) = &self.device_id {
            call = call.parameter("deviceId", device);
        }
        let stream = hub.stream(call)?;
        self.announce("from now on");
        // Also while no message comes.
        when_nobody_reads(|| std::process::exit(0));
        let until = Until { count: self.message_count, silence_s: self.timeout };
        event_stream::follow(stream, "messages", &until, |message| {
            Ok(line(&print(&message, &target.output)?).then_some(true))
        })
    }

    /// Standard error, so that standard output is messages alone.
    fn announce(&self, since: &str) {
        tell!("messages of {} {since}; Ctrl-C ends", self.device_id.as_deref().unwrap_or("all devices"));
    }

    /// Shows what the built-in endpoint has.
    fn read_endpoint(&self, hub: &Client, output: &Output) -> anyhow::Result<()> {
        if !hub.has_amqp() {
            bail!(
                "this emulator speaks no AMQP, which --consumer-group and --enqueued-time need; `container-tracker emulator` \
                 does, the one in `simulate` does not"
            );
        }
        let (from, since) = match self.enqueued_time {
            Some(time) => (Position::After(time), format!("since {}", time.to_rfc3339())),
            None => (Position::Latest, "from now on".to_owned()),
        };
        let group = self.consumer_group.as_deref().unwrap_or(DEFAULT_GROUP);
        let mut tap = Tap::new(hub.over_amqp()?, group, from);
        tap.join()?;
        self.announce(&since);
        when_nobody_reads(|| std::process::exit(0));
        let patience = match self.timeout {
            0 => FOR_EVER,
            seconds => Duration::from_secs(seconds),
        };
        let mut shown = 0;
        while self.message_count.is_none_or(|count| shown < count) {
            let Some(message) = tap.next(patience)? else { break };
            if self.device_id.as_ref().is_some_and(|wanted| *wanted != message.device_id) {
                continue;
            }
            let message = serde_json::from_str(&message.line()).context("a message that is not JSON")?;
            if !line(&print(&message, output)?) {
                break;
            }
            shown += 1;
        }
        Ok(())
    }
}

/// A time as the Azure CLI takes it, or as people write it.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let by_number = text.parse().ok().and_then(DateTime::from_timestamp_millis);
    by_number
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
        .ok_or_else(|| "neither milliseconds since 1970 nor a time like 2026-01-31T12:00:00Z".into())
}

fn print(message: &Value, output: &Output) -> anyhow::Result<String> {
    Ok(match output.chosen(message)? {
        Some(chosen) => chosen,
        None => row(message, output.format()),
    })
}

fn row(message: &Value, format: OutputFormat) -> String {
    let gap = match format {
        OutputFormat::Table => "  ",
        OutputFormat::Tsv => "\t",
        _ => return printable_json(message),
    };
    let text = |name: &str| printable(message[name].as_str().unwrap_or("-"));
    let body = match (&message["body"], message["bodyText"].as_str()) {
        (Value::Null, Some(text)) => printable(text),
        (Value::Null, None) => text("bodyBase64"),
        (body, _) => printable(body),
    };
    let width = if format == OutputFormat::Table { 20 } else { 0 };
    format!("{}{gap}{:<width$}{gap}{body}", text("enqueuedTime"), text("deviceId"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_in_a_table_is_one_line_that_no_terminal_obeys() {
        let nasty = "a\n<3>all is well \u{1b}[2J\u{9b}\0\u{202e}";
        for body in [json!({"body": {"t": nasty}}), json!({"bodyText": nasty}), json!({"bodyBase64": nasty})]
        {
            let mut message = json!({"enqueuedTime": nasty, "deviceId": nasty});
            message.as_object_mut().expect("an object").extend(body.as_object().cloned().unwrap_or_default());
            let line = row(&message, OutputFormat::Table);
            assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
            let json = row(&message, OutputFormat::Json);
            assert!(!json.contains(char::is_control) && !json.contains('\u{202e}'), "{json:?}");
            assert_eq!(serde_json::from_str::<Value>(&row(&message, OutputFormat::Json)).ok(), Some(message));
        }
    }
}
