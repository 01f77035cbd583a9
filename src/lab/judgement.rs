//! What `verify` says, for those who stand below the commands and may not call one.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What it says of the record of one device.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    /// All of it fits, and somebody has signed.
    pub(crate) is_good: bool,
    /// For people.
    pub(crate) sentences: Vec<String>,
    /// For programs.
    pub(crate) details: Value,
}

impl Judgement {
    /// What fits or does not and who has signed, without notes, and without the reports of trips.
    pub(crate) fn in_short(&self) -> Vec<&str> {
        let sentences = self.sentences.iter().map(|sentence| sentence.trim());
        sentences
            .filter(|sentence| !sentence.starts_with("note:") && !sentence.starts_with("trip "))
            .collect()
    }
}

/// Looks at files of what a hub has received, and whether those who have signed lead to the roots of a file.
pub(crate) type Verify = fn(files: &[PathBuf], roots: &Path) -> anyhow::Result<Vec<Judgement>>;
