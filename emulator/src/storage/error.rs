//! What the door refuses, with Azure Storage's words.

use std::io;

use thiserror::Error;

/// A call that was refused.
#[derive(Debug, Error)]
#[error("{code}: {message}")]
pub(crate) struct StorageError {
    pub status: u16,
    /// Azure's word for it, as in `x-ms-error-code`.
    pub code: &'static str,
    pub message: String,
}

impl StorageError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn name(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidResourceName", message)
    }

    pub(crate) fn no_container(name: &str) -> Self {
        Self::new(404, "ContainerNotFound", format!("there is no container \"{name}\""))
    }

    pub(crate) fn no_blob(name: &str) -> Self {
        Self::new(404, "BlobNotFound", format!("there is no blob \"{name}\""))
    }

    pub(crate) fn not_authenticated(why: impl Into<String>) -> Self {
        Self::new(403, "AuthenticationFailed", why)
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        let limit = limit / (1024 * 1024);
        Self::new(413, "RequestBodyTooLarge", format!("a blob has at most {limit} MiB here"))
    }

    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("this emulator does not implement {what}"))
    }
}

impl From<io::Error> for StorageError {
    /// The path is left out: it is nothing to clients.
    fn from(error: io::Error) -> Self {
        tracing::warn!(%error, "a file of the storage could not be used");
        Self::new(500, "InternalError", format!("a file of the storage could not be used: {}", error.kind()))
    }
}
