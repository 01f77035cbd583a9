//! Symmetric keys.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// A pair of symmetric keys in base64; either of them counts, so that one can be renewed while the other is in use.
///
/// An absent or empty key in a request asks the service to make one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymmetricKey {
    /// 16 to 64 bytes in base64.
    #[serde(default)]
    pub primary_key: Option<String>,
    /// 16 to 64 bytes in base64.
    #[serde(default)]
    pub secondary_key: Option<String>,
}

/// Bytes of the keys that are made: the hub's and a device's have 32, those of DPS 64.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyLength {
    Hub = 32,
    Dps = 64,
}

impl SymmetricKey {
    pub(crate) fn generate(length: KeyLength) -> Self {
        Self { primary_key: Some(random_key(length)), secondary_key: Some(random_key(length)) }
    }

    /// The keys that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        [&self.primary_key, &self.secondary_key]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|key| !key.is_empty())
    }

    /// What is absent is taken from `stored`, what is then absent or was given empty is made. `Err` names a key that
    /// is not 16 to 64 bytes in base64.
    pub(crate) fn complete(self, stored: Option<&Self>, length: KeyLength) -> Result<Self, &'static str> {
        let fill = |given: Option<String>, stored: Option<&String>| match given {
            Some(key) if !key.is_empty() => key,
            Some(_) => random_key(length),
            None => stored.filter(|key| !key.is_empty()).cloned().unwrap_or_else(|| random_key(length)),
        };
        let primary = fill(self.primary_key, stored.and_then(|keys| keys.primary_key.as_ref()));
        let secondary = fill(self.secondary_key, stored.and_then(|keys| keys.secondary_key.as_ref()));
        for (name, key) in [("primaryKey", &primary), ("secondaryKey", &secondary)] {
            if !STANDARD.decode(key).is_ok_and(|bytes| (16..=64).contains(&bytes.len())) {
                return Err(name);
            }
        }
        Ok(Self { primary_key: Some(primary), secondary_key: Some(secondary) })
    }

    /// The keys of one device of an enrollment group: base64 of HMAC-SHA256 of its registration ID.
    pub(crate) fn derive(&self, registration_id: &str) -> Self {
        let derive = |key: &Option<String>| {
            let key = STANDARD.decode(key.as_deref()?).ok()?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            Some(STANDARD.encode(hmac::sign(&key, registration_id.as_bytes())))
        };
        Self { primary_key: derive(&self.primary_key), secondary_key: derive(&self.secondary_key) }
    }
}

/// Keys stay out of logs.
impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymmetricKey").field("keys", &self.iter().count()).finish_non_exhaustive()
    }
}

/// A random key in base64.
pub(crate) fn random_key(length: KeyLength) -> String {
    let bytes: [u8; 64] = rand::random();
    STANDARD.encode(&bytes[..length as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_keys_are_kept_or_made_and_empty_ones_made_anew() {
        let first = SymmetricKey::default().complete(None, KeyLength::Hub).expect("made");
        let kept = SymmetricKey::default().complete(Some(&first), KeyLength::Hub).expect("kept");
        assert_eq!(first, kept);
        let empty = SymmetricKey { primary_key: Some(String::new()), secondary_key: None };
        let renewed = empty.complete(Some(&first), KeyLength::Hub).expect("made");
        assert_ne!(renewed.primary_key, first.primary_key);
        assert_eq!(renewed.secondary_key, first.secondary_key);
        let short = SymmetricKey { primary_key: Some("c2hvcnQ=".into()), secondary_key: None };
        assert_eq!(short.complete(None, KeyLength::Hub), Err("primaryKey"));
        assert!(!format!("{first:?}").contains(first.primary_key.as_deref().expect("made")));
    }
}
