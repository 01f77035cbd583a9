//! What is wrong with a seed, and where.

use std::fmt;

use thiserror::Error;

/// A seed that can't be planted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct SeedError {
    /// Counted from 1, where it is known.
    pub line: Option<usize>,
    /// Which part of the seed.
    pub what: String,
    /// What is wrong with it. What stands there is not repeated: it may be a key.
    pub why: String,
}

impl SeedError {
    pub(super) fn new(line: Option<usize>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { line, what: what.into(), why: why.into() }
    }

    pub(super) fn at(line: usize, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Some(line), what, why)
    }
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{} {}", self.what, self.why)
    }
}
