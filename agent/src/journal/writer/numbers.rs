//! The numbers that readings get; the invariants in this module's parent say why they are as they are.

use chrono::{DateTime, TimeDelta, Utc};

use crate::journal::row::{NUMBERS_FROM_MS, PROVISIONAL};

/// The lowest number that may be given at this time: the milliseconds since 2026-01-01.
fn number_at(time: DateTime<Utc>) -> u64 {
    let zero = DateTime::from_timestamp_millis(NUMBERS_FROM_MS).unwrap_or_default();
    u64::try_from(TimeDelta::num_milliseconds(&(time - zero))).unwrap_or(0).clamp(1, PROVISIONAL / 2)
}

/// Which numbers come next.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: u64,
    /// Final numbers begin here at the lowest.
    lowest: u64,
    /// Final numbers are lower than provisional ones by this.
    shift: u64,
    /// The file has noted that no number up to this one is free any more.
    noted: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { next: PROVISIONAL, lowest: 1, shift: 0, noted: 0 }
    }
}

impl Numbers {
    /// Gives out a number.
    pub(crate) fn take(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// The number that is given next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Numbers that are given now are final.
    pub(crate) fn are_final(&self) -> bool {
        self.next < PROVISIONAL
    }

    /// Numbers are final from now on; gives what final numbers are lower by.
    pub(crate) fn become_final(&mut self, time: DateTime<Utc>) -> u64 {
        self.shift = PROVISIONAL - number_at(time).max(self.lowest);
        self.next -= self.shift;
        self.shift
    }

    pub(crate) fn shift(&self) -> u64 {
        self.shift
    }

    /// The file knows of final numbers up to `last`, and of provisional ones up to `provisional`. Gives the lowest number
    /// that is free.
    pub(crate) fn learn_of(&mut self, last: Option<u64>, provisional: Option<u64>) -> u64 {
        self.lowest = last.map_or(1, |last| last + 1).max(self.lowest);
        let free = if self.are_final() {
            self.lowest
        } else {
            provisional.map_or(PROVISIONAL, |provisional| provisional + 1)
        };
        self.next = self.next.max(free);
        self.noted = 0;
        free
    }

    /// Final numbers from the next one on are for the file's provisional rows, of which the last is `provisional`.
    pub(crate) fn leave_room_for(&mut self, provisional: u64) {
        self.shift = PROVISIONAL - self.next;
        self.next = provisional + 1 - self.shift;
    }

    /// Has `renumber` number anew, from the next number on, what is not in the file; it gives the number after the last.
    pub(crate) fn give_anew(&mut self, renumber: impl FnOnce(u64) -> u64) {
        self.next = renumber(self.next);
    }

    /// Numbers up to this one will not be given again, whatever happens to the readings.
    pub(crate) fn note(&mut self, number: u64) {
        self.noted = number;
    }

    pub(crate) fn is_noted(&self, number: u64) -> bool {
        number <= self.noted
    }

    /// Whether the next reading's number will be one of those noted.
    pub(crate) fn next_is_noted(&self) -> bool {
        self.is_noted(self.next)
    }
}
