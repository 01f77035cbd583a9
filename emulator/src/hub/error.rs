//! What the service side of a hub refuses, with Azure's names and numbers.

use std::time::Duration;

use thiserror::Error;

use super::TwinError;
use crate::storage::StorageError;

/// A call of the service side that was refused.
#[derive(Debug, Error)]
pub enum HubError {
    /// No such device identity.
    #[error("DeviceNotFound: the hub has no device \"{0}\"")]
    DeviceNotFound(String),
    /// No such configuration.
    #[error("ConfigurationNotFound: the hub has no configuration \"{0}\"")]
    ConfigurationNotFound(String),
    /// A configuration of this ID exists.
    #[error(
        "ConfigurationAlreadyExists: the hub has a configuration \"{0}\" already; an update needs If-Match"
    )]
    ConfigurationExists(String),
    /// No such job.
    #[error("JobNotFound: the hub has no job \"{0}\"")]
    JobNotFound(String),
    /// A job of this ID exists, or existed.
    #[error("JobAlreadyExists: the hub has a job \"{0}\" already; take another id")]
    JobExists(String),
    /// So many jobs are not over yet.
    #[error("ThrottlingMaxActiveJobCountExceeded: {limit} jobs wait or run; wait for one, or cancel one")]
    TooManyJobs {
        /// How many there may be.
        limit: usize,
    },
    /// No such module on a device that is there.
    #[error("ModuleNotFound: \"{device_id}\" has no module \"{module_id}\"")]
    ModuleNotFound {
        /// The device.
        device_id: String,
        /// The module that it lacks.
        module_id: String,
    },
    /// The device has a module of this ID.
    #[error("ModuleAlreadyExistsOnDevice: \"{device_id}\" has a module \"{module_id}\" already")]
    ModuleAlreadyExists {
        /// The device.
        device_id: String,
        /// Its module.
        module_id: String,
    },
    /// The device has as many modules as it may.
    #[error("TooManyModulesOnDevice: \"{device_id}\" has {limit} modules already; delete one first")]
    TooManyModules {
        /// The device.
        device_id: String,
        /// How many it may have.
        limit: usize,
    },
    /// A device of this ID exists.
    #[error("DeviceAlreadyExists: the hub has a device \"{0}\" already")]
    DeviceAlreadyExists(String),
    /// The device did not take a method: not connected, or not subscribed to methods.
    #[error("DeviceNotOnline: \"{device_id}\" did not connect and subscribe to methods within {waited:?}")]
    DeviceNotOnline {
        /// The device.
        device_id: String,
        /// The connect timeout; zero means "now".
        waited: Duration,
    },
    /// The device did not answer a method in time.
    #[error("GatewayTimeout: \"{device_id}\" did not answer within {waited:?}")]
    GatewayTimeout {
        /// The device.
        device_id: String,
        /// The response timeout.
        waited: Duration,
    },
    /// The device went away between a method and its answer.
    #[error("DeviceConnectionClosedRemotely: \"{0}\" disconnected before it answered")]
    DeviceConnectionClosed(String),
    /// The device answered a method with something that is not JSON.
    #[error("the answer of \"{0}\" to the method is not JSON")]
    InvalidMethodAnswer(String),
    /// A device of MQTT 5 did not take a method, or gave it up.
    #[error("MethodRejected: \"{device_id}\" {why}")]
    MethodRejected {
        /// The device.
        device_id: String,
        /// In words.
        why: &'static str,
    },
    /// A payload above its limit.
    #[error("MessageTooLarge: {size} bytes; the limit is {limit}")]
    MessageTooLarge {
        /// What it is.
        size: usize,
        /// What it may be.
        limit: usize,
    },
    /// Fifty messages wait for the device already.
    #[error("DeviceMaximumQueueDepthExceeded: {limit} messages wait for \"{device_id}\"")]
    QueueFull {
        /// The device.
        device_id: String,
        /// How many may wait.
        limit: usize,
    },
    /// The lock of a message is over, or there never was one.
    #[error(
        "DeviceMessageLockLost: no message is under this lock; a lock ends a minute after the message was received"
    )]
    LockLost,
    /// A twin change against the rules.
    #[error(transparent)]
    Twin(#[from] TwinError),
    /// The entity tag given is not that of the stored resource.
    #[error("PreconditionFailed: \"{0}\" has changed since it was read; read it again")]
    PreconditionFailed(String),
    /// As many uploads of a device are under way as may be.
    #[error(
        "DeviceMaximumActiveFileUploadLimitExceeded: {limit} uploads of \"{device_id}\" have not ended; tell the hub how they ended, or wait an hour"
    )]
    TooManyUploads {
        /// The device.
        device_id: String,
        /// How many there may be.
        limit: usize,
    },
    /// The device has no upload of this number under way.
    #[error("UploadNotFound: \"{0}\" has no upload of this correlationId under way; one ends after an hour")]
    NoSuchUpload(String),
    /// A job over the whole registry is running.
    #[error("JobQuotaExceeded: another job of export or import is running; wait for its end, or cancel it")]
    JobQuotaExceeded,
    /// The storage of files refused.
    #[error("{code}: {message}")]
    Storage {
        /// Of HTTP.
        status: u16,
        /// Azure Storage's word.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// Something in the request is not as it must be.
    #[error("ArgumentInvalid: {0}")]
    ArgumentInvalid(String),
}

impl HubError {
    /// Azure's name, as in the header `iothub-errorcode`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ArgumentInvalid(_) | Self::Twin(_) => "ArgumentInvalid",
            Self::QueueFull { .. } => "DeviceMaximumQueueDepthExceeded",
            Self::DeviceNotFound(_) => "DeviceNotFound",
            Self::ConfigurationNotFound(_) => "ConfigurationNotFound",
            Self::JobNotFound(_) => "JobNotFound",
            Self::JobExists(_) => "JobAlreadyExists",
            Self::TooManyJobs { .. } => "ThrottlingMaxActiveJobCountExceeded",
            Self::ConfigurationExists(_) => "ConfigurationAlreadyExists",
            Self::ModuleNotFound { .. } => "ModuleNotFound",
            Self::ModuleAlreadyExists { .. } => "ModuleAlreadyExistsOnDevice",
            Self::TooManyModules { .. } => "TooManyModulesOnDevice",
            Self::DeviceNotOnline { .. } => "DeviceNotOnline",
            Self::DeviceConnectionClosed(_) => "DeviceConnectionClosedRemotely",
            Self::DeviceAlreadyExists(_) => "DeviceAlreadyExists",
            Self::PreconditionFailed(_) => "PreconditionFailed",
            Self::LockLost => "DeviceMessageLockLost",
            Self::MessageTooLarge { .. } => "MessageTooLarge",
            Self::InvalidMethodAnswer(_) => "BadDeviceResponse",
            Self::MethodRejected { .. } => "MethodRejected",
            Self::GatewayTimeout { .. } => "GatewayTimeout",
            Self::TooManyUploads { .. } => "DeviceMaximumActiveFileUploadLimitExceeded",
            Self::NoSuchUpload(_) => "UploadNotFound",
            Self::JobQuotaExceeded => "JobQuotaExceeded",
            Self::Storage { code, .. } => code,
        }
    }

    /// Azure's six digits; the first three are the HTTP status.
    pub fn error_code(&self) -> u32 {
        match self {
            Self::ArgumentInvalid(_) | Self::Twin(_) => 400_004,
            Self::QueueFull { .. } => 403_004,
            Self::DeviceNotFound(_) => 404_001,
            Self::JobNotFound(_) => 404_002,
            // Numbers of ours: only the first three digits are documented.
            Self::ConfigurationNotFound(_) | Self::NoSuchUpload(_) => 404_000,
            Self::ConfigurationExists(_) | Self::JobExists(_) => 409_000,
            Self::TooManyJobs { .. } => 429_004,
            Self::ModuleNotFound { .. } => 404_010,
            Self::ModuleAlreadyExists { .. } => 409_301,
            Self::TooManyModules { .. } => 413_003,
            Self::DeviceNotOnline { .. } => 404_103,
            Self::DeviceConnectionClosed(_) => 404_104,
            Self::DeviceAlreadyExists(_) => 409_001,
            Self::PreconditionFailed(_) => 412_001,
            Self::LockLost => 412_002,
            Self::MessageTooLarge { .. } => 413_001,
            Self::InvalidMethodAnswer(_) => 502_000,
            // A number of ours: what services are told of it is not documented.
            Self::MethodRejected { .. } => 502_001,
            Self::GatewayTimeout { .. } => 504_101,
            Self::JobQuotaExceeded => 403_003,
            Self::TooManyUploads { .. } => 403_006,
            // Of ours, too.
            Self::Storage { status, .. } => u32::from(*status) * 1000,
        }
    }
}

impl From<StorageError> for HubError {
    fn from(error: StorageError) -> Self {
        let StorageError { status, code, message } = error;
        Self::Storage { status, code, message }
    }
}
