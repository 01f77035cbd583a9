//! Where the private key is: a PEM file, or a token that a `pkcs11:` URI names.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::key_uri::{KeyUri, SCHEME, has_pin};
use super::key_uri_error::KeyUriError;

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
            // The names of files are shown, and this is none.
            _ if has_pin(&text) => Err(KeyUriError::NoUri),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::key_uri::PinSource;

    #[test]
    fn what_has_a_pin_and_is_no_uri_is_no_file_either() {
        for text in [" pkcs11:token=t?pin-value=1234", "pcks11:token=t?pin-value=1234", "token=t;pin=1234"] {
            assert_eq!(KeyLocation::try_from(text.to_owned()), Err(KeyUriError::NoUri), "{text}");
        }
        let file = KeyLocation::try_from("keys/shipping=pin.key".to_owned());
        assert_eq!(file, Ok(KeyLocation::File("keys/shipping=pin.key".into())));
    }

    /// All that any message shows of it.
    fn shown(location: &Result<KeyLocation, KeyUriError>) -> String {
        match location {
            Ok(KeyLocation::Token(uri)) => {
                let file = match &uri.pin {
                    Some(PinSource::File(path)) => Some(path),
                    _ => None,
                };
                format!("{uri} {uri:?} {location:?} {:?} {file:?}", uri.module_path)
            }
            Ok(KeyLocation::File(path)) => format!("{path:?}"),
            Err(error) => format!("{error} {error:?}"),
        }
    }

    fn percent_encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    proptest::proptest! {
        #[test]
        fn no_mistake_shows_the_pin(
            pin in "[ -~]{4,40}|[0-9]{4,8}|[a-z]{5,16}",
            name in "pin-value=|pin-valu=|PIN-VALUE=|pin_value=|pinvalue:|pin=|pin%2Dvalue%3D|x-pin=|type=|slot-id=|=|",
            mark in "[;?& ,#]|%26|%3b|%3F|&amp;",
            place in 0..8_usize,
            encoded in proptest::bool::ANY,
            source in "(&pin-source=/x)?",
        ) {
            let written = if encoded { percent_encoded(&pin) } else { pin.clone() };
            let with_pin = format!("{mark}{name}{written}");
            let module = "module-path=/usr/lib/softhsm/libsofthsm2.so";
            let mut parts = ["pkcs11:", "token=t", ";id=%01", ";type=private", "?", module, &source, "&"];
            let part = format!("{}{with_pin}", parts[place]);
            parts[place] = &part;
            let location = KeyLocation::try_from(parts.concat());
            // Nothing tells one that takes the place of a label from a label.
            let is_label = location.is_ok() && !name.to_ascii_lowercase().contains("pin");
            let shown = shown(&location);
            for secret in [&pin, &written] {
                let characters: Vec<char> = secret.chars().collect();
                for run in characters.windows(characters.len().min(12)) {
                    let run: String = run.iter().collect();
                    proptest::prop_assert!(is_label || !shown.contains(&run), "{} shows {}", shown, run);
                }
            }
        }
    }
}
