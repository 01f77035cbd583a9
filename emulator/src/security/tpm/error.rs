//! Why what was sent is no key of a TPM.

use thiserror::Error;

/// A longer text is none: the key of 2048 bits takes some 320 bytes.
pub(super) const LONGEST_TEXT: usize = 2048;

/// Why a text is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum PublicKeyError {
    #[error("it has more than {LONGEST_TEXT} characters")]
    TooLong,
    #[error("it is not base64")]
    Encoding,
    #[error("it is no TPM2B_PUBLIC: it ends too early")]
    Truncated,
    #[error("it is no TPM2B_PUBLIC: more bytes follow it than its size says")]
    Trailing,
    #[error(
        "it is not an RSA key of 2048 bits named by SHA-256; other kinds are not implemented by this emulator"
    )]
    Kind,
    #[error(
        "it is not a restricted decryption key with AES-128 in CFB mode, as endorsement and storage root keys are"
    )]
    Purpose,
    #[error("its modulus or its exponent is not one of an RSA key")]
    Modulus,
}
