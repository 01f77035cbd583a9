//! What time it is, and the numbers that readings get by it.

use std::time::Instant;

use super::Worker;
use crate::journal::row::{PROVISIONAL, number_at};
use crate::reading::Stamp;

/// A boot's offset that moves by less is jitter.
const OFFSET_TOLERANCE_MS: u64 = 2000;

/// UTC less monotonic time, in milliseconds.
fn offset(stamp: Stamp) -> Option<i64> {
    let monotonic_ms = i64::try_from(stamp.monotonic.as_millis()).unwrap_or(i64::MAX);
    stamp.utc.map(|utc| utc.timestamp_millis().saturating_sub(monotonic_ms))
}

fn is_near(known: i64, offset: i64) -> bool {
    known.abs_diff(offset) <= OFFSET_TOLERANCE_MS
}

impl Worker {
    pub(super) fn time_is_known(&self) -> bool {
        self.next_seq < PROVISIONAL
    }

    /// Whether [`Worker::learn_time`] has nothing to note.
    pub(super) fn knows(&self, stamp: Stamp) -> bool {
        let is_offset = |offset| self.offset_ms.is_some_and(|known| is_near(known, offset));
        offset(stamp).is_none_or(|offset| self.time_is_known() && self.offset_stored && is_offset(offset))
    }

    /// Takes note of the time, where it is known: this boot's offset, and numbers that can't have been used before.
    pub(super) fn learn_time(&mut self, stamp: Stamp, now: Instant) {
        let (Some(utc), Some(offset)) = (stamp.utc, offset(stamp)) else { return };
        if !self.offset_ms.is_some_and(|known| is_near(known, offset)) {
            self.offset_ms = Some(offset);
            self.offset_stored = false;
            if self.may_try(now) {
                self.store_offset(now);
            }
        }
        if self.time_is_known() {
            return;
        }
        self.shift = PROVISIONAL - number_at(utc).max(self.lowest_seq);
        self.next_seq -= self.shift;
        if let Some(first) = self.first_held() {
            self.number_held(first - self.shift);
        }
        self.number_disk(now);
    }

    /// Whether the disk has this boot's offset, as far as it is known.
    pub(super) fn store_offset(&mut self, now: Instant) -> bool {
        let Some(offset) = self.offset_ms.filter(|_| !self.offset_stored) else { return true };
        let Some(disk) = &mut self.disk else { return false };
        let result = disk.set_offset(offset);
        self.offset_stored = self.checked(result, now).is_some();
        self.offset_stored
    }

    /// Gives the disk's provisional rows their final numbers. Those that it can't give now are not sent until it can.
    pub(super) fn number_disk(&mut self, now: Instant) -> bool {
        self.unnumbered = true;
        while self.unnumbered {
            let Some(disk) = &mut self.disk else { return false };
            let result = disk.number_some(self.shift);
            let Some(count) = self.checked(result, now) else { return false };
            self.unnumbered = count > 0;
        }
        true
    }

    /// The lowest number that is not on the disk.
    pub(super) fn first_held(&self) -> Option<u64> {
        self.memory.first().or(self.pending.first().map(|row| row.seq))
    }

    /// Numbers what is not on the disk anew, and gives the next number.
    pub(super) fn number_held(&mut self, mut next: u64) -> u64 {
        self.memory.renumber(&mut next);
        for row in &mut self.pending {
            row.seq = next;
            next += 1;
        }
        next
    }
}
