//! Which readings are on their way to the hub.

use std::collections::BTreeSet;

/// Numbers of the readings that are on their way.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// All rows up to here are leased, or acknowledged.
    cursor: u64,
    /// Leased above the cursor.
    above: BTreeSet<u64>,
}

impl Leases {
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(super) fn is_leased(&self, seq: u64) -> bool {
        seq <= self.cursor || self.above.contains(&seq)
    }

    /// Leases one row, wherever it is.
    pub(super) fn take(&mut self, seq: u64) {
        self.above.insert(seq);
    }

    /// Leases all rows up to this one.
    pub(super) fn take_up_to(&mut self, seq: u64) {
        self.cursor = seq;
        while self.above.first().is_some_and(|first| *first <= seq) {
            self.above.pop_first();
        }
    }

    /// Nothing is on its way any more.
    pub(super) fn release(&mut self) {
        self.cursor = 0;
        self.above.clear();
    }

    /// One row is gone for good, and was never on the disk.
    pub(super) fn remove(&mut self, seq: u64) {
        self.above.remove(&seq);
    }
}
