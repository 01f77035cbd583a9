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
    let unreadable = |source: io::Error| {
        let path = if source.kind() == io::ErrorKind::NotFound { shown(path) } else { path.clone() };
        TokenError::ReadPin { key: uri.to_string(), path, source }
    };
    if let Some(mode) = open_to_others(path).map_err(unreadable)? {
        return Err(TokenError::PinPermissions { path: path.clone(), mode });
    }
    let bytes = read_limited(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is no text")))?;
    // Editors put a byte order mark before any text.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let Some(pin) = text.lines().next().filter(|pin| !pin.is_empty()) else {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, "its first line is empty")));
    };
    match invisible(pin) {
        Some(what) => Err(TokenError::PinCharacter { path: path.clone(), what }),
        None => Ok(Some(AuthPin::new(pin.into()))),
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is in this PIN that nobody sees, and that hardly belongs to it: blanks and the like at its ends, and control
/// characters anywhere. No part of the PIN itself is told.
fn invisible(pin: &str) -> Option<String> {
    let unseen = |c: &char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{206f}' | BYTE_ORDER_MARK)
    };
    let (place, found) = None
        .or_else(|| Some(("ends in", pin.chars().next_back().filter(unseen)?)))
        .or_else(|| Some(("begins with", pin.chars().next().filter(unseen)?)))
        .or_else(|| Some(("has inside", pin.chars().find(|c| c.is_control())?)))?;
    Some(match found {
        ' ' => format!("{place} a blank"),
        '\t' => format!("{place} a tab"),
        '\r' => format!("{place} a carriage return"),
        BYTE_ORDER_MARK => format!("{place} a byte order mark"),
        other => format!("{place} the invisible character U+{:04X}", u32::from(other)),
    })
}

/// A file that is not there may be none, but the PIN itself, in the place of its file.
fn shown(path: &Path) -> PathBuf {
    if path.extension().is_some() { path.into() } else { path.with_file_name("…") }
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
    use std::io::Write as _;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_nobody_sees_in_the_file_is_no_part_of_the_pin() {
        use std::os::unix::fs::PermissionsExt;

        use secrecy::ExposeSecret;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token.pin");
        let uri = format!("pkcs11:?module-path=/x.so&pin-source={}", path.display());
        let read = |content: &[u8]| {
            state_file::replace(&path, &0).unwrap();
            fs::OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&path)
                .unwrap()
                .write_all(content)
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            read(&uri.parse().unwrap()).map(|pin| pin.unwrap().expose_secret().to_owned())
        };
        for right in [&b"12 34"[..], b"12 34\n", b"12 34\r\n", b"\xef\xbb\xbf12 34\n", b"12 34\nmore \n"] {
            assert_eq!(read(right).unwrap(), "12 34", "{right:?}");
        }
        let instead = super::read(&"pkcs11:?module-path=/x.so&pin-source=1234".parse().unwrap());
        assert!(instead.unwrap_err().to_string().contains(" in …: No such file"));
        let refused = |content: &[u8]| read(content).unwrap_err().to_string();
        for (wrong, what) in [
            (&b"1234\r"[..], "ends in a carriage return, and the token is not asked"),
            (b"1234 \n", "ends in a blank"),
            (b"\t1234", "begins with a tab"),
            (b"12\x0034", "has inside the invisible character U+0000"),
            ("1234\u{200b}".as_bytes(), "ends in the invisible character U+200B"),
            ("1234\u{feff}".as_bytes(), "ends in a byte order mark"),
            (b"\xff\xfe1\x002\x00", "it is no text"),
            (b"\xef\xbb\xbf\n1234", "its first line is empty"),
        ] {
            let text = refused(wrong);
            assert!(text.contains(what) && !text.contains("1234"), "{text}");
        }
    }

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
