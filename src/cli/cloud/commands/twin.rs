//! `cloud twin`: device twins.

use anyhow::bail;
use serde_json::{Value, json};

use super::certificate::Condition;
use super::device::DeviceId;
use crate::cli::cloud::json_argument::object;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "twins";

const COLUMNS: &[Column<'_>] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("Connection", "/connectionState"),
    ("DesiredVersion", "/properties/desired/$version"),
    ("ReportedVersion", "/properties/reported/$version"),
    ("Tags", "/tags"),
];

/// Commands for device twins.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum TwinCommand {
    /// The twin of a device: tags, desired and reported properties.
    Show {
        #[command(flatten)]
        id: DeviceId,
    },
    /// Merge into desired properties and tags; null deletes.
    Update {
        #[command(flatten)]
        id: DeviceId,
        /// Desired properties, JSON or a file.
        #[arg(long, value_name = "JSON")]
        desired: Option<String>,
        /// Tags, JSON or a file.
        #[arg(long, value_name = "JSON")]
        tags: Option<String>,
        #[command(flatten)]
        condition: Condition,
    },
}

impl TwinCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.hub()?;
        let twin = match self {
            Self::Show { id } => hub.call(Call::get(&[PATH, &id.device_id]))?,
            Self::Update { id, desired, tags, condition } => {
                let mut patch = json!({});
                if let Some(text) = &desired {
                    patch["properties"] = json!({"desired": object("--desired", text)?});
                }
                if let Some(text) = &tags {
                    patch["tags"] = Value::Object(object("--tags", text)?);
                }
                if desired.is_none() && tags.is_none() {
                    bail!("nothing to update: give --desired or --tags");
                }
                hub.call(condition.apply(&hub, Call::patch(&[PATH, &id.device_id], &patch)))?
            }
        };
        target.output.show(&twin, COLUMNS)
    }
}
