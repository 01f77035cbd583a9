//! A private key in a PEM file.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::SigningKey;

use super::error::IdentityError;
use super::file::{hint, open_to_others, read_limited};

/// Reads a key that is closed to others and not encrypted.
pub(super) fn load(path: &Path) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let read = |source| IdentityError::ReadKey { path: path.into(), source };
    if let Some(mode) = open_to_others(path).map_err(read)? {
        return Err(IdentityError::KeyPermissions { path: path.into(), mode });
    }
    let bytes = read_limited(path).map_err(read)?;
    let unusable = |why: String| IdentityError::UnusableKey { path: path.into(), why };
    match rustls_pemfile::private_key(&mut bytes.as_slice()) {
        Ok(Some(key)) => any_supported_type(&key).map_err(|error| unusable(error.to_string())),
        Ok(None) => Err(IdentityError::NoKey { path: path.into(), hint: hint(&bytes) }),
        Err(error) => Err(unusable(error.to_string())),
    }
}
