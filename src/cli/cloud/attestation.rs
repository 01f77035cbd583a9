//! How devices of an enrollment prove who they are, as options say it and as the service takes it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::certificate_file::{self, CertificateFile};
use super::service::client::{Call, Client};

/// Certificates and keys of an enrollment.
#[derive(Debug, Default, clap::Args)]
pub(super) struct AttestationOptions {
    /// The certificate, PEM or DER: of the CA that signs the devices, or of the one device; {id} in the name stands for its registration ID.
    #[arg(long, visible_alias = "cp", value_name = "FILE")]
    certificate_path: Option<PathBuf>,
    /// A second certificate, for the time in which one replaces the other.
    #[arg(long, visible_alias = "scp", value_name = "FILE")]
    secondary_certificate_path: Option<PathBuf>,
    /// Symmetric key, base64; for enrollments with symmetric keys.
    #[arg(long, visible_alias = "pk", value_name = "KEY", conflicts_with_all = ["certificate_path", "secondary_certificate_path"])]
    primary_key: Option<String>,
    /// Second symmetric key, base64.
    #[arg(long, visible_alias = "sk", value_name = "KEY", requires = "primary_key")]
    secondary_key: Option<String>,
}

/// Uploaded CA certificates by name, for groups.
#[derive(Debug, Default, clap::Args)]
pub(super) struct CaNames {
    /// The uploaded and verified CA certificate that signs the devices, by its name.
    #[arg(long, visible_aliases = ["cn", "root-ca-name"], value_name = "NAME", conflicts_with_all = ["certificate_path", "secondary_certificate_path", "primary_key"])]
    ca_name: Option<String>,
    /// A second uploaded CA certificate, for the time in which one replaces the other.
    #[arg(long, visible_aliases = ["scn", "secondary-root-ca-name"], value_name = "NAME", conflicts_with_all = ["certificate_path", "secondary_certificate_path", "primary_key"])]
    secondary_ca_name: Option<String>,
}

/// What is taken away.
#[derive(Debug, clap::Args)]
pub(super) struct Removals {
    /// Take the primary certificate away.
    #[arg(long, visible_alias = "rc", conflicts_with = "certificate_path")]
    remove_certificate: bool,
    /// Take the secondary certificate away.
    #[arg(long, visible_alias = "rsc", conflicts_with = "secondary_certificate_path")]
    remove_secondary_certificate: bool,
}

/// The kind of attestation of a new enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum AttestationType {
    /// Certificates.
    X509,
    /// Keys that both sides know.
    SymmetricKey,
    /// Keys of a TPM; for one device each.
    Tpm,
}

/// Whose certificates an attestation has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Member<'a> {
    /// Of the CA that signs the devices of a group.
    Signing,
    /// Of the device with this registration ID.
    Client(&'a str),
}

impl Member<'_> {
    /// As the service calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Signing => "signingCertificates",
            Self::Client(_) => "clientCertificates",
        }
    }

    /// Refuses what can only be the other kind of certificate. Self-signed ones of devices often say that they are CAs.
    fn check(self, certificate: &CertificateFile, path: &Path) -> anyhow::Result<()> {
        let path = path.display();
        match (self, certificate.says_ca()) {
            (Self::Signing, Some(false)) => bail!(
                "{path} is not a CA certificate: a group takes the one that signs its devices; for one device there is \
                 `cloud enrollment create`"
            ),
            (Self::Client(id), Some(true))
                if !certificate.common_name().is_some_and(|name| name.eq_ignore_ascii_case(id)) =>
            {
                bail!(
                    "{path} is a CA certificate and not that of {id}: for all devices that a CA signs there is `cloud \
                     enrollment-group create`"
                )
            }
            _ => Ok(()),
        }
    }
}

/// Stands for the registration ID in the name of a certificate's file.
pub(super) const ID: &str = "{id}";

impl AttestationOptions {
    /// With the ID of a device in the names of files that have a place for it.
    pub(super) fn of_device(&self, id: &str) -> Self {
        let with_id = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| match path.to_str() {
                Some(text) => PathBuf::from(text.replace(ID, id)),
                None => path.clone(),
            })
        };
        Self {
            certificate_path: with_id(&self.certificate_path),
            secondary_certificate_path: with_id(&self.secondary_certificate_path),
            primary_key: self.primary_key.clone(),
            secondary_key: self.secondary_key.clone(),
        }
    }

    /// Refuses what only one device can have.
    pub(super) fn fits_several(&self) -> anyhow::Result<()> {
        if self.primary_key.is_some() {
            bail!("--primary-key is of one enrollment; without it the service makes keys for each");
        }
        for path in [&self.certificate_path, &self.secondary_certificate_path].into_iter().flatten() {
            if !path.to_string_lossy().contains(ID) {
                bail!(
                    "{} is the certificate of one device: for several, write {ID} where the name has the ID, like \
                     certificates/{ID}.pem",
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// The attestation of a new enrollment.
    pub(super) fn create(
        &self,
        kind: Option<AttestationType>,
        names: &CaNames,
        member: Member<'_>,
    ) -> anyhow::Result<Value> {
        let kind = kind.unwrap_or(if self.primary_key.is_some() {
            AttestationType::SymmetricKey
        } else {
            AttestationType::X509
        });
        let mut attestation = match kind {
            AttestationType::SymmetricKey => json!({"type": "symmetricKey", "symmetricKey": {}}),
            AttestationType::X509 => json!({"type": "x509", "x509": {}}),
            AttestationType::Tpm => bail!("a TPM is of one device: `cloud enrollment create` enrolls that"),
        };
        self.apply(&mut attestation, names, member)?;
        if kind == AttestationType::X509 && attestation["x509"].as_object().is_none_or(Map::is_empty) {
            match member {
                Member::Signing => bail!(
                    "name the CA: --certificate-path FILE, or --ca-name of one that is uploaded and verified"
                ),
                Member::Client(_) => bail!("name the certificate of the device: --certificate-path FILE"),
            }
        }
        Ok(attestation)
    }

    /// Puts what was given into an attestation; certificates in place of CA names, or the other way round.
    pub(super) fn apply(
        &self,
        attestation: &mut Value,
        names: &CaNames,
        member: Member<'_>,
    ) -> anyhow::Result<()> {
        for (place, path) in
            [("primary", &self.certificate_path), ("secondary", &self.secondary_certificate_path)]
        {
            if let Some(path) = path {
                let certificate = certificate_file::read(path)?;
                member.check(&certificate, path)?;
                let certificate = json!({"certificate": certificate.text()});
                x509(attestation, member.name())?.insert(place.into(), certificate);
            }
        }
        for (place, name) in [("primary", &names.ca_name), ("secondary", &names.secondary_ca_name)] {
            if let Some(name) = name {
                x509(attestation, "caReferences")?.insert(place.into(), name.as_str().into());
            }
        }
        for (place, key) in [("primaryKey", &self.primary_key), ("secondaryKey", &self.secondary_key)] {
            if let Some(key) = key {
                if attestation["type"] != "symmetricKey" {
                    bail!(
                        "--primary-key is for enrollments with symmetric keys; this one is {}",
                        attestation["type"]
                    );
                }
                if !attestation["symmetricKey"].is_object() {
                    attestation["symmetricKey"] = json!({});
                }
                attestation["symmetricKey"][place] = key.as_str().into();
            }
        }
        Ok(())
    }
}

impl Removals {
    /// Takes certificates out of an attestation.
    pub(super) fn apply(&self, attestation: &mut Value, member: Member<'_>) {
        let Some(certificates) = attestation["x509"][member.name()].as_object_mut() else {
            return;
        };
        if self.remove_certificate {
            certificates.remove("primary");
        }
        if self.remove_secondary_certificate {
            certificates.remove("secondary");
        }
    }
}

/// The certificates of an x509 attestation, which has either certificates or CA names.
fn x509<'a>(attestation: &'a mut Value, member: &str) -> anyhow::Result<&'a mut Map<String, Value>> {
    if attestation["type"] != "x509" {
        bail!("certificates are for enrollments of the type x509; this one is {}", attestation["type"]);
    }
    if !attestation["x509"][member].is_object() {
        attestation["x509"] = json!({ member: {} });
    }
    attestation["x509"][member].as_object_mut().context("the attestation is an object")
}

/// Symmetric keys are left out of what is shown, and an update without them would make new ones: this puts them in.
pub(super) fn with_keys(dps: &Client, segments: &[&str], enrollment: &mut Value) -> anyhow::Result<()> {
    if enrollment["attestation"]["type"] == "symmetricKey" {
        let path = [segments, &["attestationmechanism"]].concat();
        enrollment["attestation"] = dps.call(Call::post(&path))?;
    }
    Ok(())
}
