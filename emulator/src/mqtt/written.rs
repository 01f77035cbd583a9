//! The fields of which packets are written.

use bytes::{BufMut as _, BytesMut};
use thiserror::Error;

use super::identifier::PacketId;

/// A packet that has no form in bytes.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum EncodeError {
    #[error("a text or password of {0} bytes; MQTT carries at most 65 535")]
    FieldTooLong(usize),
    #[error("a packet of {0} bytes; MQTT carries at most 268 435 455")]
    PacketTooLong(usize),
}

pub(super) fn identified(first: u8, id: PacketId, body: &mut BytesMut) -> u8 {
    body.put_u16(id.get());
    first
}

pub(super) fn put_field(body: &mut BytesMut, field: &[u8]) -> Result<(), EncodeError> {
    let length = u16::try_from(field.len()).map_err(|_| EncodeError::FieldTooLong(field.len()))?;
    body.put_u16(length);
    body.put_slice(field);
    Ok(())
}
