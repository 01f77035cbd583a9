//! A request that is under way, on disk: `request.json` says what was asked, `request.key` is the key, unless that is in a token.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// What was asked.
pub(super) const FILE: &str = "request.json";
/// The key that it was asked for.
pub(super) const KEY_FILE: &str = "request.key";

/// What the service is told to get a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Names the request: 32 hexadecimal digits. The same after a restart, so that the service knows it again.
    pub rid: String,
    /// PKCS#10 in base64, one line.
    pub csr: String,
    /// When it was made, if the time was known.
    pub asked_at: Option<DateTime<Utc>>,
}

/// All that is kept of it. Nothing in it is secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) rid: String,
    /// Common name of the certificate that was asked for.
    pub(super) name: String,
    pub(super) asked_at: Option<DateTime<Utc>>,
    /// What the key is called in the token, before it is made there.
    pub(super) object: Option<String>,
    /// The rest is not there as long as the key is being made: the request, in base64.
    pub(super) csr: String,
    /// `SubjectPublicKeyInfo` in hexadecimal.
    pub(super) public_key: String,
}

impl Asked {
    /// Of the content of its file; `None` when it is none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let time = value["askedAt"].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        Some(Self {
            rid: text("rid")?,
            name: text("name")?,
            asked_at: time.map(|time| time.to_utc()),
            object: text("object"),
            csr: text("csr")?,
            public_key: text("publicKey")?,
        })
    }

    /// For the service; `None` before the key was made.
    pub(super) fn request(&self) -> Option<CertificateRequest> {
        let Self { rid, csr, asked_at, .. } = self;
        (!csr.is_empty()).then(|| CertificateRequest {
            rid: rid.clone(),
            csr: csr.clone(),
            asked_at: *asked_at,
        })
    }
}
