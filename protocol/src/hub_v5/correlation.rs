//! The sixteen bytes that tie messages together.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;

/// Correlation data: the nonce of a connection's birth, the ID of a request or of a method's call, or a ready token.
/// Displayed as 32 hexadecimal digits in lower case; read in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Correlation(pub [u8; 16]);

impl Correlation {
    /// From bytes of the wire; `None` unless there are sixteen.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Correlation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseError::new("correlation ID", text, "it is not 32 hexadecimal digits");
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_written_small_and_read_in_either_case() {
        let nonce = Correlation(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\xfc\xfd\xfe\xff");
        assert_eq!(nonce.to_string(), "000102030405060708090a0bfcfdfeff");
        assert_eq!("000102030405060708090A0BFCFDFEFF".parse(), Ok(nonce));
        for wrong in ["", "00", "000102030405060708090a0bfcfdfef", "+00102030405060708090a0bfcfdfeff"] {
            assert!(wrong.parse::<Correlation>().is_err(), "{wrong:?}");
        }
    }
}
