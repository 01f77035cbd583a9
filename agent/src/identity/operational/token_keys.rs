//! Keys that the agent makes in a token, by names of its own.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::SigningKey;

use crate::identity::certificate::Certificate;
use crate::identity::key_uri::KeyUri;
use crate::identity::token;
use crate::identity::token_error::TokenError;

/// A token, as far as keys of our own are concerned.
pub(super) trait TokenKeys: Debug + Send {
    /// Makes a P-256 key of this name that can't be taken out. It is in the token when this returns.
    fn make(&self, object: &str) -> Result<Arc<dyn SigningKey>, TokenError>;

    /// The key of this name; `None` when it is not that of the certificate.
    fn load(&self, object: &str, leaf: &Certificate) -> Result<Option<Arc<dyn SigningKey>>, TokenError>;

    /// Destroys the key of this name; no error when there is none.
    fn destroy(&self, object: &str) -> Result<(), TokenError>;
}

/// The one that the configuration names.
#[derive(Debug)]
pub(super) struct Configured {
    uri: KeyUri,
    state_directory: PathBuf,
}

impl Configured {
    pub(super) fn new(uri: &KeyUri, state_directory: &Path) -> Self {
        Self { uri: uri.clone(), state_directory: state_directory.into() }
    }

    fn uri(&self, object: &str) -> KeyUri {
        KeyUri { object: Some(object.into()), id: None, ..self.uri.clone() }
    }
}

impl TokenKeys for Configured {
    fn make(&self, object: &str) -> Result<Arc<dyn SigningKey>, TokenError> {
        token::make(&self.uri(object), &self.state_directory)
    }

    fn load(&self, object: &str, leaf: &Certificate) -> Result<Option<Arc<dyn SigningKey>>, TokenError> {
        token::load(&self.uri(object), leaf, &self.state_directory)
    }

    fn destroy(&self, object: &str) -> Result<(), TokenError> {
        token::destroy(&self.uri(object), &self.state_directory)
    }
}
