//! Issuing CAs and policies as the service side shows them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Azure's longest validity of a leaf.
pub(super) const LONGEST: Duration = Duration::from_hours(90 * 24);

/// An issuing CA of the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingAuthority {
    /// Unique within the namespace.
    pub name: String,
    /// Distinguished name in its certificate.
    pub subject: String,
    /// SHA-256 of its certificate's DER, hexadecimal digits in upper case.
    pub thumbprint: String,
    /// End of its own validity.
    pub not_after: DateTime<Utc>,
    /// PEM of its certificate, and then of the root above it.
    pub chain_pem: String,
    /// Its policy, if it has one.
    pub policy: Option<String>,
}

/// A certificate policy: by which CA, and for how long, leafs are issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePolicy {
    /// Unique within the namespace.
    pub name: String,
    /// The issuing CA it belongs to.
    pub authority: String,
    /// How long a leaf lives, whole seconds.
    pub validity: Duration,
}
