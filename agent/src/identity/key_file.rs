//! A private key in a PEM file.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::SigningKey;
use tracker_certificates::{Document, Key, KeyError, same_key};

use super::certificate::Certificate;
use super::error::IdentityError;
use super::file::{open_to_others, read_limited};

/// Reads a key that is closed to others and not encrypted; of several, the one of the certificate. `None` when there is
/// none of it.
pub(super) fn load(path: &Path, leaf: &Certificate) -> Result<Option<Arc<dyn SigningKey>>, IdentityError> {
    let read = |source| IdentityError::ReadKey { path: path.into(), source };
    if let Some(mode) = open_to_others(path).map_err(read)? {
        return Err(IdentityError::KeyPermissions { path: path.into(), mode });
    }
    of_pem(path, &read_limited(path).map_err(read)?, leaf)
}

/// As [`load`], of what is in a file already read.
pub(super) fn of_pem(
    path: &Path,
    bytes: &[u8],
    leaf: &Certificate,
) -> Result<Option<Arc<dyn SigningKey>>, IdentityError> {
    let pem = |source| IdentityError::Pem { path: path.into(), source };
    let document = Document::read(bytes).map_err(pem)?;
    let keys = document.keys().map_err(pem)?;
    if keys.is_empty() {
        return Err(IdentityError::NoKey { path: path.into(), hint: document.instead() });
    }
    let mut unusable = None;
    for der in keys {
        match signer(&der, leaf) {
            Ok(None) => {}
            Ok(signer) => return Ok(signer),
            Err(why) => unusable = unusable.or(Some(IdentityError::UnusableKey { path: path.into(), why })),
        }
    }
    unusable.map_or(Ok(None), Err)
}

/// `None` when it is not the key of this certificate.
fn signer(der: &[u8], leaf: &Certificate) -> Result<Option<Arc<dyn SigningKey>>, KeyError> {
    let key = Key::read(der, &leaf.public_key)?;
    // The library's words are not handed on, whatever they are.
    let signer = match any_supported_type(&key.der) {
        Ok(signer) => signer,
        Err(_) if key.trusts_certificate => return Ok(None),
        Err(_) => return Err(KeyError::Damaged),
    };
    let belongs = signer.public_key().is_none_or(|public| same_key(&public, &leaf.public_key));
    Ok(belongs.then_some(signer))
}
