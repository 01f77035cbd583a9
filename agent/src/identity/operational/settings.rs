//! What `[identity.operational]` says.

use std::path::Path;

use crate::identity::key_uri::KeyUri;

/// Azure issues the certificate that the hub is shown; the one in `identity.certificate` is for DPS then.
#[derive(Debug, Clone, PartialEq)]
pub struct Operational {
    /// Where its keys are made.
    pub key: KeyPlace,
    /// The part of a certificate's life after which a new one is asked for, 0.1 to 0.95.
    pub renew_at: f64,
}

/// Where the agent makes keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the state directory.
    File,
    /// In a token, which they never leave. The URI names no key: each has a name of its own.
    Token(Box<KeyUri>),
}

impl Operational {
    /// Relative paths in it are relative to `directory` from now on.
    pub(crate) fn make_relative_to(&mut self, directory: &Path) {
        if let KeyPlace::Token(uri) = &mut self.key {
            uri.make_relative_to(directory);
        }
    }
}
