//! In a program without the feature `sas` every device has a certificate. What would be in its place are types without a value,
//! so that whoever asks for it costs nothing.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Identity, IdentityError};

/// What would be sent in place of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {}

/// How a device would prove who it is without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithoutCertificate {}

impl Password {
    /// As it would be sent.
    pub fn reveal(&self) -> &str {
        match *self {}
    }
}

impl Identity {
    /// There is no such device.
    pub fn without_certificate(
        given: &WithoutCertificate,
        _: &Path,
        _: &Path,
    ) -> Result<Self, IdentityError> {
        match *given {}
    }

    /// None: a certificate is shown.
    pub fn password_at_dps(&self, _: &str, _: Option<DateTime<Utc>>) -> Result<Option<Password>, String> {
        Ok(None)
    }

    /// None: a certificate is shown.
    pub fn password_at_hub(
        &self,
        _: &str,
        _: &str,
        _: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        Ok(None)
    }
}
