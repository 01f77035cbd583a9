//! `cloud certificate-policy`: by which CA, and for how long, certificates are issued to devices.

use serde_json::{Value, json};

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "certificatePolicies";

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Ca", "/properties/certificateAuthorityName"),
    ("ValidityDays", "/properties/leafCertificateConfiguration/validityPeriodInDays"),
    ("ValiditySeconds", "/properties/leafCertificateConfiguration/validityPeriodInSeconds"),
];

/// Commands for certificate policies.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum CertificatePolicyCommand {
    /// Make a policy; enrollments that name it give their devices certificates.
    Create {
        #[command(flatten)]
        name: Name,
        /// The CA that issues; without one, the first that has no policy yet, which is made if need be.
        #[arg(long, visible_alias = "ca-name", value_name = "NAME")]
        ca: Option<String>,
        #[command(flatten)]
        validity: Validity,
    },
    /// All policies.
    List,
    /// One policy.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// Delete a policy; what it has issued stays valid until it ends.
    Delete {
        #[command(flatten)]
        name: Name,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name by which enrollments refer to the policy.
    #[arg(long, visible_alias = "policy-name", value_name = "NAME")]
    name: String,
}

/// How long a certificate lives.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli::cloud) struct Validity {
    /// How long certificates live, 1 to 90 days.
    #[arg(long, visible_alias = "cert-validity-days", value_name = "DAYS")]
    validity_days: Option<u64>,
    /// The same in seconds, for tests.
    #[arg(long, value_name = "SECONDS")]
    validity_seconds: Option<u64>,
}

impl Validity {
    fn wire(&self) -> Value {
        match (self.validity_days, self.validity_seconds) {
            (Some(days), _) => json!({"validityPeriodInDays": days}),
            (None, seconds) => json!({"validityPeriodInSeconds": seconds}),
        }
    }
}

impl CertificatePolicyCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.emulated_dps(
            "certificate policies (they belong to Azure Resource Manager)",
            "az iot adr ns policy create|list|show|delete",
        )?;
        let show = |value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name, ca, validity } => {
                let leaf = validity.wire();
                let properties =
                    json!({"certificateAuthorityName": ca, "leafCertificateConfiguration": leaf});
                let body = json!({"properties": properties});
                show(dps.call(Call::put(&[PATH, &name.name], &body))?)
            }
            Self::List => {
                let mut answer = dps.call(Call::get(&[PATH]))?;
                show(answer["value"].take())
            }
            Self::Show { name } => show(dps.call(Call::get(&[PATH, &name.name]))?),
            Self::Delete { name } => dps.call(Call::delete(&[PATH, &name.name])).map(drop),
        }
    }
}
