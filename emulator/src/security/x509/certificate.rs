//! One certificate.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ring::digest;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracker_certificates::{self as certificates, Document, Fields, Name, NotIssued, PemError};

use super::name;
use crate::{clock::wire_time, id::upper_hex};

/// Why a text is not a certificate.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// Neither PEM, nor base64 of DER, nor base64 of PEM.
    #[error("not a certificate: expected PEM (\"-----BEGIN CERTIFICATE-----\"), or base64 of DER or of PEM")]
    NotCertificate,
    /// PEM that can't be read whole.
    #[error("not a certificate: {0}")]
    Pem(PemError),
    /// PEM of something else.
    #[error("not a certificate: the PEM holds none{0}")]
    OtherPem(&'static str),
    /// The PEM holds more than one certificate where one is meant.
    #[error(
        "{0} certificates where one is meant: give the one certificate that signs, or identifies, the devices"
    )]
    Several(usize),
    /// The DER does not parse.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(certificates::CertificateError),
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
    is_self_issued: bool,
    is_authority: bool,
    /// It does not say whether it is one.
    is_silent: bool,
}

impl Certificate {
    pub(crate) fn from_der(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let fields = Fields::read(&der).map_err(CertificateError::Unreadable)?;
        let subject = Name::read(fields.subject).map_err(CertificateError::Unreadable)?;
        let issuer = Name::read(fields.issuer).map_err(CertificateError::Unreadable)?;
        let says_ca = fields.says_ca().map_err(CertificateError::Unreadable)?;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let info = X509CertificateInfo {
            subject_name: name::text(&subject),
            sha1_thumbprint: upper_hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()),
            sha256_thumbprint: upper_hex(digest::digest(&digest::SHA256, &der).as_ref()),
            issuer_name: name::text(&issuer),
            not_before_utc: time(fields.not_before),
            not_after_utc: time(fields.not_after),
            serial_number: upper_hex(fields.serial),
            version: fields.version.saturating_add(1),
        };
        let common_name = subject.common_name().map(Into::into);
        let is_self_issued = certificates::same_name(fields.subject, fields.issuer);
        let is_authority = certificates::may_issue(&fields, 0).is_ok();
        Ok(Self { der, info, common_name, is_self_issued, is_authority, is_silent: says_ca.is_none() })
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

    /// A key that came along is left where it is: what is kept is the certificate.
    fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let document = Document::read(pem).map_err(CertificateError::Pem)?;
        let mut found = document.certificates().map_err(CertificateError::Pem)?;
        match (found.pop(), found.len()) {
            (Some(only), 0) => Self::from_der(only),
            (None, _) => Err(CertificateError::OtherPem(document.instead())),
            (Some(_), others) => Err(CertificateError::Several(others + 1)),
        }
    }

    /// The certificate and nothing else, in the form of `text`, which it was read from: PEM, or base64 of DER.
    pub(crate) fn as_in(&self, text: &str) -> String {
        let base64 = self.base64();
        if !text.contains("-----BEGIN") {
            return base64;
        }
        let mut pem = certificates::certificate_pem(&base64);
        if !text.ends_with('\n') {
            pem.pop();
        }
        pem
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
        self.is_authority
    }

    /// Whether it has issued itself, and does not say what it is: DPS takes such a one for a CA certificate.
    pub(crate) fn may_pass_for_authority(&self) -> bool {
        self.is_self_issued && self.is_silent
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.is_self_issued
    }

    /// Whether the names fit and this certificate may sign, with `intermediates_below` between it and the leaf.
    pub(super) fn may_have_issued(&self, child: &Self, intermediates_below: usize) -> Result<(), NotIssued> {
        self.with(child, |child, issuer| certificates::check_issuer(child, issuer, intermediates_below))
    }

    /// Whether `self` carries a signature made with the key of `issuer`.
    pub(super) fn check_signature(&self, issuer: &Self) -> Result<(), NotIssued> {
        issuer.with(self, |child, issuer| certificates::verify(child, issuer).map_err(NotIssued::Signature))
    }

    /// Whether `issuer` has issued this certificate, which is no CA's.
    pub(crate) fn check_issuer(&self, issuer: &Self) -> Result<(), NotIssued> {
        issuer.may_have_issued(self, 0)?;
        self.check_signature(issuer)
    }

    fn with(
        &self,
        child: &Self,
        judge: impl FnOnce(&Fields<'_>, &Fields<'_>) -> Result<(), NotIssued>,
    ) -> Result<(), NotIssued> {
        // Both were read when they were made.
        match (Fields::read(&child.der), Fields::read(&self.der)) {
            (Ok(child), Ok(issuer)) => judge(&child, &issuer),
            _ => Err(NotIssued::Name),
        }
    }
}
