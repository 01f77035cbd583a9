//! Bodies by which a hub renews a device's operational certificate (preview, API version 2025-08-01-preview).
//!
//! A request is answered twice: 202 says that it is taken, 200 brings the certificates, within hours. Either may be an error
//! instead.

use serde::{Deserialize, Serialize};

/// Body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueRequest {
    /// The device ID.
    pub id: String,
    /// DER of PKCS#10 in base64, of at most 8 KB.
    pub csr: String,
    /// Which pending request this one takes the place of: its request ID, or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
}

/// Body of the answer 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueAccepted {
    /// For Microsoft's support.
    #[serde(default)]
    pub correlation_id: String,
    /// RFC 3339: then the request is forgotten.
    #[serde(default)]
    pub operation_expires: String,
}

/// Body of the answer 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// As in the answer 202.
    #[serde(default)]
    pub correlation_id: String,
    /// DER of each certificate in base64, the leaf first, then each one's issuer.
    pub certificates: Vec<String>,
}

/// Body of the answers of 400 and above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CredentialError {
    /// Six digits, the first three as in HTTP.
    pub error_code: u32,
    /// For people.
    pub message: String,
    /// For Microsoft's support.
    pub tracking_id: String,
    /// RFC 3339.
    pub timestamp_utc: String,
    /// Seconds to wait before the next try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// More, where there is more.
    pub info: Option<CredentialErrorInfo>,
}

/// What an error is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CredentialErrorInfo {
    /// As in the answer 202.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What the authority says, in one word or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_error: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_message: Option<String>,
    /// The pending request's ID, or the one that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When the pending request is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_expires: Option<String>,
}
