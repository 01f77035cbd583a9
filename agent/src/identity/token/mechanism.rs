//! TLS signature schemes in the words of PKCS#11. Messages are hashed here, because tokens are slow and some can't.

use cryptoki::error::Error;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{KeyType, ObjectHandle};
use cryptoki::session::Session;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::pki_types::{AlgorithmIdentifier, alg_id};
use rustls::{SignatureAlgorithm, SignatureScheme};
use x509_cert::der::{Decode, Encode};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::identity::provider::SIGNATURES;

/// ASN.1 of a SHA-256 digest, up to the digest itself (RFC 8017, section 9.2).
const SHA256_PREFIX: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384_PREFIX: &[u8] = b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512_PREFIX: &[u8] = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

/// The certificate's public key.
#[derive(Debug)]
pub(super) struct CertificateKey {
    pub(super) kind: KeyKind,
    /// DER, with algorithm and all.
    pub(super) info: Vec<u8>,
    /// Without the algorithm.
    bits: Vec<u8>,
}

/// Kinds of keys that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    P384,
    Rsa,
}

impl CertificateKey {
    /// `None` when it is of a kind that can't be used.
    pub(super) fn parse(info: &[u8]) -> Option<Self> {
        let parsed = SubjectPublicKeyInfoRef::from_der(info).ok()?;
        let algorithm = parsed.algorithm.to_der().ok()?;
        // Without the header of the outer sequence, which is shorter than 128 bytes.
        let algorithm = algorithm.get(2..)?;
        let kinds = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa];
        let kind = kinds.into_iter().find(|kind| kind.algorithm().as_ref() == algorithm)?;
        let bits = parsed.subject_public_key.as_bytes()?.to_vec();
        Some(Self { kind, info: info.into(), bits })
    }

    /// Whether this is a signature of the key that belongs to this one.
    pub(super) fn verifies(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        let known = SIGNATURES;
        known.mapping.iter().filter(|(of, _)| *of == scheme).flat_map(|(_, algorithms)| *algorithms).any(
            |algorithm| {
                algorithm.public_key_alg_id() == self.kind.algorithm()
                    && algorithm.verify_signature(&self.bits, message, signature).is_ok()
            },
        )
    }
}

impl KeyKind {
    fn algorithm(self) -> AlgorithmIdentifier {
        match self {
            Self::P256 => alg_id::ECDSA_P256,
            Self::P384 => alg_id::ECDSA_P384,
            Self::Rsa => alg_id::RSA_ENCRYPTION,
        }
    }

    /// How TLS calls it.
    pub(super) fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::P256 | Self::P384 => SignatureAlgorithm::ECDSA,
            Self::Rsa => SignatureAlgorithm::RSA,
        }
    }

    /// How PKCS#11 calls it.
    pub(super) fn key_type(self) -> KeyType {
        match self {
            Self::P256 | Self::P384 => KeyType::EC,
            Self::Rsa => KeyType::RSA,
        }
    }

    /// The schemes that it can sign by, the best first, each with the mechanism that the token must offer.
    pub(super) fn schemes(self) -> &'static [(SignatureScheme, MechanismType)] {
        use SignatureScheme as S;
        const ECDSA: MechanismType = MechanismType::ECDSA;
        const PSS: MechanismType = MechanismType::RSA_PKCS_PSS;
        const PKCS1: MechanismType = MechanismType::RSA_PKCS;
        match self {
            Self::P256 => &[(S::ECDSA_NISTP256_SHA256, ECDSA)],
            Self::P384 => &[(S::ECDSA_NISTP384_SHA384, ECDSA)],
            Self::Rsa => &[
                (S::RSA_PSS_SHA256, PSS),
                (S::RSA_PSS_SHA384, PSS),
                (S::RSA_PSS_SHA512, PSS),
                (S::RSA_PKCS1_SHA256, PKCS1),
                (S::RSA_PKCS1_SHA384, PKCS1),
                (S::RSA_PKCS1_SHA512, PKCS1),
            ],
        }
    }
}

/// Signs as TLS wants it.
pub(super) fn sign(
    session: &Session,
    key: ObjectHandle,
    scheme: SignatureScheme,
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    use SignatureScheme as S;
    let hashed = |algorithm: &'static Algorithm| digest(algorithm, message).as_ref().to_vec();
    let prefixed = |prefix: &[u8], algorithm| [prefix, &hashed(algorithm)].concat();
    let (data, mechanism) = match scheme {
        S::ECDSA_NISTP256_SHA256 => (hashed(&SHA256), Mechanism::Ecdsa),
        S::ECDSA_NISTP384_SHA384 => (hashed(&SHA384), Mechanism::Ecdsa),
        S::RSA_PSS_SHA256 => (hashed(&SHA256), pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32)),
        S::RSA_PSS_SHA384 => (hashed(&SHA384), pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48)),
        S::RSA_PSS_SHA512 => (hashed(&SHA512), pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64)),
        S::RSA_PKCS1_SHA256 => (prefixed(SHA256_PREFIX, &SHA256), Mechanism::RsaPkcs),
        S::RSA_PKCS1_SHA384 => (prefixed(SHA384_PREFIX, &SHA384), Mechanism::RsaPkcs),
        S::RSA_PKCS1_SHA512 => (prefixed(SHA512_PREFIX, &SHA512), Mechanism::RsaPkcs),
        _ => return Err(Error::NotSupported),
    };
    let signature = session.sign(&mechanism, key, &data)?;
    Ok(if matches!(mechanism, Mechanism::Ecdsa) { ecdsa_der(&signature) } else { signature })
}

/// TLS wants a salt as long as the digest.
fn pss(hash_alg: MechanismType, mgf: PkcsMgfType, salt: u8) -> Mechanism<'static> {
    Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: std::ffi::c_ulong::from(salt).into() })
}

/// A token gives r and s in halves of one length, TLS wants a SEQUENCE of two INTEGERs. Good for curves up to 384 bits,
/// of which all lengths are a single byte.
fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let integers = [integer(r), integer(s)].concat();
    [&[0x30, integers.len() as u8], integers.as_slice()].concat()
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let digits = &magnitude[zeros.min(magnitude.len().saturating_sub(1))..];
    // A leading one would mean a negative number.
    let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    [&[0x02, (sign.len() + digits.len()) as u8], sign, digits].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_become_der() {
        assert_eq!(ecdsa_der(&[0, 1, 0x80, 2]), [0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 2]);
        assert_eq!(ecdsa_der(&[0, 0, 0, 0]), [0x30, 6, 2, 1, 0, 2, 1, 0]);
        let whole = ecdsa_der(&[0xff; 96]);
        assert_eq!((whole.len(), whole[1]), (104, 102));
        assert_eq!(ecdsa_der(&[]), [0x30, 4, 2, 0, 2, 0], "nonsense in, nonsense out, and no panic");
    }

    #[test]
    fn other_kinds_of_keys_are_told() {
        assert!(CertificateKey::parse(b"no DER").is_none());
    }
}
