//! Answers that are no success: a status, a word for programs, a sentence for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::backend::BackendError;
use crate::model::{Failure, FailureBody};

/// Why a call is not answered as wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    member: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), member: None }
    }

    /// A parameter, or a member of the body, is wrong.
    pub(super) fn invalid(member: impl Into<String>, message: impl Into<String>) -> Self {
        let member = Some(member.into()).filter(|member| !member.is_empty());
        Self { member, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    /// The sentence.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        let message = error.to_string();
        match error {
            BackendError::NotFound(_) => Self::not_found(message),
            BackendError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", message),
            BackendError::Invalid { member, .. } => Self::invalid(member.unwrap_or_default(), message),
            BackendError::NotPossible(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "notPossible", message)
            }
            BackendError::NoAnswer(_) => Self::new(StatusCode::CONFLICT, "noAnswer", message),
            BackendError::Away(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "away", message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, message, member } = self;
        let body = FailureBody { error: Failure { code: code.to_owned(), message, member } };
        // The type has no form that JSON lacks.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
