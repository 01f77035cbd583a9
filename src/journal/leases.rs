use std::collections::BTreeSet;

/// Which readings are on their way to the hub, and which have arrived.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// All rows up to here are leased or acknowledged.
    cursor: u64,
    /// Leased above the cursor.
    above: BTreeSet<u64>,
    /// Acknowledged and not yet deleted.
    acknowledged: BTreeSet<u64>,
}

impl Leases {
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(super) fn is_free(&self, seq: u64) -> bool {
        !self.is_leased(seq) && !self.acknowledged.contains(&seq)
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

    pub(super) fn acknowledge(&mut self, seq: u64) {
        self.acknowledged.insert(seq);
    }

    /// What is to be deleted.
    pub(super) fn acknowledged(&self) -> &BTreeSet<u64> {
        &self.acknowledged
    }

    /// What was acknowledged has been deleted.
    pub(super) fn forgotten(&mut self) {
        self.acknowledged.clear();
    }
}
