//! Public keys as certificates carry them, and whether two are the same one.

use rustls_pki_types::alg_id;
use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Error, Reader as _, SliceReader, Tag};

use crate::der::{contents, object_identifier};

pub(crate) const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A point begins so that is written with both of its coordinates.
pub(crate) const UNCOMPRESSED: u8 = 4;

/// A public key, where it lies in a `SubjectPublicKeyInfo`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicKey<'a> {
    /// Contents of the algorithm identifier: object identifier and parameters.
    pub(crate) algorithm: &'a [u8],
    /// The key itself.
    pub(crate) bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(crate) fn read(info: &'a [u8]) -> Result<Self, Error> {
        SliceReader::new(info)?.sequence(|info| {
            let algorithm = contents(info, Tag::Sequence)?;
            Ok(Self { algorithm, bits: BitStringRef::decode(info)?.raw_bytes() })
        })
    }

    /// What the kind of key is called, with its curve; empty if it is not known.
    pub(crate) fn kind(&self) -> &'static str {
        kind(self.algorithm)
    }

    /// How many bits the modulus of an RSA key has.
    pub(crate) fn rsa_bits(&self) -> Option<usize> {
        if self.kind() != "RSA" {
            return None;
        }
        let modulus = SliceReader::new(self.bits).ok()?.sequence(|numbers| {
            let modulus = contents(numbers, Tag::Integer)?;
            contents(numbers, Tag::Integer)?;
            Ok::<_, Error>(modulus)
        });
        modulus.ok().map(bit_length)
    }

    fn is(&self, other: &Self) -> bool {
        // The parameters of RSA are NULL or absent, and mean nothing.
        let algorithm = |key: &Self| if key.kind() == "RSA" { b"RSA" } else { key.algorithm };
        algorithm(self) == algorithm(other)
            && (self.bits == other.bits || self.kind().starts_with("P-") && same_point(self.bits, other.bits))
    }
}

/// Whether two public keys, given as `SubjectPublicKeyInfo`, are the same, one perhaps with a compressed point.
pub fn same_key(one: &[u8], two: &[u8]) -> bool {
    one == two || matches!((PublicKey::read(one), PublicKey::read(two)), (Ok(one), Ok(two)) if one.is(&two))
}

/// Whether two encodings are of one point: `04 x y`, or `02 x` and `03 x` for an even and an odd y.
pub(crate) fn same_point(one: &[u8], two: &[u8]) -> bool {
    one == two || compressed(one).zip(compressed(two)).is_some_and(|(one, two)| one == two)
}

fn compressed(point: &[u8]) -> Option<(u8, &[u8])> {
    match point {
        [UNCOMPRESSED, coordinates @ ..] => {
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Some((2 + (y.last()? & 1), x))
        }
        [sign, x @ ..] => Some((*sign, x)),
        [] => None,
    }
}

/// What a kind of key is called, by the contents of its algorithm identifier.
pub(crate) fn kind(algorithm: &[u8]) -> &'static str {
    let known = [
        (alg_id::ECDSA_P256, "P-256"),
        (alg_id::ECDSA_P384, "P-384"),
        (alg_id::ECDSA_P521, "P-521"),
        (alg_id::ECDSA_P256K1, "secp256k1"),
        (alg_id::ED25519, "Ed25519"),
    ];
    if let Some((_, kind)) = known.iter().find(|(id, _)| id.as_ref() == algorithm) {
        return kind;
    }
    let Some((id, _)) = object_identifier(algorithm) else { return "" };
    match id.to_string().as_str() {
        "1.2.840.113549.1.1.1" => "RSA",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.10040.4.1" => "DSA",
        "1.3.101.110" => "X25519",
        "1.3.101.113" => "Ed448",
        "1.2.840.10045.2.1" => "another curve",
        _ => "",
    }
}

/// How many bits a number has that is written as an unsigned integer.
pub(crate) fn bit_length(integer: &[u8]) -> usize {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    let digits = &integer[zeros..];
    digits.first().map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
