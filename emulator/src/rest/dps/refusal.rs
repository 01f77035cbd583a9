//! Errors in the shape of the provisioning service.

use chrono::{DateTime, Utc};
use tracker_protocol::dps::ServiceError;

use crate::{
    dps::DpsError,
    rest::{
        answer::{self, Answer},
        call::Call,
        tracking::tracking,
    },
};

/// An error on its way: Azure's six digits, of which the first three are the status, and words.
pub(in crate::rest) struct DpsRefusal {
    pub code: u32,
    pub message: String,
}

impl DpsRefusal {
    pub(in crate::rest) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400_004, message: message.into() }
    }

    pub(in crate::rest) fn unauthorized(reason: &str) -> Self {
        Self { code: 401_002, message: format!("Unauthorized: {reason}") }
    }

    pub(super) fn no_route(call: &Call) -> Self {
        Self {
            code: 404_000,
            message: format!(
                "{} /{} is not implemented by this emulator, or not known to Azure either",
                call.method,
                call.segments.join("/")
            ),
        }
    }

    pub(in crate::rest) fn answer(self, now: DateTime<Utc>) -> Answer {
        let (tracking_id, timestamp_utc) = tracking(now);
        let code = self.code.to_string();
        let error = ServiceError {
            error_code: self.code,
            tracking_id,
            message: self.message,
            info: None,
            timestamp_utc,
        };
        let answer = answer::json((self.code / 1000) as u16, &error);
        answer::with_header(answer, "x-ms-error-code", &code)
    }
}

impl From<DpsError> for DpsRefusal {
    fn from(error: DpsError) -> Self {
        Self { code: error.error_code(), message: error.to_string() }
    }
}
