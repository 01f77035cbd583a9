//! The text of a seed: what it says, and in which line.

use serde_json::Value;

use super::SeedError;

/// The text of a seed.
#[derive(Debug)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// JSON if it begins with a brace, else TOML.
    pub(super) fn parse(&self) -> Result<Value, SeedError> {
        if self.0.trim_start().starts_with('{') {
            return serde_json::from_str(&self.0).map_err(|error| {
                let why = format!("is not JSON at column {}: {}", error.column(), reason(&error));
                SeedError::at(error.line(), "the file", why)
            });
        }
        toml::from_str(&self.0).map_err(|error| {
            let line = error.span().map(|span| self.line_at(span.start));
            SeedError::new(line, "the file", format!("is neither JSON nor TOML: {}", error.message()))
        })
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = self.0.as_bytes().get(..offset).unwrap_or(self.0.as_bytes());
        before.split(|byte| *byte == b'\n').count()
    }

    /// The line in which a name stands first.
    pub(super) fn line_of(&self, name: &str) -> Option<usize> {
        self.0.find(name).map(|offset| self.line_at(offset))
    }

    /// The line in which the name of an entry stands, behind the beginning of its list.
    pub(super) fn line_of_entry(&self, list: &str, name: &str) -> Option<usize> {
        let list = self.0.find(list).unwrap_or_default();
        let quoted = ["\"", "'"].map(|quote| format!("{quote}{name}{quote}"));
        let found = quoted.iter().filter_map(|name| self.0[list..].find(name.as_str())).min();
        found.map(|offset| self.line_at(list + offset))
    }
}

/// Why it is none, without where, which is told already.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
