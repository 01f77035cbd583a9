//! Readings that wait for the commit they share.

use std::time::{Duration, Instant};

use crate::journal::row::Row;

/// Readings that come closer together than this share a commit, and none waits for it any longer.
pub(crate) const GROUP: Duration = Duration::from_secs(2);
/// They are committed at once when so many wait.
const MOST: usize = 128;

/// Rows by number, some of which may not need the commit any more when it is due.
#[derive(Debug)]
pub(crate) struct Group {
    rows: Vec<Row>,
    /// When the commit is due; means nothing while no row waits.
    due: Instant,
    /// When the last reading came.
    last_append: Option<Instant>,
}

impl Default for Group {
    fn default() -> Self {
        Self { rows: Vec::new(), due: Instant::now(), last_append: None }
    }
}

impl Group {
    /// Adds a row. One that comes long after the last one waits for no other.
    pub(crate) fn push(&mut self, row: Row, now: Instant) {
        if self.rows.is_empty() {
            self.due = if self.is_close(now) { now + GROUP } else { now };
        } else if self.is_full() {
            self.due = now;
        }
        self.last_append = Some(now);
        self.rows.push(row);
    }

    /// Has the commit due now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.due = now;
    }

    /// Whether the last reading came so short a time ago that the next one shares a commit.
    pub(crate) fn is_close(&self, now: Instant) -> bool {
        self.last_append.is_some_and(|last| now < last + GROUP)
    }

    /// The next row has the commit due at once.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= MOST
    }

    /// When the commit is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.rows.is_empty()).then_some(self.due)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }

    pub(crate) fn take(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// Removes a row that needs no commit; whether it was there.
    pub(crate) fn remove(&mut self, seq: u64) -> bool {
        let found = self.rows.binary_search_by_key(&seq, |row| row.seq);
        found.is_ok_and(|at| {
            self.rows.remove(at);
            true
        })
    }

    /// Numbers all rows anew, oldest first, from `next` on.
    pub(crate) fn renumber(&mut self, next: &mut u64) {
        for row in &mut self.rows {
            row.seq = *next;
            *next += 1;
        }
    }
}
