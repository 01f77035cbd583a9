//! What was found, a sentence each, and a sentence on what helps.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::cloud) enum Level {
    /// Good to know.
    Note,
    /// Somebody should look at it.
    Warning,
    /// It can't do its work.
    Error,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::cloud) struct Finding {
    pub(in crate::cli::cloud) level: Level,
    /// The part.
    pub(in crate::cli::cloud) about: String,
    pub(in crate::cli::cloud) text: String,
    /// What helps.
    pub(in crate::cli::cloud) mend: String,
}

impl Finding {
    pub(super) fn new(level: Level, about: &str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level, about: about.into(), text: text.into(), mend: mend.into() }
    }

    /// As JSON.
    pub(in crate::cli::cloud) fn value(&self) -> Value {
        let level = match self.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        json!({"level": level, "about": self.about, "text": self.text, "mend": self.mend})
    }
}
