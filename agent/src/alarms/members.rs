//! Reads the members of a JSON object; what is wrong is told by the member's path.

use serde_json::{Map, Value};

use crate::platform::shorten::shorten;

/// Characters of a bad value that a sentence quotes.
const QUOTED: usize = 40;
/// Longest delay: 30 days.
const LONGEST_S: f64 = 2_592_000.0;

/// An object, and where it stands.
pub(crate) struct Members<'a> {
    pub(super) path: String,
    map: &'a Map<String, Value>,
}

/// A value as a sentence quotes it.
pub(crate) fn quoted(value: &Value) -> String {
    shorten(value.to_string(), QUOTED)
}

/// `names` as a sentence lists them.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

impl<'a> Members<'a> {
    /// The members of `value`, which stands at `path` and may have these and no others.
    pub(crate) fn of(value: &'a Value, path: &str, allowed: &[&str]) -> Result<Self, String> {
        let members = Self::any(value, path)?;
        match members.map.keys().find(|name| !allowed.contains(&name.as_str())) {
            Some(name) => Err(format!(
                "{}: there is no such member; there are {}",
                members.at(name),
                list(allowed.iter().copied())
            )),
            None => Ok(members),
        }
    }

    /// The members of `value`, whatever their names are.
    pub(super) fn any(value: &'a Value, path: &str) -> Result<Self, String> {
        let of = if path.is_empty() { String::new() } else { format!("{path}: ") };
        let map = value.as_object().ok_or_else(|| format!("{of}{} is no object", quoted(value)))?;
        Ok(Self { path: path.into(), map })
    }

    /// Where a member stands.
    pub(super) fn at(&self, member: &str) -> String {
        if self.path.is_empty() { member.into() } else { format!("{}.{member}", self.path) }
    }

    pub(crate) fn get(&self, member: &str) -> Option<&'a Value> {
        self.map.get(member)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    pub(super) fn number(&self, member: &str) -> Result<Option<f64>, String> {
        let read = |value: &Value| {
            let number = value.as_f64().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("{}: {} is no number", self.at(member), quoted(value)))
        };
        self.get(member).map(read).transpose()
    }

    pub(super) fn word(&self, member: &str) -> Result<Option<&'a str>, String> {
        let read = |value: &'a Value| {
            value.as_str().ok_or_else(|| format!("{}: {} is no text", self.at(member), quoted(value)))
        };
        self.get(member).map(read).transpose()
    }

    /// Seconds, as milliseconds.
    pub(super) fn seconds(&self, member: &str) -> Result<Option<i64>, String> {
        let Some(seconds) = self.number(member)? else { return Ok(None) };
        if !(0.0..=LONGEST_S).contains(&seconds) {
            let why = if seconds < 0.0 { "is negative" } else { "is longer than 30 days" };
            return Err(format!("{}: {seconds} {why}; it is in seconds, 0 to 2592000", self.at(member)));
        }
        Ok(Some((seconds * 1000.0).round() as i64))
    }
}
