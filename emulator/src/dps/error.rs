//! What the DPS service refuses, with Azure's numbers.

use thiserror::Error;

use crate::{issuance::IssuanceError, net::tls::ServerIdentityError, security::x509::CertificateError};

/// A call of the service side that was refused.
#[derive(Debug, Error)]
pub enum DpsError {
    /// No individual enrollment of this registration ID.
    #[error("Enrollment not found: there is no individual enrollment \"{0}\"")]
    EnrollmentNotFound(String),
    /// No group of this ID.
    #[error("Enrollment group not found: there is no enrollment group \"{0}\"")]
    EnrollmentGroupNotFound(String),
    /// No registration record of this registration ID.
    #[error("Device registration not found: \"{0}\" has not registered, or its record was deleted")]
    DeviceRegistrationNotFound(String),
    /// The individual enrollment exists already.
    #[error("an individual enrollment \"{0}\" exists: update it, with its etag or \"*\"")]
    EnrollmentConflict(String),
    /// The group exists already.
    #[error("an enrollment group \"{0}\" exists: update it, with its etag or \"*\"")]
    EnrollmentGroupConflict(String),
    /// The entity tag given is not that of the stored resource.
    #[error("Precondition failed: \"{0}\" has changed since it was read; read it again")]
    PreconditionFailed(String),
    /// Something in the request is not as it must be.
    #[error("{0}")]
    InvalidArgument(String),
    /// A certificate in the request is not one.
    #[error("{field}: {source}")]
    InvalidCertificate {
        /// Which one.
        field: String,
        /// Why not.
        source: CertificateError,
    },
    /// No uploaded CA certificate of this name.
    #[error("there is no CA certificate \"{0}\": upload it first")]
    CaCertificateNotFound(String),
    /// A CA certificate of this name exists already.
    #[error("a CA certificate \"{0}\" exists: delete it first, or choose another name")]
    CaCertificateConflict(String),
    /// The certificate offered as proof does not prove possession of the CA's key.
    #[error("\"{name}\" is not verified: {reason}")]
    VerificationFailed {
        /// Name of the CA certificate.
        name: String,
        /// What is wrong with the proof.
        reason: String,
    },
    /// No such hub is linked.
    #[error("no hub \"{0}\" is linked to this DPS")]
    HubNotLinked(String),
    /// What an enrollment names of the namespace is not there.
    #[error(transparent)]
    Issuance(#[from] IssuanceError),
    /// Azure has it and this emulator does not.
    #[error("this emulator does not implement {0}")]
    NotImplemented(&'static str),
    /// A hub's name can't stand in the server certificate.
    #[error(transparent)]
    ServerIdentity(#[from] ServerIdentityError),
}

impl DpsError {
    /// Azure's six digits; the first three are the HTTP status.
    pub fn error_code(&self) -> u32 {
        match self {
            Self::InvalidArgument(_)
            | Self::InvalidCertificate { .. }
            | Self::VerificationFailed { .. }
            | Self::HubNotLinked(_)
            | Self::Issuance(_)
            | Self::ServerIdentity(_) => 400_004,
            Self::EnrollmentNotFound(_) => 404_201,
            Self::DeviceRegistrationNotFound(_) => 404_202,
            Self::EnrollmentGroupNotFound(_) => 404_204,
            Self::CaCertificateNotFound(_) => 404_000,
            Self::EnrollmentConflict(_) => 409_201,
            Self::EnrollmentGroupConflict(_) => 409_202,
            Self::CaCertificateConflict(_) => 409_000,
            Self::PreconditionFailed(_) => 412_001,
            Self::NotImplemented(_) => 501_000,
        }
    }
}
