//! Whether a certificate is signed by a key, and if that can't be told, why not.

use ring::signature as ring;
use rustls_pki_types::{AlgorithmIdentifier, alg_id};

use crate::der::object_identifier;
use crate::fields::Fields;
use crate::public_key::PublicKey;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// This program can't check it; others may.
    #[error("its signature can't be checked here: {0}")]
    Unsupported(String),
    /// Another key made it, or the certificate was changed.
    #[error("its signature is not made with the key of that certificate")]
    Wrong,
}

type Row = (AlgorithmIdentifier, AlgorithmIdentifier, &'static dyn ring::VerificationAlgorithm);

/// By the algorithm of the signature and that of the key. SHA-1 is not among them, as it is not in TLS.
static ALGORITHMS: [Row; 11] = [
    (alg_id::ECDSA_SHA256, alg_id::ECDSA_P256, &ring::ECDSA_P256_SHA256_ASN1),
    (alg_id::ECDSA_SHA384, alg_id::ECDSA_P256, &ring::ECDSA_P256_SHA384_ASN1),
    (alg_id::ECDSA_SHA256, alg_id::ECDSA_P384, &ring::ECDSA_P384_SHA256_ASN1),
    (alg_id::ECDSA_SHA384, alg_id::ECDSA_P384, &ring::ECDSA_P384_SHA384_ASN1),
    (alg_id::ED25519, alg_id::ED25519, &ring::ED25519),
    (alg_id::RSA_PKCS1_SHA256, alg_id::RSA_ENCRYPTION, &ring::RSA_PKCS1_2048_8192_SHA256),
    (alg_id::RSA_PKCS1_SHA384, alg_id::RSA_ENCRYPTION, &ring::RSA_PKCS1_2048_8192_SHA384),
    (alg_id::RSA_PKCS1_SHA512, alg_id::RSA_ENCRYPTION, &ring::RSA_PKCS1_2048_8192_SHA512),
    (alg_id::RSA_PSS_SHA256, alg_id::RSA_ENCRYPTION, &ring::RSA_PSS_2048_8192_SHA256),
    (alg_id::RSA_PSS_SHA384, alg_id::RSA_ENCRYPTION, &ring::RSA_PSS_2048_8192_SHA384),
    (alg_id::RSA_PSS_SHA512, alg_id::RSA_ENCRYPTION, &ring::RSA_PSS_2048_8192_SHA512),
];

/// Whether `child` carries a signature made with the key of `issuer`.
pub fn verify(child: &Fields<'_>, issuer: &Fields<'_>) -> Result<(), SignatureError> {
    verify_signed(child.signature_algorithm, child.signed, child.signature, &issuer.public_key)
}

/// Whether `signature`, by the algorithm whose identifier has these contents, was made over `signed` with `key`.
pub(crate) fn verify_signed(
    signature_algorithm: &[u8],
    signed: &[u8],
    signature: &[u8],
    key: &PublicKey<'_>,
) -> Result<(), SignatureError> {
    let unsupported = |what: String| Err(SignatureError::Unsupported(what));
    let fits = |(of, ..): &&Row| of.as_ref() == signature_algorithm;
    let mut candidates = ALGORITHMS.iter().filter(fits).peekable();
    if candidates.peek().is_none() {
        return unsupported(format!("it is {}", called(signature_algorithm)));
    }
    let Some((.., algorithm)) = candidates.find(|(_, of, _)| of.as_ref() == key.algorithm) else {
        // A signature of another family than the key's own is certainly not made with it.
        return match key.kind() {
            kind @ ("P-521" | "secp256k1" | "another curve" | "RSA-PSS" | "Ed448" | "DSA") => {
                unsupported(format!("the key that made it is {kind}"))
            }
            _ => Err(SignatureError::Wrong),
        };
    };
    let bits = key.rsa_bits();
    if bits.is_some_and(|bits| bits.next_multiple_of(8) < 2048) {
        return unsupported(format!("the key that made it is RSA of {} bits", bits.unwrap_or_default()));
    }
    ring::UnparsedPublicKey::new(*algorithm, key.bits)
        .verify(signed, signature)
        .map_err(|_| SignatureError::Wrong)
}

/// What an algorithm of signatures is called.
fn called(algorithm: &[u8]) -> String {
    let id = object_identifier(algorithm).map(|(id, _)| id.to_string()).unwrap_or_default();
    let name = match id.as_str() {
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => {
            "RSA-PSS with a salt that is not as long as its hash, or with another hash"
        }
        "1.3.101.113" => "Ed448",
        _ => return format!("made by the algorithm {id}"),
    };
    name.to_owned()
}
