//! `cloud sas-token`: a token that lets whoever has it in, for a while.

use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tracker_protocol::printable;

use super::service::client::Call;
use super::target::Target;
use crate::platform::clock::system_time;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// The longest life of a token; who needs more should use the key itself.
const LONGEST_S: u64 = 366 * 86_400;

/// Print a shared access signature: of the hub, of a device that has symmetric keys, or of the provisioning service.
///
/// It goes to standard output, and whoever has it may do until then what its policy, or the device, may do.
#[derive(Debug, clap::Args)]
pub(super) struct SasTokenCommand {
    /// Of this device, signed with its own key, as it shows it itself; without, of the policy.
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<String>,
    /// How long it is good, in seconds.
    #[arg(long, visible_alias = "du", value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=LONGEST_S))]
    duration: u64,
    /// Which of the device's keys.
    #[arg(long, visible_alias = "kt", value_enum, default_value_t = KeyType::Primary)]
    key_type: KeyType,
    /// Of the provisioning service.
    #[arg(long, conflicts_with = "device_id")]
    provisioning_service: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum KeyType {
    Primary,
    Secondary,
}

impl SasTokenCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let expiry = system_time() + Duration::from_secs(self.duration);
        let client = match &self.device_id {
            _ if self.provisioning_service => target.dps()?,
            Some(device) => target.hub_of(device)?,
            None => target.hub()?,
        };
        let token = match &self.device_id {
            None => client.token(expiry.timestamp()),
            Some(device) => {
                let identity = client.call(Call::get(&["devices", device]))?;
                let authentication = &identity["authentication"];
                let kind = authentication["type"].as_str().unwrap_or("none");
                if kind != "sas" {
                    bail!(
                        "the device {} has no symmetric key: it shows who it is by a certificate (authentication {}), and takes no \
                         token",
                        printable(device),
                        printable(kind)
                    );
                }
                let name = match self.key_type {
                    KeyType::Primary => "primaryKey",
                    KeyType::Secondary => "secondaryKey",
                };
                let key = authentication["symmetricKey"][name].as_str().unwrap_or_default();
                let key = BASE64_STANDARD.decode(key).ok().filter(|key| !key.is_empty());
                let key = key.with_context(|| format!("the hub does not show the {name} of the device"))?;
                client.device_token(device, &key, expiry.timestamp())
            }
        };
        tell!("good until {}", expiry.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        line(&token);
        Ok(())
    }
}
