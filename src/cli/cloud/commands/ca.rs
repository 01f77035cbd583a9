//! `cloud ca`: the CAs by which the service issues certificates to devices.

use serde_json::json;

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "certificateAuthorities";

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Policy", "/properties/certificatePolicyName"),
    ("Subject", "/properties/subject"),
    ("Expiry", "/properties/expiry"),
];

/// Commands for issuing CAs.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum CaCommand {
    /// Make a CA, and the root above it if there is none yet. Three may be there.
    Create {
        #[command(flatten)]
        name: Name,
    },
    /// All CAs.
    List,
    /// One CA, with its certificate and the root's.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// Delete a CA that has no policy; hubs take no certificate of it any more.
    Delete {
        #[command(flatten)]
        name: Name,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name of the CA.
    #[arg(long, visible_alias = "ca-name", value_name = "NAME")]
    name: String,
}

impl CaCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.emulated_dps(
            "CAs that issue certificates (they belong to Azure Resource Manager)",
            "az iot adr ns credential",
        )?;
        let show = |value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name } => show(dps.call(Call::put(&[PATH, &name.name], &json!({})))?),
            Self::List => {
                let mut answer = dps.call(Call::get(&[PATH]))?;
                show(answer["value"].take())
            }
            Self::Show { name } => show(dps.call(Call::get(&[PATH, &name.name]))?),
            Self::Delete { name } => dps.call(Call::delete(&[PATH, &name.name])).map(drop),
        }
    }
}
