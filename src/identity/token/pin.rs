//! The PIN, and the memory of those that were refused.
//!
//! A token locks itself after a few wrong PINs, most of them for ever, and nobody is there to mend it. So a PIN that a
//! token has refused is never shown to that token again: a digest of it is kept in the state directory, over restarts
//! and for every command. Another PIN in its place may be tried, once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::types::AuthPin;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::identity::file::{open_to_others, read_limited};
use crate::identity::key_uri::{KeyUri, PinSource};
use crate::identity::token_error::TokenError;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;

/// Refused, and the record could not be written: known to this process alone.
static UNWRITTEN: Mutex<Vec<Refused>> = Mutex::new(Vec::new());

/// The PIN of this key, read anew each time: it may have been corrected.
pub(super) fn read(uri: &KeyUri) -> Result<Option<AuthPin>, TokenError> {
    let path = match &uri.pin {
        None => return Ok(None),
        Some(PinSource::Value(pin)) => return Ok(Some(AuthPin::new(pin.as_str().into()))),
        Some(PinSource::File(path)) => path,
    };
    let unreadable = |source| TokenError::ReadPin { key: uri.to_string(), path: path.clone(), source };
    if let Some(mode) = open_to_others(path).map_err(unreadable)? {
        return Err(TokenError::PinPermissions { path: path.clone(), mode });
    }
    let bytes = read_limited(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is no text")))?;
    match text.lines().next() {
        Some(pin) if !pin.is_empty() => Ok(Some(AuthPin::new(pin.into()))),
        _ => Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "its first line is empty"))),
    }
}

/// Where the PIN comes from, for people.
pub(super) fn place(uri: &KeyUri) -> String {
    match &uri.pin {
        Some(PinSource::File(path)) => path.display().to_string(),
        _ => "identity.key (pin-value)".into(),
    }
}

/// A PIN that a token refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    /// Label and serial number of the token.
    token: String,
    salt: u64,
    digest: String,
}

impl Refused {
    fn new(token: &str, pin: &str) -> Self {
        let salt = rand::random();
        Self { token: token.into(), salt, digest: digest(salt, token, pin) }
    }

    fn is(&self, token: &str, pin: &str) -> bool {
        self.token == token && self.digest == digest(self.salt, token, pin)
    }
}

fn digest(salt: u64, token: &str, pin: &str) -> String {
    let mut context = Context::new(&SHA256);
    for part in [&salt.to_le_bytes(), token.as_bytes(), &[0], pin.as_bytes()] {
        context.update(part);
    }
    context.finish().as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The memory of refused PINs.
#[derive(Debug, Clone)]
pub(super) struct RefusedPins(PathBuf);

impl RefusedPins {
    pub(super) fn new(state_directory: &Path) -> Self {
        Self(StateDirectory::new(state_directory).refused_pin())
    }

    /// The file that remembers.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether this token has refused this PIN.
    pub(super) fn knows(&self, token: &str, pin: &str) -> io::Result<bool> {
        let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if unwritten.iter().any(|refused| refused.is(token, pin)) {
            return Ok(true);
        }
        match state_file::read::<Refused>(&self.0) {
            Ok(refused) => Ok(refused.is_some_and(|refused| refused.is(token, pin))),
            // It is damaged, and its next writer replaces it.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// This token has refused this PIN.
    pub(super) fn remember(&self, token: &str, pin: &str) {
        let refused = Refused::new(token, pin);
        let directory = self.0.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(directory).and_then(|()| state_file::replace(&self.0, &refused));
        if written.is_err() {
            UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).push(refused);
        }
    }

    /// The token has taken a PIN: what it refused before it may be shown again.
    pub(super) fn forget(&self) {
        // Nothing worse comes of a record that stays than a file to delete.
        let _ = state_file::remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_is_remembered_over_restarts_and_another_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let pins = || RefusedPins::new(&directory.path().join("state"));
        assert!(!pins().knows("t 1", "1234").unwrap());
        pins().remember("t 1", "1234");
        assert!(pins().knows("t 1", "1234").unwrap());
        assert!(!pins().knows("t 1", "1235").unwrap() && !pins().knows("t 2", "1234").unwrap());
        let written = fs::read_to_string(pins().path()).unwrap();
        assert!(!written.contains("1234\""), "{written}");
        pins().forget();
        assert!(!pins().knows("t 1", "1234").unwrap());
    }

    #[test]
    fn what_can_not_be_written_is_remembered_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        state_file::replace(&file, &1).unwrap();
        // A state directory that is a file.
        let pins = RefusedPins::new(&file);
        pins.remember("unwritten", "1234");
        assert!(pins.knows("unwritten", "1234").unwrap());
        assert!(pins.knows("unwritten", "1235").is_err(), "what can't be read is no permission to try");
    }
}
