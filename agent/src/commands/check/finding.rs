//! What came of looking at one thing.

use std::fmt;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Pass,
    /// It works, and somebody should look at it.
    Warn,
    /// The tracker can't do its work.
    Fail,
    /// It was not looked at.
    Skip,
}

/// What came of looking.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) text: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn pass(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, text: text.into(), mend: None }
    }

    pub(super) fn warn(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, text: text.into(), mend: Some(mend.into()) }
    }

    pub(super) fn fail(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, text: text.into(), mend: Some(mend.into()) }
    }

    pub(super) fn skip(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, text: why.into(), mend: None }
    }

    /// A failure whose sentence says how to mend it.
    pub(super) fn error(error: impl fmt::Display) -> Self {
        Self { verdict: Verdict::Fail, text: error.to_string(), mend: None }
    }
}
