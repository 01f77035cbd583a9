//! `cloud certificate`: CA certificates of the provisioning service, and the proof of possession of their keys.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::cloud::certificate_file;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;
use crate::platform::stderr::tell;

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Verified", "/properties/isVerified"),
    ("Subject", "/properties/subject"),
    ("Expiry", "/properties/expiry"),
];

/// Commands for CA certificates.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum CertificateCommand {
    /// Upload a CA certificate, root or intermediate.
    Add {
        #[command(flatten)]
        name: Name,
        /// The certificate, PEM or DER.
        #[arg(long, visible_alias = "path", short = 'p', value_name = "FILE")]
        certificate_path: PathBuf,
        /// Take it for verified, without proof of possession.
        #[arg(long, short = 'v')]
        verified: bool,
    },
    /// Ask for the verification code that the proof of possession has to bear.
    GenerateVerificationCode {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        condition: Condition,
    },
    /// Prove possession of the CA's key; without a proof, say how one is made.
    Verify {
        #[command(flatten)]
        name: Name,
        /// The proof: a certificate with the verification code as common name, signed by the CA.
        #[arg(long, visible_alias = "path", short = 'p', value_name = "FILE")]
        certificate_path: Option<PathBuf>,
        #[command(flatten)]
        condition: Condition,
    },
    /// All CA certificates.
    List,
    /// One CA certificate.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// Delete a CA certificate; groups that refer to it take nobody any more.
    Delete {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        condition: Condition,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name by which enrollment groups refer to the certificate.
    #[arg(long, visible_aliases = ["certificate-name", "name"], value_name = "NAME")]
    ca_name: String,
}

/// The state that a change presumes.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Condition {
    /// Change it only if its etag is still this one.
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,
}

impl Condition {
    pub(in crate::cli::cloud) fn apply(&self, client: &Client, call: Call) -> Call {
        client.if_match(call, self.etag.as_deref().unwrap_or("*"))
    }

    /// Refuses an etag where several are meant.
    pub(in crate::cli::cloud) fn of_one_only(&self) -> anyhow::Result<()> {
        if self.etag.is_some() {
            anyhow::bail!("--etag is of one thing: name that one alone");
        }
        Ok(())
    }

    /// The etag given, or else the one that was read.
    pub(in crate::cli::cloud) fn or<'a>(&'a self, read: &'a serde_json::Value) -> &'a str {
        self.etag.as_deref().or_else(|| read["etag"].as_str()).unwrap_or("*")
    }
}

impl CertificateCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.emulated_dps(
            "CA certificates (they belong to Azure Resource Manager)",
            "az iot dps certificate create|generate-verification-code|verify|list|show|delete",
        )?;
        let show = |value| target.output.show(&value, COLUMNS);
        match self {
            Self::Add { name, certificate_path, verified } => {
                let certificate = certificate_file::read(&certificate_path)?.text();
                let body = json!({"properties": {"certificate": certificate, "isVerified": verified}});
                show(dps.call(Call::put(&["certificates", &name.ca_name], &body))?)
            }
            Self::GenerateVerificationCode { name, condition }
            | Self::Verify { name, certificate_path: None, condition } => {
                let call = Call::post(&["certificates", &name.ca_name, "generateVerificationCode"]);
                let answer = dps.call(condition.apply(&dps, call))?;
                let code = answer["properties"]["verificationCode"].as_str().unwrap_or_default();
                tell!("{}", recipe(&name.ca_name, code));
                show(answer)
            }
            Self::Verify { name, certificate_path: Some(path), condition } => {
                let body = json!({"certificate": certificate_file::read(&path)?.text()});
                let call = Call::post(&["certificates", &name.ca_name, "verify"]).json(&body);
                show(dps.call(condition.apply(&dps, call))?)
            }
            Self::List => {
                let mut answer = dps.call(Call::get(&["certificates"]))?;
                show(answer["value"].take())
            }
            Self::Show { name } => show(dps.call(Call::get(&["certificates", &name.ca_name]))?),
            Self::Delete { name, condition } => {
                let call = Call::delete(&["certificates", &name.ca_name]);
                dps.call(condition.apply(&dps, call)).map(drop)
            }
        }
    }
}

fn recipe(name: &str, code: &str) -> String {
    format!(
        "Prove that you hold the key of {name}, with its certificate and key at hand:\n  \
         container-tracker pki proof {code} --ca {name}.pem --ca-key {name}.key --out proof.pem     # or, with OpenSSL:\n  \
         openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout proof.key -subj /CN={code} -out proof.csr\n  \
         openssl x509 -req -in proof.csr -CA {name}.pem -CAkey {name}.key -CAcreateserial -days 1 -out proof.pem\n  \
         container-tracker cloud certificate verify --ca-name {name} --certificate-path proof.pem"
    )
}
