//! The error of the parsers of foreign text: what it should have been, and where it went wrong.

use std::fmt;

/// Text from the other side that does not follow the convention: what it should have been, the text (shortened),
/// and where it went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    what: &'static str,
    text: String,
    why: String,
}

/// Longest piece of foreign text that is repeated in an error, in characters.
const SHOWN: usize = 160;

impl ParseError {
    pub(crate) fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        // The reason may quote the text, too.
        Self { what, text: shortened(text.into()), why: shortened(why.into()) }
    }

    pub(crate) fn body(what: &'static str, body: &[u8], why: impl Into<String>) -> Self {
        Self::new(what, &String::from_utf8_lossy(body), why)
    }
}

/// No more of it than is shown.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid {}: {} (in {:?})", self.what, self.why, self.text)
    }
}

impl std::error::Error for ParseError {}
