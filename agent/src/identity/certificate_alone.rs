//! In a program without the feature `sas` every device has a certificate. What would be in its place are types without a value,
//! so that whoever asks for it costs nothing.

use std::path::Path;

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::{IdentityError, Proof};

/// Whom a password would be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The provisioning service.
    Dps,
    /// The assigned hub.
    Hub,
}

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

impl WithoutCertificate {
    pub(super) fn registration_id(&self) -> &RegistrationId {
        match *self {}
    }

    pub(super) fn proof(&self, _: &Path, _: &Path) -> Result<Proof, IdentityError> {
        match *self {}
    }
}

impl Proof {
    /// None: a certificate is shown.
    pub(super) fn password(
        &self,
        _: Audience,
        _: impl FnOnce() -> String,
        _: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        match self {
            Self::Certificate(_) => Ok(None),
        }
    }
}
