//! The CA certificates uploaded to the service, and the proof that their uploader holds the key.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracker_certificates::{NotIssued, SignatureError};

use super::super::DpsError;
use crate::{
    clock::wire_time,
    etag::IfMatch,
    id::{dps_etag, guid},
    security::x509::{Certificate, X509CertificateInfo},
};

/// Characters in the name of a CA certificate.
const LONGEST_NAME: usize = 64;

/// An uploaded CA certificate as the service shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaCertificate {
    /// The name given at upload, by which `caReferences` refer to it.
    pub name: String,
    /// What the certificate says.
    pub info: X509CertificateInfo,
    /// Whether possession of its key was proven. Only then do devices below it count as trusted.
    pub is_verified: bool,
    /// Changes with every change of the record.
    pub etag: String,
    /// When it was uploaded.
    #[serde(with = "wire_time")]
    pub created: DateTime<Utc>,
    /// When it was uploaded, verified, or asked a verification code for.
    #[serde(with = "wire_time")]
    pub updated: DateTime<Utc>,
    /// The certificate itself, base64 of DER.
    pub certificate: String,
}

/// What of a CA certificate has to outlive a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::dps) struct KeptCertificate {
    name: String,
    certificate: String,
    is_verified: bool,
    etag: String,
    verification_code: Option<String>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

#[derive(Debug)]
struct Entry {
    certificate: Arc<Certificate>,
    is_verified: bool,
    etag: String,
    verification_code: Option<String>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

/// The uploaded CA certificates by name.
#[derive(Debug, Default)]
pub(in crate::dps) struct CertificateStore(BTreeMap<String, Entry>);

impl CertificateStore {
    pub(in crate::dps) fn restore(kept: Vec<KeptCertificate>) -> Result<Self, DpsError> {
        let restore = |kept: KeptCertificate| {
            let certificate = Certificate::from_text(&kept.certificate).map_err(|source| {
                DpsError::InvalidCertificate { field: format!("CA certificate \"{}\"", kept.name), source }
            })?;
            let entry = Entry {
                certificate: Arc::new(certificate),
                is_verified: kept.is_verified,
                etag: kept.etag,
                verification_code: kept.verification_code,
                created: kept.created,
                updated: kept.updated,
            };
            Ok((kept.name, entry))
        };
        kept.into_iter().map(restore).collect::<Result<_, _>>().map(Self)
    }

    pub(in crate::dps) fn keep(&self) -> Vec<KeptCertificate> {
        let keep = |(name, entry): (&String, &Entry)| KeptCertificate {
            name: name.clone(),
            certificate: entry.certificate.base64(),
            is_verified: entry.is_verified,
            etag: entry.etag.clone(),
            verification_code: entry.verification_code.clone(),
            created: entry.created,
            updated: entry.updated,
        };
        self.0.iter().map(keep).collect()
    }

    pub(in crate::dps) fn upload(
        &mut self,
        name: &str,
        text: &str,
        is_verified: bool,
        now: DateTime<Utc>,
    ) -> Result<CaCertificate, DpsError> {
        let may_be_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(may_be_in_name) {
            return Err(DpsError::InvalidArgument(format!(
                "the name of a CA certificate is 1 to {LONGEST_NAME} letters, digits, '-', '.' and '_'"
            )));
        }
        if self.0.contains_key(name) {
            return Err(DpsError::CaCertificateConflict(name.to_owned()));
        }
        let entry = Entry::new(authority(text)?, is_verified, now);
        let shown = entry.show(name);
        self.0.insert(name.to_owned(), entry);
        Ok(shown)
    }

    /// Puts a certificate in the place of the one of this name.
    pub(in crate::dps) fn replace(
        &mut self,
        name: &str,
        text: &str,
        is_verified: bool,
        if_match: &IfMatch,
        now: DateTime<Utc>,
    ) -> Result<CaCertificate, DpsError> {
        let certificate = authority(text)?;
        let entry = self.matching(name, if_match)?;
        *entry = Entry::new(certificate, is_verified, now);
        Ok(entry.show(name))
    }

    /// A code to be the common name of a certificate that the CA signs.
    pub(in crate::dps) fn verification_code(
        &mut self,
        name: &str,
        if_match: &IfMatch,
        now: DateTime<Utc>,
    ) -> Result<(CaCertificate, String), DpsError> {
        let entry = self.matching(name, if_match)?;
        let code = guid().replace('-', "").to_ascii_uppercase();
        entry.verification_code = Some(code.clone());
        entry.etag = dps_etag();
        entry.updated = now;
        Ok((entry.show(name), code))
    }

    pub(in crate::dps) fn verify(
        &mut self,
        name: &str,
        proof: &str,
        if_match: &IfMatch,
        now: DateTime<Utc>,
    ) -> Result<CaCertificate, DpsError> {
        let entry = self.matching(name, if_match)?;
        let failed = |reason: String| DpsError::VerificationFailed { name: name.to_owned(), reason };
        let proof = Certificate::from_text(proof).map_err(|error| failed(error.to_string()))?;
        let code = entry.verification_code.as_deref();
        let code = code.ok_or_else(|| failed("ask for a verification code first".into()))?;
        if proof.common_name.as_deref() != Some(code) {
            return Err(failed(format!(
                "the common name of the proof is {:?}, the verification code is {code}",
                proof.common_name.as_deref().unwrap_or_default()
            )));
        }
        proof.check_validity(now).map_err(|flaw| failed(flaw.to_string()))?;
        proof.check_issuer(&entry.certificate).map_err(|why| {
            failed(match why {
                NotIssued::Signature(SignatureError::Wrong) => {
                    "the proof is not signed with the key of this CA".into()
                }
                why => format!("the proof is not signed by this CA: {why}"),
            })
        })?;
        entry.is_verified = true;
        entry.verification_code = None;
        entry.etag = dps_etag();
        entry.updated = now;
        Ok(entry.show(name))
    }

    pub(in crate::dps) fn delete(&mut self, name: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        self.matching(name, if_match)?;
        self.0.remove(name);
        Ok(())
    }

    pub(in crate::dps) fn get(&self, name: &str) -> Result<CaCertificate, DpsError> {
        let entry = self.0.get(name).ok_or_else(|| DpsError::CaCertificateNotFound(name.to_owned()))?;
        Ok(entry.show(name))
    }

    pub(in crate::dps) fn list(&self) -> Vec<CaCertificate> {
        self.0.iter().map(|(name, entry)| entry.show(name)).collect()
    }

    pub(in crate::dps) fn verified(&self) -> Vec<Arc<Certificate>> {
        self.0
            .values()
            .filter(|entry| entry.is_verified)
            .map(|entry| Arc::clone(&entry.certificate))
            .collect()
    }

    /// Whether `name` is this certificate, verified.
    pub(in crate::dps) fn is_verified(&self, name: &str, certificate: &Certificate) -> bool {
        self.0.get(name).is_some_and(|entry| entry.is_verified && entry.certificate.is(certificate))
    }

    /// Whether groups may refer to `name`: they may before it is verified, and it lets nobody in until then.
    pub(in crate::dps) fn check_reference(&self, name: &str) -> Result<(), DpsError> {
        match self.0.get(name) {
            Some(_) => Ok(()),
            None => Err(DpsError::InvalidArgument(format!("CA certificate not found: \"{name}\""))),
        }
    }

    fn matching(&mut self, name: &str, if_match: &IfMatch) -> Result<&mut Entry, DpsError> {
        let entry = self.0.get_mut(name).ok_or_else(|| DpsError::CaCertificateNotFound(name.to_owned()))?;
        if if_match.admits(Some(&entry.etag)) {
            Ok(entry)
        } else {
            Err(DpsError::PreconditionFailed(name.to_owned()))
        }
    }
}

fn authority(text: &str) -> Result<Certificate, DpsError> {
    let certificate = Certificate::from_text(text)
        .map_err(|source| DpsError::InvalidCertificate { field: "CA certificate".into(), source })?;
    // What a chain that leads to a silent one is worth is another matter: no device is let in by it.
    if !certificate.is_authority() && !certificate.may_pass_for_authority() {
        return Err(DpsError::InvalidArgument(format!(
            "\"{}\" is not a CA certificate: its basic constraints or its key usage do not let it sign others",
            certificate.info.subject_name
        )));
    }
    Ok(certificate)
}

impl Entry {
    fn new(certificate: Certificate, is_verified: bool, now: DateTime<Utc>) -> Self {
        Self {
            certificate: Arc::new(certificate),
            is_verified,
            etag: dps_etag(),
            verification_code: None,
            created: now,
            updated: now,
        }
    }

    fn show(&self, name: &str) -> CaCertificate {
        CaCertificate {
            name: name.to_owned(),
            info: self.certificate.info.clone(),
            is_verified: self.is_verified,
            etag: self.etag.clone(),
            created: self.created,
            updated: self.updated,
            certificate: self.certificate.base64(),
        }
    }
}
