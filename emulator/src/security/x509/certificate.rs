//! One certificate.

use super::{fields::Fields, name::Name};
use crate::{clock::wire_time, id::upper_hex};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ring::digest;
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x509_cert::der;

/// Why a text is not a certificate.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// Neither PEM, nor base64 of DER, nor base64 of PEM.
    #[error("not a certificate: expected PEM (\"-----BEGIN CERTIFICATE-----\"), or base64 of DER or of PEM")]
    NotCertificate,
    /// The PEM holds more than one certificate where one is meant.
    #[error(
        "{0} certificates where one is meant: give the one certificate that signs, or identifies, the devices"
    )]
    Several(usize),
    /// The DER does not parse.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
}

/// What the service tells of a certificate (`X509CertificateInfo` of the DPS service API, `certificateInfo` in a
/// device's registration state).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct X509CertificateInfo {
    /// Distinguished name, `CN=sensor-thl-001`.
    pub subject_name: String,
    /// SHA-1 of the DER, 40 hexadecimal digits in upper case.
    pub sha1_thumbprint: String,
    /// SHA-256 of the DER, 64 hexadecimal digits in upper case.
    pub sha256_thumbprint: String,
    /// Distinguished name of the issuer.
    pub issuer_name: String,
    /// Start of validity.
    #[serde(with = "wire_time")]
    pub not_before_utc: DateTime<Utc>,
    /// End of validity.
    #[serde(with = "wire_time")]
    pub not_after_utc: DateTime<Utc>,
    /// Hexadecimal digits in upper case.
    pub serial_number: String,
    /// 3 for almost every certificate; OpenSSL before 3.2 makes version 1 when it is given no extensions.
    pub version: u32,
}

/// A parsed certificate with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    pub info: X509CertificateInfo,
    /// Subject common name; empty names are `None`.
    pub common_name: Option<String>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    authority: Option<Authority>,
}

/// What makes a certificate one that may sign others.
#[derive(Clone, Copy, Debug)]
struct Authority {
    /// Largest number of intermediates below it.
    path_len: Option<u32>,
}

impl Certificate {
    pub(crate) fn from_der(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let unreadable = |error: der::Error| CertificateError::Unreadable(error.to_string());
        let (fields, rest) = Fields::read(&der).map_err(unreadable)?;
        if rest != 0 {
            return Err(CertificateError::Unreadable(format!("{rest} bytes after its end")));
        }
        let subject = Name::read(fields.subject).map_err(unreadable)?;
        let issuer = Name::read(fields.issuer).map_err(unreadable)?;
        let may_sign = fields.may_sign_certificates().map_err(unreadable)?;
        let authority = fields
            .basic_constraints()
            .map_err(unreadable)?
            .filter(|constraints| constraints.ca && may_sign)
            .map(|constraints| Authority { path_len: constraints.path_len });
        let info = X509CertificateInfo {
            subject_name: subject.text(),
            sha1_thumbprint: upper_hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()),
            sha256_thumbprint: upper_hex(digest::digest(&digest::SHA256, &der).as_ref()),
            issuer_name: issuer.text(),
            not_before_utc: fields.not_before,
            not_after_utc: fields.not_after,
            serial_number: upper_hex(fields.serial),
            version: fields.version.saturating_add(1),
        };
        let common_name = subject.common_name().map(str::to_owned);
        let (subject, issuer) = (fields.subject.to_vec(), fields.issuer.to_vec());
        Ok(Self { der, info, common_name, subject, issuer, authority })
    }

    /// Reads what the service API takes: PEM, base64 of DER, or base64 of PEM.
    pub(crate) fn from_text(text: &str) -> Result<Self, CertificateError> {
        if text.contains("-----BEGIN") {
            return Self::from_pem(text.as_bytes());
        }
        let compact: String = text.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(compact).map_err(|_| CertificateError::NotCertificate)?;
        if bytes.starts_with(b"-----BEGIN") {
            return Self::from_pem(&bytes);
        }
        Self::from_der(CertificateDer::from(bytes))
    }

    fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::NotCertificate)?;
        match (certificates.pop(), certificates.len()) {
            (Some(only), 0) => Self::from_der(only),
            (None, _) => Err(CertificateError::NotCertificate),
            (Some(_), others) => Err(CertificateError::Several(others + 1)),
        }
    }

    /// Base64 of DER.
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// Whether the two are the same certificate, byte for byte.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.der == other.der
    }

    /// Whether basic constraints and key usage let it sign certificates.
    pub(crate) fn is_authority(&self) -> bool {
        self.authority.is_some()
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether the names fit and this certificate may sign, with `intermediates_below` between it and the leaf.
    pub(super) fn may_have_issued(&self, child: &Self, intermediates_below: usize) -> bool {
        let Some(authority) = self.authority else {
            return false;
        };
        let allowed = authority.path_len.is_none_or(|limit| intermediates_below <= limit as usize);
        allowed && self.subject == child.issuer
    }

    /// Whether `self` carries a signature made with the key of `issuer`. SHA-1 signatures do not count: they are not
    /// among the algorithms of TLS.
    pub(super) fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok((child, _)), Ok((parent, _))) = (Fields::read(&self.der), Fields::read(&issuer.der)) else {
            return false;
        };
        // An ECDSA algorithm names the hash alone, so there are several; a key fits the one of its curve.
        default_provider()
            .signature_verification_algorithms
            .all
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == child.signature_algorithm)
            .any(|algorithm| {
                algorithm.verify_signature(parent.public_key, child.signed, child.signature).is_ok()
            })
    }
}
