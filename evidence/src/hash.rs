//! A hash of the chain.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base64;
use crate::canonical::{self, Member};

/// SHA-256 of an entry and of the hash before it. As text in base64 for URLs, 43 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first entry of a chain.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of the next entry, whose body is this JSON object, written in any way. `None` where it has no canonical form.
    pub fn next(self, body: &str) -> Option<Self> {
        let mut text = String::with_capacity(body.len());
        canonical::write(body, &mut text)?;
        Some(self.next_canonical(&text))
    }

    /// As [`Hash::next`], of a body that has these members; they are put into the canonical order.
    pub fn next_of(self, members: &mut [Member<'_>], length: usize) -> Option<Self> {
        let mut text = String::with_capacity(length);
        canonical::write_object(members, &mut text)?;
        Some(self.next_canonical(&text))
    }

    /// As [`Hash::next`], of a body that is in its canonical form.
    #[must_use]
    pub fn next_canonical(self, body: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(body.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl Hash {
    /// As text, [`Hash::LENGTH`] letters.
    pub fn to_text(self) -> String {
        base64::encode(&self.0)
    }

    /// Bytes of its text.
    pub const LENGTH: usize = 43;
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl FromStr for Hash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; Self::LENGTH.div_ceil(4) * 3];
        let length =
            if text.len() == Self::LENGTH { base64::decode_into(text.as_bytes(), &mut bytes) } else { None };
        let hash = bytes.first_chunk().filter(|hash| length == Some(hash.len()));
        hash.copied().map(Self).ok_or(())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("no hash of 43 characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example() {
        // docs/evidence.md: printf '%064d' 0 | xxd -r -p | cat - <(printf '{"seq":70,"temperature":4.5}') | sha256sum
        let one = Hash::NONE.next(r#"{"temperature": 4.50, "seq": 70}"#).unwrap();
        assert_eq!(one, Hash::NONE.next_canonical(r#"{"seq":70,"temperature":4.5}"#));
        let text = one.to_string();
        assert_eq!((text.len(), text.parse()), (43, Ok(one)));
        assert_ne!(one.next("{}"), Hash::NONE.next("{}"));
        assert_eq!(Hash::NONE.next("{"), None);
        let document = include_str!("../../docs/evidence.md");
        assert!(document.contains(&text), "{text}");
    }
}
