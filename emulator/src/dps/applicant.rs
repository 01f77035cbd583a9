//! A device that asks DPS for its place, by whatever transport it came, and what it is answered.

use std::time::Duration;

use tokio::time::Instant;
use tracker_protocol::dps::ServiceError;

use crate::session::PeerCertificates;

/// A device, with what it shows to be known by. None of it is judged before it registers.
#[derive(Debug)]
pub(crate) struct Applicant {
    pub registration_id: String,
    pub api_version: String,
    pub certificates: PeerCertificates,
    /// A shared access signature, of devices with symmetric keys.
    pub token: Option<Vec<u8>>,
    /// Whether the transport has a way to ask a TPM for a proof.
    pub may_be_challenged: bool,
}

/// When a request came, and whether it is one too many for the fault that throttles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub now: Instant,
    pub is_throttled: bool,
}

/// What a request is answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    /// As of HTTP.
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// JSON.
    pub body: String,
    /// What of the body a transport says in its own way, where it is an error.
    pub error: Option<ServiceError>,
}
