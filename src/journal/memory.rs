use std::collections::BTreeMap;

use super::row::Row;

/// Stands in for the disk: a week of readings at one a minute.
pub(super) const CAPACITY: usize = 10_080;

/// Readings in memory, while the disk does not take them.
#[derive(Debug, Default)]
pub(super) struct Memory {
    rows: BTreeMap<u64, Row>,
}

impl Memory {
    /// Keeps a row. Full, it gives up the oldest, and gives it back.
    pub(super) fn insert(&mut self, row: Row) -> Option<Row> {
        self.rows.insert(row.seq, row);
        if self.rows.len() > CAPACITY { self.rows.pop_first().map(|(_, row)| row) } else { None }
    }

    pub(super) fn remove(&mut self, seq: u64) -> bool {
        self.rows.remove(&seq).is_some()
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn newest(&self) -> Option<&Row> {
        self.rows.last_key_value().map(|(_, row)| row)
    }

    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.rows.range(seq + 1..).map(|(_, row)| row)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Raises the numbers from `first` on by `by`.
    pub(super) fn renumber(&mut self, first: u64, by: u64) {
        for (seq, mut row) in self.rows.split_off(&first) {
            row.seq = seq + by;
            self.rows.insert(row.seq, row);
        }
    }
}
