//! RSA keys for the lab, which ring signs with and can't make (RFC 8017, PKCS #8 of RFC 5208).

use crypto_bigint::{U1024, U2048};
use crypto_primes::{Flavor, random_prime};
use x509_cert::der::{
    Any, Encode, Result,
    asn1::{ObjectIdentifier, OctetString, Uint},
};

/// Bits of each of the two primes.
const PRIME_BITS: u32 = 1024;

/// The public exponent that everybody uses.
const EXPONENT: u64 = 65537;

/// rsaEncryption.
const ALGORITHM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

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
        Uint::new(&[0]),
        Uint::new(n.to_be_bytes().as_ref()),
        Uint::new(&EXPONENT.to_be_bytes()),
        Uint::new(d.to_be_bytes().as_ref()),
        Uint::new(p.to_be_bytes().as_ref()),
        Uint::new(q.to_be_bytes().as_ref()),
        Uint::new(reduced(p_less_1)?.to_be_bytes().as_ref()),
        Uint::new(reduced(q_less_1)?.to_be_bytes().as_ref()),
        Uint::new(inverse.to_be_bytes().as_ref()),
    ];
    pkcs8(&numbers.into_iter().collect::<Result<_>>().ok()?).ok()
}

/// The numbers of a key, wrapped.
fn pkcs8(numbers: &Vec<Uint>) -> Result<Vec<u8>> {
    let algorithm = vec![Any::encode_from(&ALGORITHM)?, Any::null()];
    let key = OctetString::new(numbers.to_der()?)?;
    vec![Any::encode_from(&0u8)?, Any::encode_from(&algorithm)?, Any::encode_from(&key)?].to_der()
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
