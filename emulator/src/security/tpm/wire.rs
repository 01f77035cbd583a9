//! Structures as a TPM writes them: big-endian, and whatever has no fixed size behind its length of two bytes.

use super::error::PublicKeyError;

/// The identifiers that are used, of part 2, table 9.
pub(super) mod algorithm {
    pub(in super::super) const RSA: u16 = 0x0001;
    pub(in super::super) const HMAC: u16 = 0x0005;
    pub(in super::super) const AES: u16 = 0x0006;
    pub(in super::super) const KEYED_HASH: u16 = 0x0008;
    pub(in super::super) const SHA256: u16 = 0x000B;
    pub(in super::super) const NULL: u16 = 0x0010;
    pub(in super::super) const CFB: u16 = 0x0043;
}

/// Bytes behind their length. Nothing that is written here comes near to 64 KiB.
pub(super) fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// What is left to be read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PublicKeyError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(PublicKeyError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, PublicKeyError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, PublicKeyError> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    pub(super) fn sized(&mut self) -> Result<&'a [u8], PublicKeyError> {
        let length = self.u16()?;
        self.take(length.into())
    }
}
