//! In place of `token/` where the feature `pkcs11` is off: says so.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::SigningKey;

use super::key_uri::KeyUri;
use super::token_error::TokenError;
use crate::identity::certificate::Certificate;

pub(super) fn load(
    uri: &KeyUri,
    _: &Certificate,
    _: &Path,
) -> Result<Option<Arc<dyn SigningKey>>, TokenError> {
    Err(TokenError::NotBuiltIn { key: uri.to_string() })
}

pub(super) fn make(uri: &KeyUri, _: &Path) -> Result<Arc<dyn SigningKey>, TokenError> {
    Err(TokenError::NotBuiltIn { key: uri.to_string() })
}

pub(super) fn destroy(uri: &KeyUri, _: &Path) -> Result<(), TokenError> {
    Err(TokenError::NotBuiltIn { key: uri.to_string() })
}
