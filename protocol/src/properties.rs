//! Properties of a message, as they stand at the end of its topic.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::{ParseError, percent, query};

/// The system and application properties of one message, in order, as they stand URL-encoded at the end of a topic:
/// `%24.mid=7&%24.ct=application%2Fjson&alert`.
///
/// A property without a value (`alert`) differs from one with an empty value (`alert=`). System properties are those
/// whose key begins with `$.`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyBag {
    /// Keys and values, one behind the other and in order: a hub makes a bag for every message of every device.
    text: String,
    places: Vec<Place>,
}

/// Where one property stands in the text: its value, if it has one, behind its key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    begin: usize,
    key_end: usize,
    end: usize,
    has_value: bool,
}

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
    #[expect(clippy::needless_pass_by_value, reason = "who calls it has made one")]
    pub fn insert(&mut self, key: &str, value: Option<String>) {
        if self.iter().all(|(name, _)| name != key) {
            return self.push(key, value.as_deref());
        }
        let mut others = Self::with_room(self.text.len(), self.places.len());
        for (name, old) in self.iter() {
            others.push(name, if name == key { value.as_deref() } else { old });
        }
        *self = others;
    }

    fn with_room(text: usize, properties: usize) -> Self {
        Self { text: String::with_capacity(text), places: Vec::with_capacity(properties) }
    }

    fn push(&mut self, key: &str, value: Option<&str>) {
        let begin = self.text.len();
        self.text += key;
        let key_end = self.text.len();
        self.text += value.unwrap_or_default();
        self.places.push(Place { begin, key_end, end: self.text.len(), has_value: value.is_some() });
    }

    /// The value of `key`; an empty string when the key stands without one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value.unwrap_or(""))
    }

    /// All properties in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.places.iter().map(|place| {
            let value = place.has_value.then(|| &self.text[place.key_end..place.end]);
            (&self.text[place.begin..place.key_end], value)
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What the hub counts toward its message size limit: values of system properties, keys and values of the others.
    pub fn metered_len(&self) -> usize {
        self.iter()
            .map(|(key, value)| if key.starts_with("$.") { 0 } else { key.len() } + value.map_or(0, str::len))
            .sum()
    }
}

/// One after the other; of several with one key the last counts.
impl<'a> FromIterator<(&'a str, Option<&'a str>)> for PropertyBag {
    fn from_iter<I: IntoIterator<Item = (&'a str, Option<&'a str>)>>(properties: I) -> Self {
        let mut bag = Self::new();
        for (key, value) in properties {
            if bag.iter().any(|(name, _)| name == key) {
                bag.insert(key, value.map(str::to_owned));
            } else {
                bag.push(key, value);
            }
        }
        bag
    }
}

impl FromStr for PropertyBag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As many as there are, and never longer than they are encoded.
        let mut bag = Self::with_room(text.len(), query::pairs(text).count());
        for (key, value) in query::pairs(text) {
            let decode = |part| {
                percent::decoded(part).ok_or_else(|| {
                    ParseError::new("property bag", text, format!("{part:?} does not decode to UTF-8"))
                })
            };
            let key = decode(key)?;
            if key.is_empty() {
                return Err(ParseError::new("property bag", text, format!("the value {value:?} has no key")));
            }
            let value = value.map(decode).transpose()?;
            if bag.iter().any(|(name, _)| name == key) {
                bag.insert(&key, value.map(Cow::into_owned));
            } else {
                bag.push(&key, value.as_deref());
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_is_replaced_keeps_its_place_and_leaves_nothing_behind() {
        let bag: PropertyBag = "a=1&alert&b=%C3%A9&a=a%20longer%20one&none=".parse().unwrap();
        let expected = [("a", Some("a longer one")), ("alert", None), ("b", Some("é")), ("none", Some(""))];
        assert_eq!(bag.iter().collect::<Vec<_>>(), expected);
        let mut made = PropertyBag::new().with("a", "x").with("alert", "y").with("b", "é").with("none", "");
        made.insert("alert", None);
        made.insert("a", Some("a longer one".into()));
        assert_eq!(made, bag);
        assert_eq!(bag.iter().collect::<PropertyBag>(), bag);
        assert_eq!(
            [("a", Some("1")), ("a", None)].into_iter().collect::<PropertyBag>(),
            "a".parse().unwrap()
        );
        assert_eq!((bag.get("alert"), bag.get("none"), bag.get("c")), (Some(""), Some(""), None));
        assert_eq!(bag.to_string(), "a=a%20longer%20one&alert&b=%C3%A9&none=");
    }
}
