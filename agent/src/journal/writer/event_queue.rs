//! Which of the rows that wait are events: those are sent first.

use std::collections::BTreeSet;

/// More are sent in the order of their numbers, with the readings, and are thinned as those are: all is bounded.
pub(crate) const MOST: usize = 2048;

/// Numbers of events that the hub has not acknowledged.
#[derive(Debug)]
pub(crate) struct EventQueue {
    seqs: BTreeSet<u64>,
    /// Rows may have got other numbers, or have come from elsewhere.
    stale: bool,
}

impl Default for EventQueue {
    fn default() -> Self {
        Self { seqs: BTreeSet::new(), stale: true }
    }
}

impl EventQueue {
    /// A new one.
    pub(crate) fn push(&mut self, seq: u64) {
        if self.seqs.len() < MOST {
            self.seqs.insert(seq);
        }
    }

    /// The hub has it, or nobody has.
    pub(crate) fn remove(&mut self, seq: u64) {
        self.seqs.remove(&seq);
    }

    /// Rows have got other numbers.
    pub(crate) fn renumbered(&mut self) {
        self.stale |= !self.seqs.is_empty();
    }

    /// Rows have come from elsewhere.
    pub(crate) fn distrust(&mut self) {
        self.stale = true;
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// These are all.
    pub(crate) fn set(&mut self, seqs: impl Iterator<Item = u64>) {
        self.seqs = seqs.take(MOST).collect();
        self.stale = false;
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = u64> {
        self.seqs.iter().copied()
    }

    /// There may be more of them.
    pub(crate) fn is_full(&self) -> bool {
        self.seqs.len() >= MOST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seqs.is_empty()
    }
}
