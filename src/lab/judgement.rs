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

/// Looks at files of what a hub has received, and whether those who have signed lead to the roots of a file.
pub(crate) type Verify = fn(files: &[PathBuf], roots: &Path) -> anyhow::Result<Vec<Judgement>>;
