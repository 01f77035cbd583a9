//! A private key that stays in its token: a TPM, a secure element, an HSM, behind a PKCS#11 library.
//!
//! ```text
//!  rustls ── signer ── session ── module ── lib….so ── token
//!           (hash,     (which token, (loaded once,
//!            scheme)    PIN, which    started while
//!                       key)          in use)
//! ```
//!
//! * The key is proven at once: it signs something new, and the certificate's public key must verify it.
//! * A session that fails is closed, opened anew, and the signature tried once more. If that fails too, the handshake
//!   fails with the sentence why, and the next one begins anew: a token that was pulled out and put back heals so.
//! * A PIN that a token has refused is never shown to it again, not even after a restart: `pin.rs`.
//! * Signing blocks the calling thread: 0.2 ms in software, 5 to 11 ms in a TPM, up to 100 ms in a secure element on
//!   I2C, once for each handshake that is not resumed.

mod key;
mod made;
mod mechanism;
mod module;
mod pin;
mod session;
mod words;

use std::path::Path;
use std::sync::Arc;

use rustls::sign::SigningKey;

use crate::identity::certificate::Certificate;
use crate::identity::key_uri::KeyUri;
use crate::identity::token_error::TokenError;
use key::TokenKey;
use mechanism::CertificateKey;
use pin::RefusedPins;

/// Makes a P-256 key in the token, of the name that `uri` has. It can't be taken out, and is proven at once.
pub(super) fn make(uri: &KeyUri, state_directory: &Path) -> Result<Arc<dyn SigningKey>, TokenError> {
    let refused = RefusedPins::new(state_directory);
    let public = made::make(uri, &refused)?;
    let key = TokenKey::open(uri.clone(), public, refused)?;
    if key.proves_itself()? { Ok(Arc::new(key)) } else { Err(made::other_key(uri)) }
}

/// Destroys the keys of the name that `uri` has, both halves; no error when there are none.
pub(super) fn destroy(uri: &KeyUri, state_directory: &Path) -> Result<(), TokenError> {
    made::destroy(uri, &RefusedPins::new(state_directory))
}

/// The key that `uri` names; `None` when it is not that of the certificate.
pub(super) fn load(
    uri: &KeyUri,
    leaf: &Certificate,
    state_directory: &Path,
) -> Result<Option<Arc<dyn SigningKey>>, TokenError> {
    let unsupported = || TokenError::Unsupported {
        key: uri.to_string(),
        why: "the certificate's key is of another kind than EC P-256, EC P-384 and RSA".into(),
    };
    let public = CertificateKey::parse(&leaf.public_key).ok_or_else(unsupported)?;
    let key = TokenKey::open(uri.clone(), public, RefusedPins::new(state_directory))?;
    Ok(if key.proves_itself()? { Some(Arc::new(key)) } else { None })
}
