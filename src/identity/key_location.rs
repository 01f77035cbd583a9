//! Where the private key is: a PEM file, or a token that a `pkcs11:` URI names.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::key_uri::{KeyUri, KeyUriError, SCHEME};

/// The value of `identity.key`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum KeyLocation {
    /// A PEM file.
    File(PathBuf),
    /// An object in a token.
    Token(Box<KeyUri>),
}

impl KeyLocation {
    /// The PEM file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Token(_) => None,
        }
    }

    /// Relative paths in it are relative to `directory` from now on.
    pub(crate) fn make_relative_to(&mut self, directory: &Path) {
        match self {
            Self::File(path) => *path = directory.join(&path),
            Self::Token(uri) => uri.make_relative_to(directory),
        }
    }
}

impl TryFrom<String> for KeyLocation {
    type Error = KeyUriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(Self::Token(Box::new(text.parse()?))),
            _ => Ok(Self::File(text.into())),
        }
    }
}

impl From<PathBuf> for KeyLocation {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Token(uri) => uri.fmt(f),
        }
    }
}

impl fmt::Debug for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}
