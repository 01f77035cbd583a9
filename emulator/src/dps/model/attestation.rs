//! How a device of an enrollment proves who it is.

use serde::{Deserialize, Serialize};

use crate::security::{
    keys::SymmetricKey,
    x509::{Certificate, CertificateError, X509CertificateInfo},
};

/// The attestation of an enrollment: a type, and the member that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationMechanism {
    /// Which of the members counts.
    #[serde(rename = "type")]
    pub kind: AttestationType,
    /// For [`AttestationType::X509`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509: Option<X509Attestation>,
    /// For [`AttestationType::Tpm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmAttestation>,
    /// For [`AttestationType::SymmetricKey`]; keys that are absent are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symmetric_key: Option<SymmetricKey>,
}

/// The kinds of attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttestationType {
    /// None at all.
    None,
    /// X.509 certificates.
    X509,
    /// A trusted platform module.
    Tpm,
    /// Shared keys.
    SymmetricKey,
}

/// The keys of a TPM: each base64 of its `TPM2B_PUBLIC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TpmAttestation {
    /// By it the TPM is known. An update that leaves it out keeps the stored one.
    #[serde(default)]
    pub endorsement_key: String,
    /// Where it is given, the device must have this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_root_key: Option<String>,
}

/// X.509 attestation; exactly one member is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct X509Attestation {
    /// The leaf itself, for individual enrollments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<X509Certificates>,
    /// A root or intermediate that signs the devices, for enrollment groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_certificates: Option<X509Certificates>,
    /// The names of CA certificates uploaded to the service, for enrollment groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_references: Option<CaReferences>,
}

/// A certificate and its replacement during a roll-over; either may match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509Certificates {
    /// The one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<X509CertificateWithInfo>,
    /// The one to come, or to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<X509CertificateWithInfo>,
}

/// A certificate as it is sent to the service (`certificate`) and as it comes back (`info`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509CertificateWithInfo {
    /// PEM, base64 of DER, or base64 of PEM. An update that leaves it out keeps the stored certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What the certificate says; set by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<X509CertificateInfo>,
}

/// Names of uploaded CA certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaReferences {
    /// The one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The one to come, or to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<String>,
}

impl AttestationMechanism {
    /// For an enrollment group: devices whose leaf is signed, directly or through intermediates they present, by this
    /// certificate (PEM or base64).
    pub fn signing_certificate(certificate: impl Into<String>) -> Self {
        Self::x509(X509Attestation {
            signing_certificates: Some(X509Certificates::primary(certificate)),
            ..X509Attestation::default()
        })
    }

    /// For an enrollment group: devices below the uploaded CA certificate of this name.
    pub fn ca_reference(name: impl Into<String>) -> Self {
        Self::x509(X509Attestation {
            ca_references: Some(CaReferences { primary: Some(name.into()), secondary: None }),
            ..X509Attestation::default()
        })
    }

    /// For an individual enrollment: the device with exactly this leaf (PEM or base64).
    pub fn client_certificate(certificate: impl Into<String>) -> Self {
        Self::x509(X509Attestation {
            client_certificates: Some(X509Certificates::primary(certificate)),
            ..X509Attestation::default()
        })
    }

    /// By symmetric keys, those of the device or, for a group, those its devices' keys are derived from. Keys that are
    /// absent are made.
    pub fn symmetric_key(keys: SymmetricKey) -> Self {
        Self { kind: AttestationType::SymmetricKey, x509: None, tpm: None, symmetric_key: Some(keys) }
    }

    /// For an individual enrollment: the device whose TPM has this endorsement key (base64 of `TPM2B_PUBLIC`).
    pub fn tpm(endorsement_key: impl Into<String>) -> Self {
        let tpm = TpmAttestation { endorsement_key: endorsement_key.into(), storage_root_key: None };
        Self { kind: AttestationType::Tpm, x509: None, tpm: Some(tpm), symmetric_key: None }
    }

    /// See [`X509Certificates::clean`].
    pub(crate) fn clean(&mut self) {
        let Some(x509) = &mut self.x509 else { return };
        for certificates in
            [&mut x509.client_certificates, &mut x509.signing_certificates].into_iter().flatten()
        {
            certificates.clean();
        }
    }

    /// X.509 attestation of any form.
    pub fn x509(x509: X509Attestation) -> Self {
        Self { kind: AttestationType::X509, x509: Some(x509), tpm: None, symmetric_key: None }
    }
}

impl X509Certificates {
    /// One certificate and no replacement.
    pub fn primary(certificate: impl Into<String>) -> Self {
        Self { primary: Some(X509CertificateWithInfo::new(certificate)), secondary: None }
    }

    /// Reads both certificates and fills in their `info`; what is only referred to is taken from `stored`.
    pub(crate) fn resolve(&mut self, stored: Option<&Self>) -> Result<(), CertificateError> {
        let slots = [
            (&mut self.primary, stored.and_then(|stored| stored.primary.as_ref())),
            (&mut self.secondary, stored.and_then(|stored| stored.secondary.as_ref())),
        ];
        for (slot, stored) in slots {
            let Some(given) = slot else { continue };
            if let Some(text) = &given.certificate {
                // What is kept is what was read, and nothing that came with it.
                let certificate = Certificate::from_text(text)?;
                given.certificate = Some(certificate.as_in(text));
                given.info = Some(certificate.info);
            } else {
                *slot = stored.cloned();
            }
        }
        Ok(())
    }

    /// Leaves nothing but the certificates in what an earlier version has kept as it came.
    pub(crate) fn clean(&mut self) {
        for slot in [&mut self.primary, &mut self.secondary].into_iter().flatten() {
            let certificate = slot.certificate.take();
            slot.certificate =
                certificate.and_then(|text| Some(Certificate::from_text(&text).ok()?.as_in(&text)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.primary.is_none() && self.secondary.is_none()
    }

    /// Whether one of the two is this certificate.
    pub(crate) fn contains(&self, certificate: &Certificate) -> bool {
        [&self.primary, &self.secondary]
            .into_iter()
            .flatten()
            .filter_map(|slot| slot.info.as_ref())
            .any(|info| info.sha256_thumbprint == certificate.info.sha256_thumbprint)
    }
}

impl X509CertificateWithInfo {
    /// A certificate to be sent to the service.
    pub fn new(certificate: impl Into<String>) -> Self {
        Self { certificate: Some(certificate.into()), info: None }
    }
}

impl CaReferences {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.primary, &self.secondary].into_iter().flatten().map(String::as_str)
    }
}
