//! An IoT hub as a device sees it over MQTT: user name, topics, device twin, direct methods, renewal of certificates.

mod credentials;
mod merge_patch;
mod renewal;
mod topic;
mod twin;
mod username;
mod writable;

pub use credentials::{CredentialError, CredentialErrorInfo, IssueAccepted, IssueRequest, Issued};
pub use merge_patch::{merge, replacement, without_dollar};
pub use renewal::{RenewalClient, RenewalEvent, RenewalRequest, RenewalStep};
pub use topic::{
    CREDENTIALS_FILTER, CloudTopic, DeviceTopic, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER,
    json_telemetry,
};
pub use twin::{TwinClient, TwinEvent, TwinStep};
pub use username::HubUsername;
pub use writable::{AckCode, Acknowledgement};

/// The API version this crate speaks.
pub const API_VERSION: &str = "2021-04-12";

/// The API version by which a hub renews certificates, a preview.
pub const RENEWING_API_VERSION: &str = "2025-08-01-preview";

/// Most bytes a device-to-cloud message may have: body plus properties (IoT Hub quotas).
pub const MAX_TELEMETRY: usize = 256 * 1024;

/// Longest keep-alive that a hub honours, in seconds.
pub const MAX_KEEP_ALIVE: u16 = 1177;
