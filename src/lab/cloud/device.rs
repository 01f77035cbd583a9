//! `cloud device`: device identities of a hub.

use serde_json::{Value, json};

use super::certificate::Condition;
use super::client::Call;
use super::output::Column;
use super::target::Target;

const PATH: &str = "devices";

const COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("Reason", "/statusReason"),
    ("Connection", "/connectionState"),
    ("LastActivity", "/lastActivityTime"),
];

/// Commands for device identities.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DeviceCommand {
    /// The devices of the hub.
    List {
        /// Only those that meet a condition of IoT Hub's query language, like "tags.environment = 'production'".
        #[arg(long = "where", value_name = "CONDITION")]
        condition: Option<String>,
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// One device identity.
    Show {
        #[command(flatten)]
        id: DeviceId,
    },
    /// Cut a device off: its connection is closed, and the hub refuses it until it is enabled again.
    Disable {
        #[command(flatten)]
        id: DeviceId,
        /// Why, for those who look at it later; at most 128 characters.
        #[arg(long, visible_alias = "star", value_name = "TEXT")]
        status_reason: Option<String>,
        #[command(flatten)]
        condition: Condition,
    },
    /// Let a device connect again.
    Enable {
        #[command(flatten)]
        id: DeviceId,
        #[command(flatten)]
        condition: Condition,
    },
    /// Delete a device identity and its twin; the registration record at DPS stays.
    Delete {
        #[command(flatten)]
        id: DeviceId,
        #[command(flatten)]
        condition: Condition,
    },
}

/// Names a device.
#[derive(Debug, clap::Args)]
pub(super) struct DeviceId {
    /// The device ID at the hub.
    #[arg(long, short = 'd', value_name = "ID")]
    pub device_id: String,
}

impl DeviceCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.hub()?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::List { condition, top } => {
                let text = match condition {
                    Some(condition) => format!("SELECT * FROM devices WHERE {condition}"),
                    None => "SELECT * FROM devices".to_owned(),
                };
                show(hub.list(&Call::post(&[PATH, "query"]).json(&json!({"query": text})), top)?.into())
            }
            Self::Show { id } => show(hub.call(Call::get(&[PATH, &id.device_id]))?),
            Self::Disable { id, status_reason, condition } => {
                show(set_status(target, &id, "disabled", status_reason, &condition)?)
            }
            Self::Enable { id, condition } => show(set_status(target, &id, "enabled", None, &condition)?),
            Self::Delete { id, condition } => {
                let call = Call::delete(&[PATH, &id.device_id]);
                hub.call(condition.apply(&hub, call)).map(drop)
            }
        }
    }
}

fn set_status(
    target: &Target,
    id: &DeviceId,
    status: &str,
    reason: Option<String>,
    condition: &Condition,
) -> anyhow::Result<Value> {
    let hub = target.hub()?;
    let path = [PATH, &id.device_id];
    let mut device = hub.call(Call::get(&path))?;
    device["status"] = status.into();
    device["statusReason"] = reason.into();
    let etag = condition.or(&device).to_owned();
    hub.call(hub.if_match(Call::put(&path, &device), &etag))
}
