//! The writer takes bundles, keeps states, and knows which rows are events.

use std::time::Instant;

use super::Writer;
use super::group::GROUP;
use super::states::KeptStates;
use crate::journal::bundle::{States, pack, unpack};
use crate::journal::entry::Entry;
use crate::journal::fresh::{Fresh, Parts};
use crate::journal::row::{PROVISIONAL, Row};
use crate::journal::storage::kept_states;

impl Writer {
    /// Takes what is stored together. With an event in it the commit is due at once, else with that of the readings.
    pub(super) fn take_bundle(&mut self, fresh: &Fresh, parts: Parts, now: Instant) {
        let Parts { mut rows, states } = parts;
        for row in &mut rows {
            (row.seq, row.start) = (self.numbers.take(), self.start);
            self.seal(row);
        }
        self.room.keep(&pack(fresh.row(), &rows, &states), fresh.ticket, self.holds_nothing());
        let is_urgent = rows.iter().any(Row::is_event) || !self.group.is_close(now);
        for row in rows {
            if row.is_event() {
                self.events.push(row.seq);
            }
            self.group.push(row, now);
        }
        let due = if is_urgent { now } else { now + GROUP };
        if is_urgent {
            self.group.hurry(now);
        }
        self.states.take(states, due);
        self.state_turns(fresh.stamp, now);
    }

    /// What a killed program has left in the waiting room, taken apart.
    pub(super) fn unpack_left(&mut self, left: Vec<Row>, now: Instant) -> Vec<Row> {
        let mut states = States::new();
        let rows = left.into_iter().flat_map(|row| unpack(row, &mut states)).collect();
        self.states.take(states, now);
        rows
    }

    /// What the disk has not got of the states, as the waiting room keeps it.
    pub(super) fn states_to_keep(&self) -> Option<Row> {
        (!self.states.is_written()).then(|| pack(&Row::empty(), &[], &self.states.unwritten()))
    }

    /// What is kept, by name; as far as the disk can be read.
    pub(crate) fn states(&mut self, now: Instant) -> States {
        let on_disk = self.storage.attempt(now, |disk| kept_states::read(disk.connection()));
        self.states.learn(on_disk.unwrap_or_default());
        self.states.all().clone()
    }

    /// Forgets all of it. Whether the disk has none of it any more.
    pub(crate) fn forget_states(&mut self, now: Instant) -> bool {
        self.states = KeptStates::default();
        self.storage.attempt(now, |disk| kept_states::forget(disk.connection())).is_some()
    }

    /// Up to so many events that can be sent, oldest first, of those that are `free`; those that wait for their commit only
    /// `with_group`. One that can't be found is no event any more.
    pub(crate) fn events(
        &mut self,
        limit: usize,
        with_group: bool,
        free: impl Fn(u64, &Self) -> bool,
        now: Instant,
    ) -> Vec<Entry> {
        self.look_for_events(now);
        if self.events.is_empty() || self.is_unnumbered() {
            return Vec::new();
        }
        let seqs: Vec<u64> = self.events.all().filter(|seq| free(*seq, self)).take(limit).collect();
        let mut entries = Vec::new();
        for seq in seqs {
            if let Some(row) = self.held_after(seq.saturating_sub(1), true).find(|row| row.seq == seq) {
                if with_group || !self.group.rows().iter().any(|row| row.seq == seq) {
                    entries.extend(self.entry_of_held(row));
                }
                continue;
            }
            match self.storage.attempt(now, |disk| disk.at(seq)) {
                Some(Some((row, offset))) => entries.extend(self.entry(&row, offset, now)),
                Some(None) => self.events.remove(seq),
                None => break,
            }
        }
        entries
    }

    fn look_for_events(&mut self, now: Instant) {
        if !self.events.is_stale() || !self.storage.is_open() {
            return;
        }
        let Some(on_disk) = self.storage.attempt(now, |disk| disk.events(super::event_queue::MOST)) else {
            return;
        };
        let held = self.memory.all().chain(self.group.rows()).filter(|row| row.is_event()).map(|row| row.seq);
        let gone = &self.gone;
        let waiting = on_disk.into_iter().filter(|seq| !gone.contains(seq) && *seq < PROVISIONAL);
        self.events.set(waiting.chain(held));
    }
}
