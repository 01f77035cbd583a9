//! What a journal is opened with.

use std::path::PathBuf;

/// What a journal is opened with.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Where `journal.db` lies.
    pub directory: PathBuf,
    /// The file is kept below this size, in bytes.
    pub size_bound: u64,
    /// Names this boot of the machine; monotonic times of one boot are comparable.
    pub boot: String,
}
