//! How a call fails.

use serde::{Deserialize, Serialize};

/// The body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FailureBody {
    /// What went wrong.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// For programs: `notFound`, `readOnly`, `invalid` …
    pub code: String,
    /// For people: a sentence that says what, and how to mend it.
    pub message: String,
    /// The member of the body, or the parameter, that is wrong.
    pub member: Option<String>,
}
