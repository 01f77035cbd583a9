//! What the writer has to be sent.

use std::time::Instant;

use super::Writer;
use crate::journal::entry::Entry;
use crate::journal::row::Row;
use crate::journal::storage::disk::{Disk, Stored};

impl Writer {
    /// Whether the next reading could be sent without the disk, by who has seen all up to `cursor`.
    pub(crate) fn can_send_next(&self, cursor: u64) -> bool {
        self.time_is_known()
            && self.numbers.next_is_noted()
            && self.memory.len() == 0
            && !self.unnumbered
            && self.storage.disk().is_some_and(|disk| disk.has_none_after(cursor))
    }

    /// Some readings can't be sent before the disk takes their numbers.
    pub(crate) fn is_unnumbered(&self) -> bool {
        self.unnumbered
    }

    /// The newest reading, of those that wait for their commit only `with_group`. The disk is not asked again for one that
    /// `is_leased`.
    pub(crate) fn newest(
        &mut self,
        with_group: bool,
        is_leased: impl Fn(u64) -> bool,
        now: Instant,
    ) -> Option<Stored> {
        let held = self.group.rows().last().filter(|_| with_group).or(self.memory.newest());
        if let Some(row) = held {
            return Some((row.clone(), self.offset_of(row)));
        }
        if self.storage.disk().is_some_and(|disk| is_leased(disk.highest())) {
            return None;
        }
        self.storage.attempt(now, Disk::newest).flatten()
    }

    /// Up to `limit` rows on the disk after `seq`, oldest first; `None` when it can't be read.
    pub(crate) fn on_disk_after(&mut self, seq: u64, limit: usize, now: Instant) -> Option<Vec<Stored>> {
        self.storage.attempt(now, |disk| disk.after(seq, limit))
    }

    /// What is not on the disk after `seq`, oldest first: what memory keeps is newer than anything on the disk, and what
    /// waits for its commit, which is given `with_group`, is newer than that.
    pub(crate) fn held_after(&self, seq: u64, with_group: bool) -> impl Iterator<Item = &Row> {
        let group = self.group.rows().iter().filter(move |row| with_group && row.seq > seq);
        self.memory.after(seq).chain(group)
    }

    /// What is sent of a row; `None`, and the row is put aside, where it can't be read.
    pub(crate) fn entry(&mut self, row: &Row, stored_offset: Option<i64>, now: Instant) -> Option<Entry> {
        // The disk may not have been able to note what is known of this boot.
        let of_this_boot =
            row.boot.is_none() || self.storage.disk().is_some_and(|disk| disk.is_of_this_boot(row));
        let entry = row.entry(self.offset.ms().filter(|_| of_this_boot).or(stored_offset));
        let entry = entry.map(|entry| self.shown(entry));
        if entry.is_none() {
            self.storage.attempt(now, Disk::put_unreadable_aside);
        }
        entry
    }

    /// What is sent of a row that is not on the disk.
    pub(crate) fn entry_of_held(&self, row: &Row) -> Option<Entry> {
        row.entry(self.offset_of(row)).map(|entry| self.shown(entry))
    }

    /// The offset of the boot of a row that is not on the disk.
    pub(super) fn offset_of(&self, row: &Row) -> Option<i64> {
        self.offset.ms().filter(|_| row.boot.is_none())
    }
}
