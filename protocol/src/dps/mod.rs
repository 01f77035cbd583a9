//! The Device Provisioning Service (DPS): who the device says it is, what it asks, and what it is told.
//!
//! Over MQTT a device subscribes to [`RESPONSE_FILTER`], publishes a [`Request::Register`], and polls with
//! [`Request::Poll`] until the body of a [`Response`] is final. The status in the topic says only how the *request*
//! fared: `failed` and `disabled` arrive with status 200.

mod body;
mod profile;
mod registration;
mod topic;
mod username;

pub use body::{
    RegisterRequest, RegistrationOperation, RegistrationState, RegistrationStatus, ServiceError, Substatus,
};
pub use profile::ConnectionProfile;
pub use registration::{Assignment, Event, Outcome, Refusal, RefusalKind, Registration, Step};
pub use topic::{RESPONSE_FILTER, Request, Response};
pub use username::DpsUsername;

/// The API version this crate speaks: the one all device SDKs use with X.509.
pub const API_VERSION: &str = "2019-03-31";

/// The first stable API version that issues certificates in the registration.
pub const ISSUING_API_VERSION: &str = "2026-11-01";

/// The API version that tells how to speak to the hub, a preview.
pub const PROFILE_API_VERSION: &str = "2026-11-02-preview";
