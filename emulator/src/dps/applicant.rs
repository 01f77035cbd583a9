//! A device that asks DPS for its place, by whatever transport it came, and what it is answered.

use std::time::Duration;

use tokio::time::Instant;
use tracker_protocol::dps::ServiceError;

use super::tpm::Challenge;
use crate::session::PeerCertificates;

/// A device, with what it shows to be known by. None of it is judged before it registers.
#[derive(Debug)]
pub(crate) struct Applicant {
    pub registration_id: String,
    pub api_version: String,
    pub certificates: PeerCertificates,
    /// A shared access signature, of devices with symmetric keys.
    pub token: Option<Vec<u8>>,
    pub tpm: TpmProof,
}

/// How a TPM proves itself on a transport.
#[derive(Debug)]
pub(crate) enum TpmProof {
    /// Not at all.
    NoWay,
    /// It is asked in the answer to a registration without a token.
    Answer,
    /// It has signed a token with this when it signed in.
    SignIn(Challenge),
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
