//! What everybody may know of the journal: how full it is, and how the disk takes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// How the disk takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalHealth {
    /// Why readings are kept in memory; `None` while the disk works.
    pub trouble: Option<String>,
    /// The file that could not be used and was set aside since the start.
    pub set_aside: Option<String>,
}

/// How full it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalStats {
    /// Readings taken since the start.
    pub taken: u64,
    /// Readings handed to the network since the start, repetitions included.
    pub sent: u64,
    /// Readings acknowledged since the start.
    pub acknowledged: u64,
    /// Readings that wait to be acknowledged.
    pub backlog: u64,
    /// Those of them that only memory has: while the disk fails, or until their commit.
    #[serde(skip)]
    pub in_memory: u64,
    /// Readings that a coarser history gave up, ever.
    pub thinned: u64,
    /// Readings lost since the start because neither disk nor memory could take them, or because the disk has not kept
    /// them so that they can be read.
    pub dropped: u64,
}

/// What the thread and the handles have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    stats: Mutex<JournalStats>,
    pub(super) health: watch::Sender<JournalHealth>,
}

impl Shared {
    pub(super) fn stats(&self) -> MutexGuard<'_, JournalStats> {
        // No code panics while it holds the lock; if it did, the counts would still be good.
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
