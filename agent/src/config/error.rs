//! Why a configuration can't be used.

use std::path::PathBuf;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration {path}: {source}{}", mend(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, a key is unknown or of the wrong kind.
    #[error("the configuration {path} can't be used: {why}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line and cause, in one line.
        why: String,
    },
    /// A value is outside its range.
    #[error("the configuration {path} can't be used: {key}: {why}")]
    Value {
        /// The file.
        path: PathBuf,
        /// `table.key`.
        key: &'static str,
        /// What is wrong and what would be right.
        why: String,
    },
}

/// A name helps where there is nothing under the one that was looked at.
fn mend(source: &std::io::Error) -> &'static str {
    if source.kind() == std::io::ErrorKind::NotFound { "; name it with --config" } else { "" }
}
