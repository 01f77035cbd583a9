//! What the agent needs to know of one X.509 certificate.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use tracker_certificates::{CertificateError, Fields, Name, same_name};

/// A certificate with less time left should be renewed.
pub const RENEW_AT: TimeDelta = TimeDelta::days(30);

/// What stands for a name that is no text.
const NO_TEXT: &str = "a name that is no text";

/// The parts of a certificate that decide whether it can be used.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The whole subject, as people write it.
    pub subject: String,
    /// Common name of the subject; `None` when there is none or it is not text.
    pub common_name: Option<String>,
    /// The whole issuer.
    pub issuer: String,
    /// First moment of validity.
    pub not_before: DateTime<Utc>,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
    /// DER of the subject's public key.
    pub public_key: Vec<u8>,
    /// Octets of the serial number.
    pub serial_length: usize,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
}

impl Certificate {
    /// Parses DER.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let fields = Fields::read(der)?;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let text = |name: &Name<'_>| name.text(&[]).unwrap_or_else(|| NO_TEXT.into());
        let subject = Name::read(fields.subject)?;
        Ok(Self {
            subject: text(&subject),
            common_name: subject.common_name().map(Into::into),
            issuer: text(&Name::read(fields.issuer)?),
            not_before: time(fields.not_before),
            not_after: time(fields.not_after),
            public_key: fields.public_key_info.to_vec(),
            serial_length: fields.serial.len(),
            subject_der: fields.subject.to_vec(),
            issuer_der: fields.issuer.to_vec(),
        })
    }

    /// DER of the whole subject.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// Whether `other` can have issued this certificate, by what the names mean.
    pub fn names_issuer(&self, other: &Self) -> bool {
        same_name(&self.issuer_der, &other.subject_der)
    }
}

/// SHA-256 of a certificate's DER in hexadecimal, as portals and tools show it.
pub fn thumbprint(der: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
