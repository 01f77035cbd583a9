//! A private key as TLS wants it. What can be understood is brought into the one form that is taken; of what can't, the
//! error says what it is and which command mends it, and not one byte more.

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, alg_id};
use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::der::{Decode as _, Encode as _, Error, SliceReader, Tag, Tagged as _};

use crate::der::{contents, object_identifier, optional};
use crate::public_key::{EC_KEY, PublicKey, RSA_KEY, UNCOMPRESSED, bit_length, kind, same_point};

/// Larger exponents and smaller ones are not taken for signing.
const RSA_EXPONENT_BITS: std::ops::RangeInclusive<usize> = 17..=33;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a private key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key's DER, or numbers that do not belong together.
    #[error("it is damaged: it was cut or edited")]
    Damaged,
    /// Of a kind that TLS can't use here.
    #[error("it is a key of the kind {0}, and EC P-256, EC P-384 and RSA can be used; {NEW}")]
    Kind(&'static str),
    /// A curve in full.
    #[error(
        "its curve is written out in parameters in place of its name; mend it: openssl ec -in FILE -param_enc named_curve -out NEWFILE"
    )]
    ExplicitCurve,
    /// The certificate could not help out.
    #[error(
        "its public half is missing or compressed; mend it: openssl ec -in FILE -conv_form uncompressed -out NEWFILE"
    )]
    NoPublicHalf,
    /// Too small or too large.
    #[error("it is an RSA key of {0} bits, and 2048 to 4096 can be used; {NEW}")]
    RsaSize(usize),
    /// 3, as a rule.
    #[error("its public exponent is too small or too large, 65537 is the usual one; {NEW}")]
    RsaExponent,
    /// With more than two primes.
    #[error("it is an RSA key of more than two primes; {NEW}")]
    RsaPrimes,
}

const NEW: &str =
    "make a new key and a certificate for it: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// A private key.
#[derive(Debug)]
pub struct Key {
    /// For TLS.
    pub der: PrivateKeyDer<'static>,
    /// Whether its public half was taken from the certificate. Then it does not fit where the key is another's.
    pub trusts_certificate: bool,
}

enum Curve {
    P256,
    P384,
}

impl Key {
    /// Reads PKCS#8, SEC1 or PKCS#1, whichever it is. `leaf` is the `SubjectPublicKeyInfo` of the certificate, which lends
    /// a public half that the key lacks.
    pub fn read(der: &[u8], leaf: &[u8]) -> Result<Self, KeyError> {
        let leaf = PublicKey::read(leaf).ok();
        match Parts::read(der).map_err(|_| KeyError::Damaged)? {
            Parts::Pkcs8 { algorithm, key } => {
                let (id, parameters) = object_identifier(algorithm).ok_or(KeyError::Damaged)?;
                if id == EC_KEY {
                    return match Parts::read(key) {
                        Ok(Parts::Sec1(inner)) => inner.with_public_half(parameters, leaf),
                        _ => Err(KeyError::Damaged),
                    };
                }
                if id == RSA_KEY {
                    match Parts::read(key) {
                        Ok(Parts::Pkcs1 { version, modulus, exponent }) => {
                            check_rsa(version, modulus, exponent)?;
                        }
                        _ => return Err(KeyError::Damaged),
                    }
                } else if algorithm != alg_id::ED25519.as_ref() {
                    return Err(KeyError::Kind(match kind(algorithm) {
                        "" => "that is not known",
                        known => known,
                    }));
                }
                Ok(Self::of(PrivatePkcs8KeyDer::from(der.to_vec()).into()))
            }
            Parts::Sec1(key) => key.with_public_half(&[], leaf),
            Parts::Pkcs1 { version, modulus, exponent } => {
                check_rsa(version, modulus, exponent)?;
                Ok(Self::of(PrivatePkcs1KeyDer::from(der.to_vec()).into()))
            }
        }
    }

    fn of(der: PrivateKeyDer<'static>) -> Self {
        Self { der, trusts_certificate: false }
    }
}

fn check_rsa(version: u8, modulus: &[u8], exponent: &[u8]) -> Result<(), KeyError> {
    if version != 0 {
        return Err(KeyError::RsaPrimes);
    }
    // A product of two primes may be a bit short.
    if !RSA_BITS.contains(&bit_length(modulus).next_multiple_of(8)) {
        return Err(KeyError::RsaSize(bit_length(modulus)));
    }
    if !RSA_EXPONENT_BITS.contains(&bit_length(exponent)) {
        return Err(KeyError::RsaExponent);
    }
    Ok(())
}

/// The parts of a key, by its form.
enum Parts<'a> {
    Pkcs8 { algorithm: &'a [u8], key: &'a [u8] },
    Sec1(EcKey<'a>),
    Pkcs1 { version: u8, modulus: &'a [u8], exponent: &'a [u8] },
}

/// RFC 5915.
struct EcKey<'a> {
    scalar: &'a [u8],
    parameters: &'a [u8],
    public: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// What follows after the version tells which form it is.
    fn read(der: &'a [u8]) -> Result<Self, Error> {
        let mut outer = SliceReader::new(der)?;
        let mut parts = SliceReader::new(contents(&mut outer, Tag::Sequence)?)?;
        let version = u8::decode(&mut parts)?;
        let second = AnyRef::decode(&mut parts)?;
        match second.tag() {
            Tag::Sequence => {
                let key = contents(&mut parts, Tag::OctetString)?;
                Ok(Self::Pkcs8 { algorithm: second.value(), key })
            }
            Tag::OctetString => {
                let parameters = optional(&mut parts, 0)?.map_or(&[][..], |parameters| parameters.value());
                let public = match optional(&mut parts, 1)? {
                    Some(public) => Some(BitStringRef::from_der(public.value())?.raw_bytes()),
                    None => None,
                };
                Ok(Self::Sec1(EcKey { scalar: second.value(), parameters, public }))
            }
            Tag::Integer => {
                let exponent = contents(&mut parts, Tag::Integer)?;
                Ok(Self::Pkcs1 { version, modulus: second.value(), exponent })
            }
            tag => Err(tag.value_error().into()),
        }
    }
}

impl EcKey<'_> {
    /// PKCS#8 with both halves. The curve is named outside, or in the key itself, or else by the certificate.
    fn with_public_half(&self, outside: &[u8], leaf: Option<PublicKey<'_>>) -> Result<Key, KeyError> {
        let parameters = if outside.is_empty() { self.parameters } else { outside };
        let algorithm = match parameters.first() {
            Some(0x30) => return Err(KeyError::ExplicitCurve),
            Some(_) => [&EC_KEY.to_der().map_err(|_| KeyError::Damaged)?, parameters].concat(),
            None => match leaf.filter(|leaf| leaf.kind().starts_with("P-")) {
                Some(leaf) => leaf.algorithm.to_vec(),
                None => return Err(KeyError::Kind("that does not name its curve")),
            },
        };
        let curve = match kind(&algorithm) {
            "P-256" => Curve::P256,
            "P-384" => Curve::P384,
            "" => return Err(KeyError::Damaged),
            kind => return Err(KeyError::Kind(kind)),
        };
        let own = self.public.filter(|point| point.first() == Some(&UNCOMPRESSED));
        let lent = leaf.filter(|leaf| leaf.algorithm == algorithm).map(|leaf| leaf.bits);
        let lent = lent.filter(|point| {
            point.first() == Some(&UNCOMPRESSED) && self.public.is_none_or(|own| same_point(own, point))
        });
        let public = own.or(lent).ok_or(KeyError::NoPublicHalf)?;
        let der = curve.pkcs8(&algorithm, self.scalar, public).ok_or(KeyError::Damaged)?;
        Ok(Key { der: PrivatePkcs8KeyDer::from(der).into(), trusts_certificate: own.is_none() })
    }
}

impl Curve {
    /// The one form that is read.
    fn pkcs8(&self, algorithm: &[u8], scalar: &[u8], public: &[u8]) -> Option<Vec<u8>> {
        let size = match self {
            Self::P256 => 32,
            Self::P384 => 48,
        };
        // Some leave leading zeros out, some have one too many.
        let digits = &scalar[scalar.iter().take_while(|byte| **byte == 0).count()..];
        let padding = vec![0; size.max(digits.len()) - digits.len()];
        if digits.len() > size || public.len() != 1 + 2 * size {
            return None;
        }
        let scalar = tlv(0x04, &[&padding, digits]);
        let public = tlv(0xa1, &[&tlv(0x03, &[&[0], public])]);
        let key = tlv(0x30, &[&[2, 1, 1], &scalar, &public]);
        Some(tlv(0x30, &[&[2, 1, 0], &tlv(0x30, &[algorithm]), &tlv(0x04, &[&key])]))
    }
}

/// An element of less than 64 KiB.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let [high, low] = (length as u16).to_be_bytes();
    let header: &[u8] = match length {
        0..=127 => &[tag, low],
        128..=255 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [&[header], parts].concat().concat()
}
