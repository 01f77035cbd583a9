//! What a device is told, and what the operator is told, when a request to DPS is refused.

use std::time::Duration;

use super::{attest::NotAttested, issue::NotIssued};
use crate::{issuance::CsrError, session::shown};

/// The certificate policy of the enrollment is not there any more; our own number.
pub(super) const POLICY_GONE: u32 = 400_305;

/// An answer that is an error: status, Azure's code, Azure's words, the operator's words.
pub(super) struct Refused {
    pub status: u16,
    pub error_code: u32,
    pub message: String,
    pub reason: String,
    pub retry_after: Option<Duration>,
}

impl Refused {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status: 400, error_code: 400_004, reason: message.clone(), message, retry_after: None }
    }

    pub(super) fn unauthorized(reason: String) -> Self {
        Self {
            status: 401,
            error_code: 401_002,
            message: "Invalid certificate.".into(),
            reason,
            retry_after: None,
        }
    }

    pub(super) fn bad_token(reason: String) -> Self {
        Self { message: "Unauthorized".into(), ..Self::unauthorized(reason) }
    }

    /// No enrollment takes it by what it shows, which is a token or a chain.
    pub(super) fn not_attested(refusal: &NotAttested, is_by_token: bool) -> Self {
        if is_by_token {
            Self::bad_token(refusal.to_string())
        } else {
            Self::unauthorized(refusal.to_string())
        }
    }

    /// A TPM is told so; who shows a certificate or a token is but unauthorized.
    pub(super) fn no_enrollment(registration_id: &str) -> Self {
        Self {
            status: 404,
            error_code: 404_201,
            message: "Enrollment not found.".into(),
            reason: format!("there is no individual enrollment \"{}\" for its TPM", shown(registration_id)),
            retry_after: None,
        }
    }

    /// DPS has no record of the device.
    pub(super) fn no_registration(registration_id: &str) -> Self {
        Self {
            status: 404,
            error_code: 404_202,
            message: "Device registration not found.".into(),
            reason: format!("\"{}\" has never registered", shown(registration_id)),
            retry_after: None,
        }
    }

    /// No certificate can be issued. Azure's numbers for it are not known, these are our own.
    pub(super) fn not_issued(why: &NotIssued) -> Self {
        let error_code = match why {
            NotIssued::Request(CsrError::Signature) => 400_302,
            NotIssued::Request(CsrError::CommonName { .. }) => 400_303,
            NotIssued::Request(CsrError::Key { .. } | CsrError::Unsupported(_)) => 400_304,
            NotIssued::Request(_) => 400_301,
            NotIssued::Policy(_) => POLICY_GONE,
            NotIssued::Fault(code) => *code,
        };
        let message = why.to_string();
        Self {
            status: u16::try_from(error_code / 1000).unwrap_or(400),
            error_code,
            reason: message.clone(),
            message,
            retry_after: None,
        }
    }

    pub(super) fn no_operation(operation_id: &str) -> Self {
        Self {
            status: 404,
            error_code: 404_203,
            message: "Async operation not found.".into(),
            reason: format!("it has no operation \"{}\"", shown(operation_id)),
            retry_after: None,
        }
    }

    pub(super) fn throttled(retry_after: Duration) -> Self {
        Self {
            status: 429,
            error_code: 429_001,
            message: "Too many requests.".into(),
            reason: "throttling was asked for".into(),
            retry_after: Some(retry_after),
        }
    }

    pub(super) fn by_fault(status: u16, retry_after: Option<Duration>) -> Self {
        Self {
            status,
            error_code: u32::from(status) * 1000 + 1,
            message: "The service is not available at the moment.".into(),
            reason: "a fault was asked for".into(),
            retry_after,
        }
    }
}
