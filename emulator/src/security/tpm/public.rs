//! The public part of a key that a TPM unwraps others with: endorsement key or storage root key (`TPM2B_PUBLIC`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_bigint::{Odd, U2048};
use ring::digest::{SHA256, digest};

use super::{
    error::{LONGEST_TEXT, PublicKeyError},
    wire::{Reader, algorithm},
};

const BITS: u16 = 2048;

/// What is not set stands for it.
const USUAL_EXPONENT: u32 = 65537;

/// Of a key's attributes: it decrypts, and only what is of the form of the TPM's own.
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// An RSA key of a TPM, as far as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Its digest with the algorithm of that, by which a TPM knows objects.
    pub(super) name: Vec<u8>,
    pub(super) modulus: Odd<U2048>,
    pub(super) exponent: u32,
}

impl PublicKey {
    /// Reads base64 of a `TPM2B_PUBLIC`.
    pub(crate) fn of_text(text: &str) -> Result<Self, PublicKeyError> {
        if text.len() > LONGEST_TEXT {
            return Err(PublicKeyError::TooLong);
        }
        let bytes = STANDARD.decode(text.trim()).map_err(|_| PublicKeyError::Encoding)?;
        Self::read(&bytes)
    }

    /// Reads a `TPM2B_PUBLIC`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let mut outer = Reader(bytes);
        let area = outer.sized()?;
        if !outer.0.is_empty() {
            return Err(PublicKeyError::Trailing);
        }
        let mut rest = Reader(area);
        if (rest.u16()?, rest.u16()?) != (algorithm::RSA, algorithm::SHA256) {
            return Err(PublicKeyError::Kind);
        }
        if rest.u32()? & (RESTRICTED | DECRYPT | SIGN) != RESTRICTED | DECRYPT {
            return Err(PublicKeyError::Purpose);
        }
        // The policy by which it may be used.
        rest.sized()?;
        let cipher = (rest.u16()?, rest.u16()?, rest.u16()?);
        if cipher != (algorithm::AES, 128, algorithm::CFB) || rest.u16()? != algorithm::NULL {
            return Err(PublicKeyError::Purpose);
        }
        if rest.u16()? != BITS {
            return Err(PublicKeyError::Kind);
        }
        let exponent = match rest.u32()? {
            0 => USUAL_EXPONENT,
            other => other,
        };
        let modulus = rest.sized()?;
        if !rest.0.is_empty() {
            return Err(PublicKeyError::Trailing);
        }
        if modulus.len() != usize::from(BITS / 8) || modulus[0] & 0x80 == 0 || exponent != USUAL_EXPONENT {
            return Err(PublicKeyError::Modulus);
        }
        let modulus = U2048::from_be_slice(modulus).to_odd().into_option().ok_or(PublicKeyError::Modulus)?;
        Ok(Self { name: name(area), modulus, exponent })
    }
}

/// The name of an object by its public area.
pub(super) fn name(area: &[u8]) -> Vec<u8> {
    [&algorithm::SHA256.to_be_bytes(), digest(&SHA256, area).as_ref()].concat()
}
