//! RSA keys for the lab, which ring signs with and can't make (RFC 8017, PKCS #8 of RFC 5208).

use crypto_bigint::{U1024, U2048};
use crypto_primes::{Flavor, random_prime};

/// Bits of each of the two primes.
const PRIME_BITS: u32 = 1024;

/// The public exponent that everybody uses.
const EXPONENT: u64 = 65537;

/// `1.2.840.113549.1.1.1`, rsaEncryption, with its NULL.
const ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// A new private key of 2048 bits, as PKCS #8 in DER. Takes some tenths of a second.
pub(super) fn generate() -> Vec<u8> {
    loop {
        let primes: [U1024; 2] =
            std::array::from_fn(|_| random_prime(&mut rand::rng(), Flavor::Any, PRIME_BITS));
        if let Some(key) = assemble(primes[0].max(primes[1]), primes[0].min(primes[1])) {
            return key;
        }
    }
}

/// The key of two primes, of which `p` is the larger; `None` for a pair that makes none of the right size.
fn assemble(p: U1024, q: U1024) -> Option<Vec<u8>> {
    let n: U2048 = p.concatenating_mul(&q);
    if n.bit_width() != 2 * PRIME_BITS {
        return None;
    }
    let [p_less_1, q_less_1] = [p, q].map(|prime| prime.wrapping_sub(&U1024::ONE));
    let totient: U2048 = p_less_1.concatenating_mul(&q_less_1);
    let exponent = U2048::from(EXPONENT);
    let d = exponent.invert_mod(&totient.to_nz().into_option()?).into_option()?;
    let reduced = |modulus: U1024| Some(d.rem_vartime(&modulus.to_nz().into_option()?));
    let inverse = q.invert_mod(&p.to_nz().into_option()?).into_option()?;
    let numbers = [
        integer(&[0]),
        integer(n.to_be_bytes().as_ref()),
        integer(&EXPONENT.to_be_bytes()),
        integer(d.to_be_bytes().as_ref()),
        integer(p.to_be_bytes().as_ref()),
        integer(q.to_be_bytes().as_ref()),
        integer(reduced(p_less_1)?.to_be_bytes().as_ref()),
        integer(reduced(q_less_1)?.to_be_bytes().as_ref()),
        integer(inverse.to_be_bytes().as_ref()),
    ];
    let key = element(SEQUENCE, &numbers.concat());
    let parts = [integer(&[0]), ALGORITHM.to_vec(), element(OCTET_STRING, &key)];
    Some(element(SEQUENCE, &parts.concat()))
}

/// A number, big end first, in as few bytes as it needs and never negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let bytes = &bytes[start..];
    let sign: &[u8] = if bytes.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(INTEGER, &[sign, bytes].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut encoded = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    encoded.extend_from_slice(content);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ring looks at all of it: sizes, and that the numbers belong together.
    #[test]
    fn a_key_is_one_that_ring_signs_with() {
        let key = ring::rsa::KeyPair::from_pkcs8(&generate()).expect("a key");
        assert_eq!(key.public().modulus_len(), 256);
    }
}
