//! `cloud hub-certificate`: CA certificates that a hub trusts, for identities of type certificateAuthority.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::cloud::certificate_file;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "certificates";

const COLUMNS: &[Column<'_>] =
    &[("Name", "/name"), ("Subject", "/properties/subject"), ("Expiry", "/properties/expiry")];

/// Commands for the CA certificates of a hub.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum HubCertificateCommand {
    /// Let the hub trust a CA: devices that are known by their CA connect with what it has signed.
    Create {
        #[command(flatten)]
        name: Name,
        /// The certificate, PEM or DER.
        #[arg(long, visible_alias = "path", short = 'p', value_name = "FILE")]
        certificate_path: PathBuf,
    },
    /// All of them.
    List,
    /// One of them.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// Let the hub trust a CA no more.
    Delete {
        #[command(flatten)]
        name: Name,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name of the certificate.
    #[arg(long, visible_alias = "certificate-name", value_name = "NAME")]
    name: String,
}

impl HubCertificateCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.emulated_hub(
            "CA certificates of hubs (they belong to Azure Resource Manager)",
            "az iot hub certificate create|list|show|delete",
        )?;
        let show = |value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name, certificate_path } => {
                let certificate = certificate_file::read(&certificate_path)?.text();
                let body = json!({"properties": {"certificate": certificate}});
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
