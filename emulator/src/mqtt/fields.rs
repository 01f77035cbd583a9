//! The fields of which packets are made, and what can be wrong with them.

use bytes::{Buf as _, Bytes};
use thiserror::Error;

use super::identifier::PacketId;

/// A filter list longer than this can't belong to a device: Azure allows five subscriptions.
const MAX_FILTERS: usize = 64;

/// Why bytes are not a packet of MQTT. Each one ends the connection (section 4.8).
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum DecodeError {
    #[error("a packet of {size} bytes; the limit of this connection is {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error("the remaining length of a packet does not end within four bytes")]
    RemainingLength,
    #[error("packet type {0} is not one a client of MQTT 3.1.1 at QoS 0 or 1 uses")]
    PacketType(u8),
    #[error("the flags {flags:#06b} are not allowed in {packet}")]
    Flags { packet: &'static str, flags: u8 },
    #[error("{packet} ends before its {field}")]
    Truncated { packet: &'static str, field: &'static str },
    #[error("{packet} has {extra} bytes after its last field")]
    TrailingBytes { packet: &'static str, extra: usize },
    #[error("the {field} of {packet} is not UTF-8, or contains a null character")]
    NotUtf8 { packet: &'static str, field: &'static str },
    #[error("{packet} carries the packet identifier 0")]
    ZeroPacketId { packet: &'static str },
    #[error("{packet}: {what}")]
    Malformed { packet: &'static str, what: &'static str },
}

impl DecodeError {
    /// Whether it is its size alone.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// The bytes after the fixed header, taken field by field.
pub(super) struct Fields {
    pub packet: &'static str,
    pub bytes: Bytes,
}

impl Fields {
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.need(1, field)?;
        Ok(self.bytes.get_u8())
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.need(2, field)?;
        Ok(self.bytes.get_u16())
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.need(4, field)?;
        Ok(self.bytes.get_u32())
    }

    /// A number of one to four bytes, the shortest form of it.
    pub(super) fn variable(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let mut value = 0;
        for index in 0..4 {
            let byte = self.u8(field)?;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                if index > 0 && byte == 0 {
                    return Err(self.malformed("a number that is longer than need be"));
                }
                return Ok(value);
            }
        }
        Err(self.malformed("a number of more than four bytes"))
    }

    /// The next bytes, as many as this.
    pub(super) fn part(&mut self, length: usize, field: &'static str) -> Result<Self, DecodeError> {
        self.need(length, field)?;
        Ok(Self { packet: self.packet, bytes: self.bytes.split_to(length) })
    }

    pub(super) fn binary(&mut self, field: &'static str) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16(field)?);
        self.need(length, field)?;
        Ok(self.bytes.split_to(length))
    }

    pub(super) fn string(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let bytes = self.binary(field)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(DecodeError::NotUtf8 { packet: self.packet, field }),
        }
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16("packet identifier")?).ok_or(DecodeError::ZeroPacketId { packet: self.packet })
    }

    pub(super) fn only_packet_id(mut self) -> Result<PacketId, DecodeError> {
        let id = self.packet_id()?;
        self.end()?;
        Ok(id)
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            extra => Err(DecodeError::TrailingBytes { packet: self.packet, extra }),
        }
    }

    pub(super) fn need(&self, length: usize, field: &'static str) -> Result<(), DecodeError> {
        if self.bytes.len() < length {
            return Err(DecodeError::Truncated { packet: self.packet, field });
        }
        Ok(())
    }

    pub(super) fn check_filters(&self, count: usize) -> Result<(), DecodeError> {
        if count > MAX_FILTERS {
            return Err(self.malformed("more than 64 topic filters"));
        }
        Ok(())
    }

    pub(super) fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { packet: self.packet, what }
    }
}
