//! What is said of a record in the end.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What it says of the record of one device.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// All of it fits, and somebody has signed.
    pub is_good: bool,
    /// For people.
    pub sentences: Vec<String>,
    /// For programs.
    pub details: Value,
}

impl Judgement {
    /// What fits or does not and who has signed, without notes, and without the reports of trips.
    pub fn in_short(&self) -> Vec<&str> {
        let sentences = self.sentences.iter().map(|sentence| sentence.trim());
        sentences
            .filter(|sentence| !sentence.starts_with("note:") && !sentence.starts_with("trip "))
            .collect()
    }
}

/// Looks at files of what a hub has received, and whether those who have signed lead to the roots of a file.
pub type Verify = fn(files: &[PathBuf], roots: &Path) -> anyhow::Result<Vec<Judgement>>;
