//! What the agent needs to know of one X.509 certificate.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate as Parsed;
use x509_cert::der::{Decode, Encode};

/// A certificate with less time left should be renewed.
pub const RENEW_AT: TimeDelta = TimeDelta::days(30);

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
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
}

impl Certificate {
    /// Parses DER.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, x509_cert::der::Error> {
        let parsed = Parsed::from_der(der)?;
        let body = parsed.tbs_certificate();
        let time = |time: x509_cert::time::Time| {
            DateTime::from_timestamp(time.to_unix_duration().as_secs() as i64, 0).unwrap_or_default()
        };
        Ok(Self {
            subject: body.subject().to_string(),
            common_name: body.subject().common_name()?.map(|name| name.value().into_owned()),
            issuer: body.issuer().to_string(),
            not_before: time(body.validity().not_before),
            not_after: time(body.validity().not_after),
            public_key: body.subject_public_key_info().to_der()?,
            subject_der: body.subject().to_der()?,
            issuer_der: body.issuer().to_der()?,
        })
    }

    /// DER of the whole subject.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// Whether `other` can have issued this certificate, by name.
    pub fn names_issuer(&self, other: &Self) -> bool {
        self.issuer_der == other.subject_der
    }
}

/// SHA-256 of a certificate's DER in hexadecimal, as portals and tools show it.
pub fn thumbprint(der: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
