//! A new private key for a file: EC P-256.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;
use tracker_certificates::Document;

use super::csr::pem;
use super::error::OperationalError;

/// Makes one: its PEM, and what signs with it.
pub(super) fn make() -> Result<(String, Arc<dyn SigningKey>), OperationalError> {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    let der = der.map_err(|_| OperationalError::NoKey)?;
    let signer = signer(der.as_ref()).ok_or(OperationalError::Request)?;
    Ok((pem("PRIVATE KEY", der.as_ref()), signer))
}

/// The public half (`SubjectPublicKeyInfo`) of a key that [`make`] has made; `None` when this is none.
pub(super) fn public_half(pem: &[u8]) -> Option<Vec<u8>> {
    let keys = Document::read(pem).ok()?.keys().ok()?;
    Some(signer(keys.first()?)?.public_key()?.to_vec())
}

fn signer(der: &[u8]) -> Option<Arc<dyn SigningKey>> {
    any_ecdsa_type(&PrivatePkcs8KeyDer::from(der).into()).ok()
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
