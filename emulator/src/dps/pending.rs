//! A registration under way, between the enrollment that took the device and the hub it is placed at.

use tracker_protocol::dps::RegistrationState;

use super::{attest::AcceptedBy, issue::Issue};
use crate::hub::Authentication;

/// A registration that an enrollment took, until it is placed.
pub(super) struct Pending {
    pub registration_id: String,
    /// Of the device's user name.
    pub api_version: String,
    pub operation_id: String,
    pub accepted_by: AcceptedBy,
    pub authentication: Authentication,
    /// The certificate that the device has asked for.
    pub issue: Option<Issue>,
    pub previous: Option<RegistrationState>,
}

/// Why a registration that an enrollment took has failed: Azure's number and words.
pub(super) struct Failure {
    pub error_code: u32,
    pub message: String,
}
