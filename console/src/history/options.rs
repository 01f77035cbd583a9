//! Where a history is, and how much of it is kept.

use std::path::PathBuf;

use chrono::TimeDelta;

const MIB: u64 = 1024 * 1024;

/// Where a history is, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// The file; in memory without.
    pub file: Option<PathBuf>,
    /// The file stays below this size in bytes, a few MiB of log beside it; readings go first, the oldest first.
    pub most_bytes: u64,
    /// Nothing older is kept, by the fleet's time.
    pub most_age: Option<TimeDelta>,
    /// It goes with the process: no waiting for the disk.
    pub is_temporary: bool,
}

impl HistoryOptions {
    /// A file that stays: 2 GiB, 400 days.
    pub fn kept(file: impl Into<PathBuf>) -> Self {
        let most_age = Some(TimeDelta::days(400));
        Self { file: Some(file.into()), most_bytes: 2048 * MIB, most_age, is_temporary: false }
    }

    /// A file in a directory that goes with the process: 512 MiB.
    pub fn temporary(file: impl Into<PathBuf>) -> Self {
        Self { most_bytes: 512 * MIB, most_age: None, is_temporary: true, ..Self::kept(file) }
    }

    /// No file: 64 MiB of memory.
    pub fn in_memory() -> Self {
        Self { file: None, most_bytes: 64 * MIB, most_age: None, is_temporary: true }
    }
}
