//! An error as the ends tell it each other, and the conditions by name.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use std::fmt;

use bytes::BytesMut;

use crate::codec::{CodecError, Fields, List, Reader};
use crate::value::Map;

/// Why a link, a session or a connection ended, or a message was rejected.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// A symbol, of [`condition`] or the peer's own.
    pub condition: String,
    pub description: Option<String>,
    pub info: Map,
}

impl Error {
    /// An error without further information.
    pub fn new(condition: &str, description: impl Into<String>) -> Self {
        Self { condition: condition.to_owned(), description: Some(description.into()), info: Map::new() }
    }
}

pub(crate) const ERROR: u8 = 0x1d;

impl Error {
    pub(crate) fn write(out: &mut BytesMut, error: &Self) {
        let mut list = List::begin(out, ERROR);
        list.symbol(Some(&error.condition));
        list.string(error.description.as_deref());
        list.map(&error.info);
        list.finish();
    }

    /// A field that is an error or null.
    pub(crate) fn field(fields: &mut Fields<'_, '_>) -> Result<Option<Self>, CodecError> {
        fields.described(Self::read)
    }

    fn read(descriptor: u64, reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        if descriptor != u64::from(ERROR) {
            return Err(CodecError::Descriptor(descriptor));
        }
        let mut fields = reader.list()?;
        let error = Self {
            condition: fields.text()?.unwrap_or_default(),
            description: fields.text()?,
            info: fields.map()?,
        };
        fields.finish();
        Ok(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(description) => write!(to, "{description} ({})", self.condition),
            None => to.write_str(&self.condition),
        }
    }
}

/// Conditions of the standard, and those that Azure adds.
pub mod condition {
    pub const INTERNAL_ERROR: &str = "amqp:internal-error";
    pub const NOT_FOUND: &str = "amqp:not-found";
    pub const UNAUTHORIZED_ACCESS: &str = "amqp:unauthorized-access";
    pub const DECODE_ERROR: &str = "amqp:decode-error";
    pub const RESOURCE_LIMIT_EXCEEDED: &str = "amqp:resource-limit-exceeded";
    pub const NOT_ALLOWED: &str = "amqp:not-allowed";
    pub const INVALID_FIELD: &str = "amqp:invalid-field";
    pub const NOT_IMPLEMENTED: &str = "amqp:not-implemented";
    pub const RESOURCE_LOCKED: &str = "amqp:resource-locked";
    pub const PRECONDITION_FAILED: &str = "amqp:precondition-failed";
    pub const RESOURCE_DELETED: &str = "amqp:resource-deleted";
    pub const ILLEGAL_STATE: &str = "amqp:illegal-state";
    pub const FRAME_SIZE_TOO_SMALL: &str = "amqp:frame-size-too-small";

    pub const CONNECTION_FORCED: &str = "amqp:connection:forced";
    pub const FRAMING_ERROR: &str = "amqp:connection:framing-error";
    pub const CONNECTION_REDIRECT: &str = "amqp:connection:redirect";

    pub const WINDOW_VIOLATION: &str = "amqp:session:window-violation";
    pub const ERRANT_LINK: &str = "amqp:session:errant-link";
    pub const HANDLE_IN_USE: &str = "amqp:session:handle-in-use";
    pub const UNATTACHED_HANDLE: &str = "amqp:session:unattached-handle";

    pub const DETACH_FORCED: &str = "amqp:link:detach-forced";
    pub const TRANSFER_LIMIT_EXCEEDED: &str = "amqp:link:transfer-limit-exceeded";
    pub const MESSAGE_SIZE_EXCEEDED: &str = "amqp:link:message-size-exceeded";
    pub const LINK_REDIRECT: &str = "amqp:link:redirect";
    pub const STOLEN: &str = "amqp:link:stolen";

    pub const ARGUMENT_OUT_OF_RANGE: &str = "com.microsoft:argument-out-of-range";
    pub const ARGUMENT_ERROR: &str = "com.microsoft:argument-error";
    pub const SERVER_BUSY: &str = "com.microsoft:server-busy";
    pub const TIMEOUT: &str = "com.microsoft:timeout";
}
