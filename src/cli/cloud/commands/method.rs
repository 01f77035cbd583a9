//! `cloud method`: direct methods of devices.

use std::time::Duration;

use serde_json::json;

use super::device::DeviceId;
use crate::cli::cloud::json_argument::json as json_argument;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

/// Commands for direct methods.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum MethodCommand {
    /// Call a method of a connected device and show its answer, whatever status it gives.
    Invoke {
        #[command(flatten)]
        id: DeviceId,
        /// The method: a tracker knows ping and getStatus.
        #[arg(long, visible_alias = "mn", value_name = "NAME")]
        method_name: String,
        /// What the method is given, JSON or a file.
        #[arg(long, visible_alias = "mp", value_name = "JSON", default_value = "null")]
        method_payload: String,
        /// Seconds to wait for the device's answer, 5 to 300.
        #[arg(long, visible_aliases = ["to", "method-response-timeout"], value_name = "SECONDS", default_value_t = 30)]
        timeout: u64,
        /// Seconds to wait for a device that is not connected, 0 to 300.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        method_connect_timeout: u64,
    },
}

impl MethodCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let Self::Invoke { id, method_name, method_payload, timeout, method_connect_timeout } = self;
        let hub = target.hub()?;
        let body = json!({
            "methodName": method_name,
            "payload": json_argument("--method-payload", &method_payload)?,
            "responseTimeoutInSeconds": timeout,
            "connectTimeoutInSeconds": method_connect_timeout,
        });
        let wait = Duration::from_secs(timeout.saturating_add(method_connect_timeout).min(600));
        let call = Call::post(&["twins", &id.device_id, "methods"]).json(&body).patient(wait);
        target.output.show(&hub.call(call)?, &[("Status", "/status"), ("Payload", "/payload")])
    }
}
