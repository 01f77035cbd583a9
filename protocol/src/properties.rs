//! Properties of a message, as they stand at the end of its topic.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, percent, query};

/// The system and application properties of one message, in order, as they stand URL-encoded at the end of a topic:
/// `%24.mid=7&%24.ct=application%2Fjson&alert`.
///
/// A property without a value (`alert`) differs from one with an empty value (`alert=`). System properties are those
/// whose key begins with `$.`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyBag(Vec<(String, Option<String>)>);

impl PropertyBag {
    /// Message ID, at most 128 characters; consumers use it to drop duplicates.
    pub const MESSAGE_ID: &str = "$.mid";
    /// Correlation ID.
    pub const CORRELATION_ID: &str = "$.cid";
    /// Content type, for example `application/json`; the hub routes on bodies only when it is set.
    pub const CONTENT_TYPE: &str = "$.ct";
    /// Content encoding: `utf-8`, or what the body was compressed with.
    pub const CONTENT_ENCODING: &str = "$.ce";
    /// When the event happened, RFC 3339 in UTC: the supported way to stamp data that was stored on the way.
    pub const CREATION_TIME: &str = "iothub-creation-time-utc";

    /// An empty bag.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a property, replacing one of the same key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.insert(key, Some(value.into()));
        self
    }

    /// Adds or replaces a property; `None` is a key without a value.
    pub fn insert(&mut self, key: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// The value of `key`; an empty string when the key stands without one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_deref().unwrap_or(""))
    }

    /// All properties in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the hub counts toward its message size limit: values of system properties, keys and values of the others.
    pub fn metered_len(&self) -> usize {
        self.iter()
            .map(|(key, value)| if key.starts_with("$.") { 0 } else { key.len() } + value.map_or(0, str::len))
            .sum()
    }
}

impl FromStr for PropertyBag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bag = Self::default();
        for (key, value) in query::pairs(text) {
            let decode = |part: &str| {
                percent::decode(part).ok_or_else(|| {
                    ParseError::new("property bag", text, format!("{part:?} does not decode to UTF-8"))
                })
            };
            let key = decode(key)?;
            if key.is_empty() {
                return Err(ParseError::new("property bag", text, format!("the value {value:?} has no key")));
            }
            bag.insert(&key, value.map(decode).transpose()?);
        }
        Ok(bag)
    }
}

impl fmt::Display for PropertyBag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str("&")?;
            }
            percent::encode(key).try_for_each(|part| f.write_str(part))?;
            if let Some(value) = value {
                f.write_str("=")?;
                percent::encode(value).try_for_each(|part| f.write_str(part))?;
            }
        }
        Ok(())
    }
}
