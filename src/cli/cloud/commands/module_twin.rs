//! `cloud module-twin`: twins of modules.

use super::certificate::Condition;
use super::module::ModuleId;
use super::twin::TwinChange;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const COLUMNS: &[Column<'_>] = &[
    ("ModuleId", "/moduleId"),
    ("DeviceId", "/deviceId"),
    ("Connection", "/connectionState"),
    ("DesiredVersion", "/properties/desired/$version"),
    ("ReportedVersion", "/properties/reported/$version"),
    ("Tags", "/tags"),
];

/// Commands for twins of modules.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum ModuleTwinCommand {
    /// The twin of a module: tags, desired and reported properties.
    Show {
        #[command(flatten)]
        id: ModuleId,
    },
    /// Merge into desired properties and tags; null deletes.
    Update {
        #[command(flatten)]
        id: ModuleId,
        #[command(flatten)]
        change: TwinChange,
        #[command(flatten)]
        condition: Condition,
    },
}

impl ModuleTwinCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let twin = match self {
            Self::Show { id } => target.hub_of(&id.device.device_id)?.call(Call::get(&id.path("twins")))?,
            Self::Update { id, change, condition } => {
                let patch = change.patch()?;
                let hub = target.hub_of(&id.device.device_id)?;
                hub.call(condition.apply(&hub, Call::patch(&id.path("twins"), &patch)))?
            }
        };
        target.output.show(&twin, COLUMNS)
    }
}
