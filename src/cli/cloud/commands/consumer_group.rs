//! `cloud consumer-group`: names under which readers of a hub's built-in endpoint count apart.

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "consumerGroups";

const COLUMNS: &[Column<'_>] = &[("Name", "/name"), ("Created", "/properties/created")];

/// Commands for consumer groups. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum ConsumerGroupCommand {
    /// Make a consumer group; one that is there stays as it is.
    Create {
        #[command(flatten)]
        name: Name,
    },
    /// All consumer groups.
    List,
    /// One consumer group.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// Delete a consumer group; its readers are sent away.
    Delete {
        #[command(flatten)]
        name: Name,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name of the group.
    #[arg(long, value_name = "NAME")]
    name: String,
}

impl ConsumerGroupCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.emulated_hub(
            "consumer groups (they belong to Azure Resource Manager)",
            "az iot hub consumer-group create|list|show|delete",
        )?;
        let show = |value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name } => {
                let body = serde_json::json!({"properties": {"name": name.name}});
                show(hub.call(Call::put(&[PATH, &name.name], &body))?)
            }
            Self::List => {
                let mut answer = hub.call(Call::get(&[PATH]))?;
                show(answer["value"].take())
            }
            Self::Show { name } => show(hub.call(Call::get(&[PATH, &name.name]))?),
            Self::Delete { name } => hub.call(Call::delete(&[PATH, &name.name])).map(drop),
        }
    }
}
