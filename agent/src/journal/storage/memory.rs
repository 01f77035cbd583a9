//! The memory that stands in for the disk while that fails.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::rechain::{begins, rechain, runs};
use crate::journal::row::Row;
use crate::journal::thinning::{coarsen, coarseness};
use tracker_evidence::Run;

/// Stands in for the disk: a week of readings at one a minute, nearly.
pub(crate) const CAPACITY: usize = 10_000;
/// The same for people.
pub(crate) const CAPACITY_IN_WORDS: &str = "10,000";

/// Readings in memory, while the disk does not take them.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    rows: BTreeMap<u64, Row>,
    /// Runs of the chain that became coarser, and how many readings went from them: nobody has been told.
    thinned: (u64, Vec<Run>),
}

impl Memory {
    /// Keeps a row. Full, it makes its history coarser, except rows that are `kept`, and tells how many went.
    pub(crate) fn insert(&mut self, row: Row, kept: impl Fn(u64) -> bool) -> u64 {
        self.rows.insert(row.seq, row);
        if self.rows.len() <= CAPACITY {
            return 0;
        }
        let Some(middle) = self.rows.keys().nth(CAPACITY / 2).copied() else { return 0 };
        let newer = self.rows.split_off(&middle);
        let older: Vec<Row> = std::mem::replace(&mut self.rows, newer).into_values().collect();
        let before = older.len();
        let average = older.iter().map(|row| f64::from(row.stands_for)).sum::<f64>() / before as f64;
        let chained = runs(&older, &kept, true);
        let mut left = coarsen(older, coarseness(average), |seq| kept(seq) || begins(&chained, seq), true);
        let mut gone = (before - left.len()) as u64;
        let runs = rechain(&chained, &mut left);
        if !runs.is_empty() {
            self.thinned.0 += gone;
            self.thinned.1.extend(runs);
        }
        self.rows.extend(left.into_iter().map(|row| (row.seq, row)));
        // All of them are being sent, and nobody has acknowledged one: memory is bounded all the same.
        if gone == 0 && self.rows.pop_first().is_some() {
            gone = 1;
        }
        gone
    }

    /// What became coarser since this was last asked: readings that went, and the runs of the chain from which they did.
    pub(crate) fn take_thinned(&mut self) -> Option<(u64, Vec<Run>)> {
        (!self.thinned.1.is_empty()).then(|| std::mem::take(&mut self.thinned))
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Row> {
        self.rows.remove(&seq)
    }

    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The lowest number of those rows.
    pub(crate) fn first(&self, which: impl Fn(&Row) -> bool) -> Option<u64> {
        self.all().find(|row| which(row)).map(|row| row.seq)
    }

    pub(crate) fn newest(&self) -> Option<&Row> {
        self.rows.last_key_value().map(|(_, row)| row)
    }

    pub(crate) fn after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.rows.range(seq + 1..).map(|(_, row)| row)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Row> + Clone {
        self.rows.values()
    }

    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.values_mut()
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Forgets rows that the disk has.
    pub(crate) fn forget(&mut self, seqs: &BTreeSet<u64>) {
        self.rows.retain(|seq, _| !seqs.contains(seq));
    }

    /// Numbers some rows anew, oldest first, from `next` on.
    pub(crate) fn renumber(&mut self, next: &mut u64, which: impl Fn(&Row) -> bool) {
        for (_, mut row) in std::mem::take(&mut self.rows) {
            if which(&row) {
                row.seq = *next;
                *next += 1;
            }
            self.rows.insert(row.seq, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_it_becomes_coarser_and_keeps_what_is_on_its_way() {
        let mut memory = Memory::default();
        let mut gone = 0;
        let total = 5 * CAPACITY as u64;
        for seq in 1..=total {
            let row = Row { seq, start: 1, ..Row::empty() };
            gone += memory.insert(row, |seq| seq == 77);
        }
        assert!(memory.len() <= CAPACITY as u64);
        assert_eq!(memory.len() + gone, total);
        assert_eq!((memory.first(|_| true), memory.newest().unwrap().seq), (Some(1), total));
        assert!(memory.all().any(|row| row.seq == 77));
        let stands_for: Vec<u32> = memory.all().map(|row| row.stands_for).collect();
        assert!(stands_for.iter().all(|count| *count <= 16), "{:?}", stands_for.iter().max());
    }

    #[test]
    fn rows_that_are_all_on_their_way_do_not_fill_the_memory() {
        let mut memory = Memory::default();
        for seq in 1..=CAPACITY as u64 + 100 {
            let row = Row { seq, start: 1, ..Row::empty() };
            memory.insert(row, |_| true);
        }
        assert_eq!(memory.len(), CAPACITY as u64);
    }
}
