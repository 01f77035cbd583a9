//! How a new identity proves who it is, in the words of `az`.

use anyhow::bail;
use serde_json::{Value, json};

/// Keys, thumbprints or a CA.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Authentication {
    /// How it proves who it is; by keys unless a thumbprint is given.
    #[arg(long, visible_alias = "am", value_enum, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,
    /// SHA-1 or SHA-256 of its certificate, 40 or 64 hexadecimal digits.
    #[arg(long, visible_alias = "ptp", value_name = "THUMBPRINT", conflicts_with = "primary_key")]
    primary_thumbprint: Option<String>,
    /// The same of a second certificate.
    #[arg(long, visible_alias = "stp", value_name = "THUMBPRINT", requires = "primary_thumbprint")]
    secondary_thumbprint: Option<String>,
    /// Symmetric key, base64; made by the hub when it is not given.
    #[arg(long, visible_alias = "pk", value_name = "KEY", requires = "secondary_key")]
    primary_key: Option<String>,
    /// Second symmetric key, base64.
    #[arg(long, visible_alias = "sk", value_name = "KEY", requires = "primary_key")]
    secondary_key: Option<String>,
}

/// The ways to prove who one is, in the words of `az`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum AuthMethod {
    /// Keys that both sides know.
    SharedPrivateKey,
    /// The thumbprint of a certificate, whoever signed it.
    X509Thumbprint,
    /// A chain up to a CA certificate of the hub.
    X509Ca,
}

impl Authentication {
    /// The member `authentication` of an identity.
    pub(super) fn value(self) -> anyhow::Result<Value> {
        let usual = match self.primary_thumbprint {
            Some(_) => AuthMethod::X509Thumbprint,
            None => AuthMethod::SharedPrivateKey,
        };
        let method = self.auth_method.unwrap_or(usual);
        if method != AuthMethod::X509Thumbprint && self.primary_thumbprint.is_some() {
            bail!("--primary-thumbprint is for --auth-method x509_thumbprint");
        }
        if method != AuthMethod::SharedPrivateKey && self.primary_key.is_some() {
            bail!("--primary-key is for --auth-method shared_private_key");
        }
        Ok(match method {
            AuthMethod::SharedPrivateKey => json!({
                "type": "sas",
                "symmetricKey": {"primaryKey": self.primary_key, "secondaryKey": self.secondary_key},
            }),
            AuthMethod::X509Thumbprint => {
                let Some(primary) = self.primary_thumbprint else {
                    bail!(
                        "--auth-method x509_thumbprint needs --primary-thumbprint, of the device's certificate"
                    );
                };
                let secondary = self.secondary_thumbprint;
                let thumbprints = json!({"primaryThumbprint": primary, "secondaryThumbprint": secondary});
                json!({"type": "selfSigned", "x509Thumbprint": thumbprints})
            }
            AuthMethod::X509Ca => json!({"type": "certificateAuthority"}),
        })
    }
}
