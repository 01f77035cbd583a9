//! The key as rustls knows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use tracing::debug;

use super::mechanism::CertificateKey;
use super::pin::RefusedPins;
use super::session::{Session, failed};
use crate::identity::key_uri::KeyUri;
use crate::identity::token_error::TokenError;

/// What is signed to prove the key begins so; nothing in TLS does.
const PROOF: &[u8] = b"container-tracker proves that this key belongs to its certificate: ";

/// A key in a token.
#[derive(Debug, Clone)]
pub(super) struct TokenKey(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uri: KeyUri,
    certificate: CertificateKey,
    refused: RefusedPins,
    /// Those that the token can do, the best first.
    schemes: Vec<SignatureScheme>,
    /// One signature at a time. `None` after a failure.
    session: Mutex<Option<Session>>,
}

impl TokenKey {
    /// The key that `uri` names, for use with this certificate.
    pub(super) fn open(
        uri: KeyUri,
        certificate: CertificateKey,
        refused: RefusedPins,
    ) -> Result<Self, TokenError> {
        let session = Session::open(&uri, &refused)?;
        let possible = certificate.kind.schemes();
        let offered = possible.iter().filter(|(_, mechanism)| session.mechanisms.contains(mechanism));
        let schemes: Vec<SignatureScheme> = offered.map(|(scheme, _)| *scheme).collect();
        if schemes.is_empty() {
            let wanted = possible.first().map_or(String::new(), |(_, mechanism)| mechanism.to_string());
            let why = format!("the token offers no {wanted}, which {:?} needs", certificate.kind);
            return Err(TokenError::Unsupported { key: uri.to_string(), why });
        }
        let session = Mutex::new(Some(session));
        Ok(Self(Arc::new(Inner { uri, certificate, refused, schemes, session })))
    }

    /// Signs something new, and looks whether the certificate verifies it.
    pub(super) fn proves_itself(&self) -> Result<bool, TokenError> {
        let inner = &self.0;
        let key_type = inner.session().as_ref().and_then(|session| session.key_type);
        if key_type.is_some_and(|key_type| key_type != inner.certificate.kind.key_type()) {
            return Ok(false);
        }
        let Some(scheme) = inner.schemes.first() else { return Ok(false) };
        let message = [PROOF, &rand::random::<[u8; 32]>()].concat();
        let signature = inner.sign(*scheme, &message)?;
        Ok(inner.certificate.verifies(*scheme, &message, &signature))
    }
}

impl Inner {
    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let begun = Instant::now();
        let signature = self.sign_over_any_session(scheme, message)?;
        debug!("the token has signed in {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
        Ok(signature)
    }

    /// Signs, over a new session if the present one can't any more.
    fn sign_over_any_session(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let mut current = self.session();
        if let Some(session) = current.take()
            && let Ok(signature) = session.sign(scheme, message)
        {
            *current = Some(session);
            return Ok(signature);
        }
        let session = Session::open(&self.uri, &self.refused)?;
        let signature = session.sign(scheme, message).map_err(|error| failed(&self.uri, &error))?;
        *current = Some(session);
        Ok(signature)
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.0.schemes.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(TokenSigner { key: self.clone(), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.0.certificate.info.as_slice().into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.certificate.kind.signature_algorithm()
    }
}

/// Makes one signature.
#[derive(Debug)]
struct TokenSigner {
    key: TokenKey,
    scheme: SignatureScheme,
}

impl Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signed = self.key.0.sign(self.scheme, message);
        signed.map_err(|error| rustls::Error::Other(OtherError(Arc::new(error))))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
