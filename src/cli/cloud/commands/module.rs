//! `cloud module`: module identities of devices.

use serde_json::{Value, json};

use super::authentication::Authentication;
use super::certificate::Condition;
use super::device::DeviceId;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const COLUMNS: &[Column<'_>] = &[
    ("ModuleId", "/moduleId"),
    ("DeviceId", "/deviceId"),
    ("ManagedBy", "/managedBy"),
    ("Authentication", "/authentication/type"),
    ("Connection", "/connectionState"),
    ("LastActivity", "/lastActivityTime"),
];

/// Commands for module identities.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum ModuleCommand {
    /// Make a module of a device, which then connects by itself.
    Create {
        #[command(flatten)]
        id: ModuleId,
        #[command(flatten)]
        authentication: Authentication,
        /// Who looks after it; at most 128 characters.
        #[arg(long, visible_alias = "mb", value_name = "TEXT")]
        managed_by: Option<String>,
    },
    /// The modules of a device.
    List {
        #[command(flatten)]
        id: DeviceId,
    },
    /// One module identity.
    Show {
        #[command(flatten)]
        id: ModuleId,
    },
    /// Delete a module identity and its twin.
    Delete {
        #[command(flatten)]
        id: ModuleId,
        #[command(flatten)]
        condition: Condition,
    },
}

/// Names a module of a device.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct ModuleId {
    #[command(flatten)]
    pub device: DeviceId,
    /// The module ID on that device.
    #[arg(long, short = 'm', value_name = "ID")]
    pub module_id: String,
}

impl ModuleId {
    /// The path of its identity, or below `twins` of its twin.
    pub(super) fn path<'a>(&'a self, first: &'a str) -> [&'a str; 4] {
        [first, &self.device.device_id, "modules", &self.module_id]
    }
}

impl ModuleCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { id, authentication, managed_by } => {
                let body = json!({
                    "deviceId": id.device.device_id,
                    "moduleId": id.module_id,
                    "managedBy": managed_by,
                    "authentication": authentication.value()?,
                });
                show(target.hub_of(&id.device.device_id)?.call(Call::put(&id.path("devices"), &body))?)
            }
            Self::List { id } => {
                let hub = target.hub_of(&id.device_id)?;
                show(hub.call(Call::get(&["devices", &id.device_id, "modules"]))?)
            }
            Self::Show { id } => {
                show(target.hub_of(&id.device.device_id)?.call(Call::get(&id.path("devices")))?)
            }
            Self::Delete { id, condition } => {
                let hub = target.hub_of(&id.device.device_id)?;
                hub.call(condition.apply(&hub, Call::delete(&id.path("devices")))).map(drop)
            }
        }
    }
}
