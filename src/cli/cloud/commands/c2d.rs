//! `cloud c2d`: messages to devices.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use tracker_protocol::PropertyBag;

use super::device::DeviceId;
use crate::cli::cloud::amqp::{self, Outgoing};
use crate::cli::cloud::output::Output;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;

/// What a table shows of feedback.
const COLUMNS: &[(&str, &str)] = &[
    ("Device", "/deviceId"),
    ("Message", "/originalMessageId"),
    ("Outcome", "/statusCode"),
    ("At", "/enqueuedTimeUtc"),
];

/// Commands for messages to devices.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum C2dCommand {
    /// Send a message to a device; it waits at the hub until the device takes it. To Azure it goes over AMQP (port 5671).
    Send {
        #[command(flatten)]
        id: DeviceId,
        /// The body, as text.
        #[arg(long, visible_alias = "da", value_name = "TEXT", default_value = "")]
        data: String,
        /// The body, from a file.
        #[arg(long, visible_alias = "dfp", value_name = "FILE", conflicts_with = "data")]
        data_file_path: Option<PathBuf>,
        /// Application properties, name=value;name=value.
        #[arg(long, visible_alias = "props", short = 'p', value_name = "PAIRS", default_value = "")]
        properties: String,
        /// Message ID.
        #[arg(long, visible_alias = "mid", value_name = "ID")]
        message_id: Option<String>,
        /// Correlation ID.
        #[arg(long, visible_alias = "cid", value_name = "ID")]
        correlation_id: Option<String>,
        /// Content type, like application/json.
        #[arg(long, visible_alias = "ct", value_name = "TYPE")]
        content_type: Option<String>,
        /// Content encoding, like utf-8.
        #[arg(long, visible_alias = "ce", value_name = "ENCODING")]
        content_encoding: Option<String>,
        /// When the message is worth nothing any more, like 2026-01-31T12:00:00Z.
        #[arg(long, visible_alias = "expiry", value_name = "TIME")]
        expiry_time_utc: Option<String>,
        /// Whether the hub is to tell what became of the message.
        #[arg(long, value_name = "WHEN", value_parser = ["none", "positive", "negative", "full"])]
        ack: Option<String>,
        /// Wait for that, and print it; without --ack it is asked for in full.
        #[arg(long)]
        wait: bool,
        /// The most seconds to wait.
        #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
        timeout: u64,
    },
}

impl C2dCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let Self::Send {
            id,
            data,
            data_file_path,
            properties,
            message_id,
            correlation_id,
            content_type,
            content_encoding,
            expiry_time_utc,
            ack,
            wait,
            timeout,
        } = self;
        let hub = target.hub_of(&id.device_id)?;
        let body = match data_file_path {
            Some(path) => std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?,
            None => data.into_bytes(),
        };
        let properties = pairs(&properties)?;
        if hub.is_azure() || wait {
            let message = Outgoing {
                device_id: id.device_id,
                body,
                message_id,
                correlation_id,
                content_type,
                content_encoding,
                expiry: expiry_time_utc.as_deref().map(time).transpose()?,
                ack: ack.or_else(|| wait.then(|| "full".to_owned())),
                properties: owned(&properties),
            };
            return send_by_amqp(&hub, message, wait.then(|| Duration::from_secs(timeout)), &target.output);
        }
        let mut call = Call::post(&["devices", &id.device_id, "messages", "deviceBound"]).bytes(body);
        if !properties.is_empty() {
            call = call.header("iothub-app-properties", &properties.to_string());
        }
        let headers = [
            ("iothub-messageid", message_id),
            ("iothub-correlationid", correlation_id),
            ("content-type", content_type),
            ("content-encoding", content_encoding),
            ("iothub-expiry", expiry_time_utc),
            ("iothub-ack", ack),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                call = call.header(name, &value);
            }
        }
        hub.call(call).map(drop)
    }
}

fn send_by_amqp(
    hub: &Client,
    message: Outgoing,
    patience: Option<Duration>,
    output: &Output,
) -> anyhow::Result<()> {
    if !hub.has_amqp() {
        bail!(
            "this emulator speaks no AMQP, which --wait needs; `container-tracker emulator` does, the one in `simulate` does not"
        );
    }
    match amqp::send(&hub.over_amqp()?, message, patience)? {
        Some(feedback) => output.show(&serde_json::to_value(feedback)?, COLUMNS),
        None => Ok(()),
    }
}

fn time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| anyhow!("--expiry-time-utc {text:?} is no time of the form 2026-01-31T12:00:00Z"))
}

fn owned(properties: &PropertyBag) -> Vec<(String, String)> {
    properties.iter().map(|(name, value)| (name.to_owned(), value.unwrap_or_default().to_owned())).collect()
}

fn pairs(text: &str) -> anyhow::Result<PropertyBag> {
    let mut properties = PropertyBag::new();
    for part in text.split(';').filter(|part| !part.trim().is_empty()) {
        let Some((name, value)) = part.trim().split_once('=') else {
            bail!("--properties: {part:?} is not name=value");
        };
        if name.is_empty() {
            bail!("--properties: {part:?} has no name before the equals sign");
        }
        if name.starts_with("$.") {
            bail!("--properties: {name} is a system property; see --help for the options that set those");
        }
        properties.insert(name, Some(value.to_owned()));
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_keep_their_case_and_what_follows_the_first_equals_sign() {
        assert_eq!(pairs("Alert=1;berth no=x=y;").unwrap().to_string(), "Alert=1&berth%20no=x%3Dy");
        assert!(pairs("").unwrap().is_empty());
        for (bad, why) in
            [("alert", "not name=value"), ("=1", "has no name"), ("$.mid=1", "a system property")]
        {
            assert!(pairs(bad).unwrap_err().to_string().contains(why), "{bad}");
        }
    }
}
