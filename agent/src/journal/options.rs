//! What a journal is opened with.

use std::path::PathBuf;

/// What a journal is opened with.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Where `journal.db` lies.
    pub directory: PathBuf,
    /// The file is kept below this size, in bytes.
    pub size_bound: u64,
    /// The file of the waiting room, in memory that outlives the program; `None`: readings that wait for their commit are in
    /// the program's memory alone.
    pub waiting_room: Option<PathBuf>,
    /// Names this boot of the machine; monotonic times of one boot are comparable.
    pub boot: String,
}
