//! What is handed out to be sent, and what comes back acknowledged.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{FORGET_AT, Worker};
use crate::journal::disk::{Disk, Stored};
use crate::journal::entry::{Entry, Lease};
use crate::journal::row::Row;
use crate::reading::Stamp;

/// Numbers are noted as given so many at a time, for readings that are sent before they are durable.
const NUMBERS: u64 = 64;

impl Worker {
    /// Whether the next reading could be sent without the disk.
    pub(super) fn can_send_next(&self) -> bool {
        let all_seen = |disk: &Disk| disk.has_none_after(self.leases.cursor());
        self.time_is_known()
            && self.next_seq <= self.given
            && self.memory.len() == 0
            && !self.unnumbered
            && self.disk.as_ref().is_some_and(all_seen)
    }

    /// Answers who waits, if there is something.
    pub(super) fn answer(&mut self, now: Instant) {
        if self.is_drained() {
            return;
        }
        let Some((limit, reply)) = self.waiting.take() else { return };
        let lease = self.free(limit, now);
        if lease.is_empty() {
            self.waiting = Some((limit, reply));
        } else {
            let _ = reply.send(lease);
        }
    }

    pub(super) fn lease(&mut self, limit: usize, stamp: Stamp, now: Instant) -> Lease {
        self.learn_time(stamp, now);
        self.free(limit, now)
    }

    /// Leases up to `limit` free rows.
    fn free(&mut self, limit: usize, now: Instant) -> Lease {
        let mut lease = Lease::default();
        if !self.time_is_known() || limit == 0 {
            return lease;
        }
        let numbered = self.note_numbers(now);
        if let Some((row, offset)) = self.newest(numbered, now)
            && self.leases.is_free(row.seq)
        {
            self.leases.take(row.seq);
            lease.newest = Some(self.entry(&row, offset));
        }
        let room = limit - lease.newest.iter().len();
        let readable = self.oldest(room, numbered, &mut lease.backlog, now) && numbered;
        let drained = readable && lease.backlog.len() < room;
        self.shared.drained.store(drained, Ordering::Release);
        self.shared.stats().sent += (lease.newest.iter().len() + lease.backlog.len()) as u64;
        lease
    }

    /// Readings that wait for their commit may be sent if their numbers can't come again, even if they never get to the
    /// disk. Whether it is so.
    fn note_numbers(&mut self, now: Instant) -> bool {
        let Some(last) = self.pending.last().map(|row| row.seq) else { return true };
        if last > self.given && self.may_try(now) {
            let numbers = last + NUMBERS;
            let gone = self.leases.acknowledged();
            let result = self.disk.as_mut().map(|disk| disk.append(&[].iter(), gone, numbers));
            if result.and_then(|result| self.checked(result, now)).is_some() {
                self.leases.forgotten();
                self.given = numbers;
            }
        }
        last <= self.given
    }

    fn newest(&mut self, with_pending: bool, now: Instant) -> Option<Stored> {
        let held = self.pending.last().filter(|_| with_pending).or(self.memory.newest());
        if let Some(row) = held {
            return Some((row.clone(), self.offset_ms));
        }
        let result = self.disk.as_ref()?.newest();
        self.checked(result, now).flatten()
    }

    /// Leases the oldest free rows. Whether it could see all that are there.
    fn oldest(&mut self, limit: usize, with_pending: bool, entries: &mut Vec<Entry>, now: Instant) -> bool {
        let readable = self.oldest_on_disk(limit, entries, now).is_some() && !self.unnumbered;
        // What memory keeps is newer than anything on the disk, and what waits for its commit is newer than that.
        let cursor = self.leases.cursor();
        let pending = self.pending.iter().filter(|row| with_pending && row.seq > cursor);
        for row in self.memory.after(cursor).chain(pending) {
            if entries.len() == limit {
                break;
            }
            if self.leases.is_free(row.seq) {
                entries.push(row.entry(self.offset_ms));
                self.leases.take(row.seq);
            }
            // The cursor must not pass rows that the disk can't show now.
            if readable {
                self.leases.take_up_to(row.seq);
            }
        }
        readable
    }

    /// The disk may not have been able to note what is known of this boot.
    fn entry(&self, row: &Row, stored_offset: Option<i64>) -> Entry {
        let of_this_boot = self.disk.as_ref().is_some_and(|disk| disk.is_of_this_boot(row));
        row.entry(self.offset_ms.filter(|_| of_this_boot).or(stored_offset))
    }

    /// `None` when the disk can't be read.
    fn oldest_on_disk(&mut self, limit: usize, entries: &mut Vec<Entry>, now: Instant) -> Option<()> {
        while entries.len() < limit {
            // Some of the rows asked for may be leased or acknowledged already.
            let batch = limit - entries.len() + 16;
            let result = self.disk.as_ref()?.after(self.leases.cursor(), batch);
            let rows = self.checked(result, now)?;
            if rows.is_empty() {
                break;
            }
            for (row, offset) in rows {
                if entries.len() == limit {
                    break;
                }
                if self.leases.is_free(row.seq) {
                    entries.push(self.entry(&row, offset));
                }
                self.leases.take_up_to(row.seq);
            }
        }
        Some(())
    }

    pub(super) fn acknowledge(&mut self, seqs: &[u64], now: Instant) {
        if self.deaf {
            return;
        }
        for seq in seqs {
            if let Ok(at) = self.pending.binary_search_by_key(seq, |row| row.seq) {
                // What the hub has needs no commit.
                self.pending.remove(at);
                self.leases.remove(*seq);
                self.shared.stats().taken += 1;
            } else if !self.memory.remove(*seq) {
                self.leases.acknowledge(*seq);
            }
        }
        self.shared.stats().acknowledged += seqs.len() as u64;
        if self.leases.acknowledged().len() >= FORGET_AT {
            self.forget(now);
        }
    }
}
