//! `cloud c2d`: messages to devices.

use std::path::PathBuf;

use anyhow::{Context, bail};
use tracker_protocol::PropertyBag;

use super::device::DeviceId;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

/// Commands for messages to devices.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum C2dCommand {
    /// Send a message to a device; it waits at the hub until the device takes it. Emulator only.
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
        } = self;
        let hub = target.emulated_hub(
            "cloud-to-device messages (they travel over AMQP)",
            "az iot device c2d-message send --device-id … --data … --login …",
        )?;
        let body = match data_file_path {
            Some(path) => std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?,
            None => data.into_bytes(),
        };
        let mut call = Call::post(&["devices", &id.device_id, "messages", "deviceBound"]).bytes(body);
        let properties = pairs(&properties)?;
        if !properties.is_empty() {
            call = call.header("iothub-app-properties", &properties.to_string());
        }
        let headers = [
            ("iothub-messageid", message_id),
            ("iothub-correlationid", correlation_id),
            ("content-type", content_type),
            ("content-encoding", content_encoding),
            ("iothub-expiry", expiry_time_utc),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                call = call.header(name, &value);
            }
        }
        hub.call(call).map(drop)
    }
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
