//! The writer: takes readings, numbers them, makes them durable, and keeps them in memory while the disk fails.

mod boot_offset;
mod bundles;
mod event_queue;
pub(crate) mod group;
pub(crate) mod numbers;
mod sealing;
mod sending;
mod states;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::journal::fresh::Fresh;
use crate::journal::leases::Leases;
use crate::journal::ledger::Ledger;
use crate::journal::needs_disk::NeedsDisk;
use crate::journal::row::{PROVISIONAL, Row};
use crate::journal::shared::Shared;
use crate::journal::storage::Storage;
use crate::journal::storage::disk::Disk;
use crate::journal::storage::memory::Memory;
use crate::journal::waiting_room::WaitingRoom;
use crate::reading::Stamp;
use boot_offset::BootOffset;
use event_queue::EventQueue;
use group::Group;
use numbers::Numbers;
use states::KeptStates;

/// The size is looked at after so many readings.
pub(crate) const LOOK_AT_SIZE: u64 = 64;
/// Steps of thinning at every look, at the most.
const STEPS: u32 = 16;
/// Acknowledged rows are deleted when so many have gathered, if no reading comes before.
const FORGET_AT: usize = 256;
/// Numbers are noted as given so many at a time, for readings that are sent before they are durable.
const NUMBERS: u64 = 64;

/// All readings that are there: those on the disk, those in memory, and those that wait for their commit.
pub(crate) struct Writer {
    storage: Storage,
    /// Has what the storage has not.
    room: Arc<WaitingRoom>,
    shared: Arc<Shared>,
    /// Random, new at every start of the program.
    start: u32,
    numbers: Numbers,
    offset: BootOffset,
    memory: Memory,
    group: Group,
    states: KeptStates,
    events: EventQueue,
    /// Acknowledged, and not yet deleted from the disk.
    gone: BTreeSet<u64>,
    since_size_check: u64,
    /// The disk has provisional numbers although the time is known.
    unnumbered: bool,
    /// What was not on the disk has got other numbers.
    renumbered: bool,
    ledger: Ledger,
    /// Some of what is not on the disk has its number, and is not sealed: what is on the disk must be before.
    unsealed: bool,
    /// The last time that was known.
    stated_at: Option<Stamp>,
}

/// What is found in a file that has just been opened.
struct Found {
    /// Numbers of readings that memory holds too: a commit that failed may have come through all the same.
    both: BTreeSet<u64>,
    last: Option<u64>,
    provisional: Option<u64>,
    thinned: u64,
}

impl Writer {
    pub(crate) fn new(storage: Storage, room: Arc<WaitingRoom>, shared: Arc<Shared>, start: u32) -> Self {
        Self {
            storage,
            room,
            shared,
            start,
            numbers: Numbers::default(),
            offset: BootOffset::default(),
            memory: Memory::default(),
            group: Group::default(),
            states: KeptStates::default(),
            events: EventQueue::default(),
            gone: BTreeSet::new(),
            since_size_check: 0,
            unnumbered: false,
            renumbered: false,
            ledger: Ledger::default(),
            unsealed: false,
            stated_at: None,
        }
    }

    /// Opens the file, and brings together what it has and what memory holds.
    pub(crate) fn open(&mut self, now: Instant) {
        let is_open = self.storage.open(now);
        self.load_ledger(now);
        self.states.distrust_disk();
        self.events.distrust();
        self.take_in_left(now);
        if is_open {
            if self.save_left(now) && self.ledger.has_news() {
                // What the trip made of them goes where they went, before the waiting room forgets them.
                self.append_nothing(0, now);
            }
            let memory = &self.memory;
            let found = self.storage.attempt(now, |disk| look_into(disk, memory));
            if let Some(found) = found {
                self.bring_together(&found, now);
            }
        }
        self.tidy_room();
        self.count_backlog();
    }

    fn bring_together(&mut self, found: &Found, now: Instant) {
        self.memory.forget(&found.both);
        self.shared.stats().thinned = found.thinned;
        let free = self.numbers.learn_of(found.last, found.provisional);
        let start = self.start;
        let is_own = |row: &Row| row.start == start;
        if self.first_held(is_own).is_some_and(|first| first < free) {
            let (memory, group) = (&mut self.memory, &mut self.group);
            self.numbers.give_anew(|next| renumber(memory, group, next, is_own));
            self.unseal_held();
            self.tell_room();
            self.renumbered = true;
            self.events.renumbered();
        }
        if let (Some(provisional), true) = (found.provisional, self.time_is_known()) {
            self.numbers.leave_room_for(provisional);
            self.unnumbered = true;
        }
        if !self.unnumbered {
            self.seal_held(now);
        }
        self.offset.set_stored(false);
        self.store_offset(now);
    }

    /// Takes what a killed program has left in the waiting room into memory, once. Readings that have a number keep it.
    fn take_in_left(&mut self, now: Instant) {
        let left = self.room.take_left();
        if left.is_empty() {
            return;
        }
        let mut odd = left.iter().any(|row| row.seq == 0 || row.boot.is_some());
        let mut left = self.unpack_left(left, now);
        // What had no number yet when it came in may stand before what had.
        left.sort_by_key(|row| if row.seq == 0 { u64::MAX } else { row.seq });
        let highest = |provisional| {
            let seqs = left.iter().map(|row| row.seq);
            seqs.filter(|seq| (*seq >= PROVISIONAL) == provisional).max()
        };
        self.numbers.learn_of(highest(false), highest(true));
        if let Some((last, provisional)) = self.storage.attempt(now, |disk| disk.last_numbers()) {
            self.numbers.learn_of(last, provisional);
        }
        let mut broken = false;
        for mut row in left {
            odd |= row.seq != 0 && self.seal_left(&mut row, &mut broken);
            if row.seq == 0 {
                (row.seq, row.start) = (self.numbers.take(), self.start_of_left());
            }
            self.memory.insert(row, |_| false);
        }
        if odd {
            self.tell_room();
        }
    }

    /// The start of readings that this one has numbered and not taken.
    fn start_of_left(&self) -> u32 {
        self.start.wrapping_add(1)
    }

    /// Moves what a killed program has left from memory to the disk, under the numbers under which it may have been sent and
    /// may be there already. Whether nothing of it is left in memory.
    fn save_left(&mut self, now: Instant) -> bool {
        let start = self.start;
        // Numbers that are given anew are free.
        for _ in 0..2 {
            let mut rows: Vec<Row> = self.memory.all().filter(|row| row.start != start).cloned().collect();
            if rows.is_empty() {
                return true;
            }
            let (states, notes) = (self.states.to_write(), self.ledger.notes(false));
            let saved = self.storage.attempt(now, |disk| {
                disk.adopt(&mut rows, &states, &notes)?;
                let strange = rows.iter().map(|row| Ok((row.seq, !disk.holds(row)?)));
                Ok((disk.last_numbers()?, strange.collect::<rusqlite::Result<Vec<_>>>()?))
            });
            let Some(((last, provisional), saved)) = saved else { return false };
            self.states.written();
            self.ledger.noted(false);
            self.numbers.learn_of(last, provisional);
            for (seq, is_strange) in saved {
                // Where the disk has another reading under that number, it can't be the one that was sent.
                if let Some(mut row) = self.memory.remove(seq).filter(|_| is_strange) {
                    row.set_chain(None);
                    self.memory.insert(Row { seq: self.numbers.take(), ..row }, |_| false);
                    self.renumbered = true;
                    self.events.distrust();
                }
            }
            if !self.holds_nothing() {
                self.tell_room();
            }
        }
        self.memory.first(|row| row.start != start).is_none()
    }

    /// Readings that are not on the disk have got other numbers or times.
    fn tell_room(&self) {
        let states = self.states_to_keep();
        self.room.replace(self.memory.all().chain(self.group.rows()).chain(&states));
    }

    /// The waiting room need not have what is on the disk.
    fn tidy_room(&self) {
        if self.holds_nothing() {
            self.room.clear();
        } else if self.room.is_long() {
            self.tell_room();
        }
    }

    /// Whether what was not on the disk has got other numbers since this was last asked.
    pub(crate) fn was_renumbered(&mut self) -> bool {
        std::mem::take(&mut self.renumbered)
    }

    /// When [`Writer::commit`] is due: for those that wait for it, or because a disk that failed is to be tried again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.group.due().into_iter().chain(self.states.due()).chain(self.storage.retry_at()).min()
    }

    /// Whether the last reading came so short a time ago that the next one shares a commit.
    pub(crate) fn is_close(&self, now: Instant) -> bool {
        self.group.is_close(now)
    }

    /// Takes a reading; it is durable after the next [`Writer::commit`].
    pub(crate) fn take(&mut self, mut fresh: Fresh, now: Instant) {
        self.learn_time(fresh.stamp, now);
        if self.ledger.is_active() {
            self.state_beginnings(fresh.stamp, now);
        }
        if let Some(parts) = fresh.parts.take() {
            self.take_bundle(&fresh, *parts, now);
            return self.count_backlog();
        }
        let ticket = fresh.ticket;
        let mut row = fresh.numbered(self.numbers.take(), self.start);
        self.seal(&mut row);
        self.room.keep(&row, ticket, self.holds_nothing());
        self.group.push(row, now);
        self.count_backlog();
    }

    /// Whether all that is kept is on the disk, or acknowledged.
    fn holds_nothing(&self) -> bool {
        self.memory.len() == 0 && self.group.rows().is_empty() && self.states.is_written()
    }

    /// Takes a reading that shares a commit with others, which is not due yet.
    pub(crate) fn take_into_group(&mut self, fresh: Fresh, now: Instant) -> Result<(), NeedsDisk<Fresh>> {
        let is_urgent = fresh.parts.as_ref().is_some_and(|parts| parts.rows.iter().any(Row::is_event));
        let is_urgent = is_urgent || self.has_to_state();
        if !self.group.is_close(now) || self.group.is_full() || !self.knows(fresh.stamp) || is_urgent {
            return Err(NeedsDisk(fresh));
        }
        self.take(fresh, now);
        Ok(())
    }

    /// Makes durable what waits for it, and deletes what is acknowledged on the way. If the disk failed and it is time to,
    /// tries it again, and moves to it what memory has kept. What is leased is not thinned.
    pub(crate) fn commit(&mut self, leases: &Leases, now: Instant) {
        let stored = self.storage.may_try(now) && {
            self.storage.leave_displaced(now);
            self.store(now)
        };
        self.states.tried();
        let rows = self.group.take();
        let taken = rows.len() as u64;
        let mut dropped = 0;
        if !stored {
            dropped = rows.into_iter().map(|row| self.memory.insert(row, |seq| leases.is_leased(seq))).sum();
        }
        {
            let mut stats = self.shared.stats();
            stats.taken += taken;
            stats.dropped += dropped;
        }
        self.state_thinned(now);
        self.tidy_room();
        self.bound_size(taken, leases, now);
        self.count_backlog();
    }

    /// Writes what waits and what memory has kept. Whether the disk has it all.
    fn store(&mut self, now: Instant) -> bool {
        if !self.storage.is_open() {
            self.open(now);
        }
        if !self.write(now) {
            if self.storage.is_open() {
                return false;
            }
            // The file was damaged: there may be a new one.
            self.open(now);
            if !self.write(now) {
                return false;
            }
        }
        self.storage.works();
        true
    }

    fn write(&mut self, now: Instant) -> bool {
        // First things first: rows with higher numbers must not be there before.
        if !self.store_offset(now) || !self.save_left(now) || (self.unnumbered && !self.number_disk(now)) {
            return false;
        }
        let written = {
            let rows = self.memory.all().chain(self.group.rows());
            let in_trouble = self.storage.is_in_trouble();
            if rows.clone().next().is_none() && !in_trouble && self.states.is_written() {
                return self.storage.is_open();
            }
            // Whether the disk works again is seen by what it takes: where there is nothing else, a number long given.
            let (gone, given) = (&self.gone, u64::from(in_trouble));
            let (states, notes) = (self.states.to_write(), self.ledger.notes(true));
            self.storage.attempt(now, |disk| disk.append(&rows, gone, given, &states, &notes)).is_some()
        };
        if written {
            self.ledger.noted(true);
            self.gone.clear();
            self.memory.clear();
            self.states.written();
        }
        written
    }

    /// Thins the history while the file is too large.
    fn bound_size(&mut self, taken: u64, leases: &Leases, now: Instant) {
        self.since_size_check += taken;
        if self.since_size_check < LOOK_AT_SIZE || self.storage.has_failed() {
            return;
        }
        self.since_size_check = 0;
        let bound = self.storage.size_bound();
        let full = self.storage.attempt(now, |disk| {
            disk.reserve_spare();
            Ok(disk.used_bytes()? >= bound)
        });
        if full != Some(true) {
            return;
        }
        self.forget(now);
        for _ in 0..STEPS {
            let used = self.storage.attempt(now, |disk| disk.used_bytes());
            if used.is_none_or(|used| used < bound)
                || self.thin_disk(|seq| leases.is_leased(seq), now).is_none()
            {
                break;
            }
        }
        let thinned = self.storage.attempt(now, |disk| disk.thinned());
        if let Some(thinned) = thinned {
            self.shared.stats().thinned = thinned;
        }
    }

    /// The hub has this reading. Whether it was waiting for its commit, which it does not need any more.
    pub(crate) fn acknowledge(&mut self, seq: u64) -> bool {
        self.events.remove(seq);
        if self.group.remove(seq) {
            self.shared.stats().taken += 1;
            self.settle();
            return true;
        }
        if self.memory.remove(seq).is_some() {
            self.settle();
        } else {
            self.gone.insert(seq);
        }
        false
    }

    /// Whether so many readings can be acknowledged before some must be deleted.
    pub(crate) fn has_room_for_acknowledged(&self, count: usize) -> bool {
        self.gone.len() + count < FORGET_AT
    }

    pub(crate) fn is_acknowledged(&self, seq: u64) -> bool {
        self.gone.contains(&seq)
    }

    /// Deletes what is acknowledged.
    pub(crate) fn forget(&mut self, now: Instant) {
        if !self.gone.is_empty() && self.storage.may_try(now) {
            self.append_nothing(0, now);
        }
    }

    /// Deletes what is acknowledged, and notes numbers up to `given`. Whether it could.
    fn append_nothing(&mut self, given: u64, now: Instant) -> bool {
        self.settle();
        let (gone, notes) = (&self.gone, self.ledger.notes(false));
        let done =
            self.storage.attempt(now, |disk| disk.append(&[].iter(), gone, given, &[], &notes)).is_some();
        if done {
            self.gone.clear();
            self.ledger.noted(false);
        }
        done
    }

    /// Has a disk that failed tried at once.
    pub(crate) fn retry_at_once(&mut self) {
        self.storage.retry_at_once();
    }

    /// Leaves the file in good order.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.gone.is_empty() && self.ledger.is_active() && self.storage.may_try(now) {
            self.append_nothing(0, now);
        }
        self.forget(now);
        self.storage.attempt(now, |disk| disk.checkpoint().map(|_| ()));
        self.room.close(!self.holds_nothing());
    }

    pub(crate) fn count_backlog(&self) {
        let on_disk = self.storage.disk().map_or(0, Disk::rows);
        let held = self.memory.len() + self.group.rows().len() as u64 + self.storage.rows_displaced();
        let mut stats = self.shared.stats();
        stats.backlog = (on_disk + held).saturating_sub(self.gone.len() as u64);
        stats.in_memory = held;
    }
}

/// Numbers and times.
impl Writer {
    pub(crate) fn time_is_known(&self) -> bool {
        self.numbers.are_final()
    }

    /// Whether [`Writer::learn_time`] has nothing to note.
    pub(crate) fn knows(&self, stamp: Stamp) -> bool {
        stamp.utc.is_none() || (self.time_is_known() && self.offset.is_settled(stamp))
    }

    /// Takes note of the time, where it is known: this boot's offset, and numbers that can't have been used before.
    pub(crate) fn learn_time(&mut self, stamp: Stamp, now: Instant) {
        let Some(utc) = stamp.utc else { return };
        self.stated_at = Some(stamp);
        if let Some(lead) = self.offset.lead(stamp) {
            self.memory.each_mut().for_each(|row| lead.mend(row));
            self.group.each_mut().for_each(|row| lead.mend(row));
            self.tell_room();
            self.storage.attempt(now, |disk| disk.mend_times(lead.from_monotonic_ms, lead.ms));
            self.state_redated(lead, stamp, now);
        }
        if self.offset.learn(stamp) && self.storage.may_try(now) {
            self.store_offset(now);
        }
        if self.time_is_known() {
            return;
        }
        let shift = self.numbers.become_final(utc);
        self.events.renumbered();
        let is_provisional = |row: &Row| row.seq >= PROVISIONAL;
        if let Some(first) = self.first_held(is_provisional) {
            renumber(&mut self.memory, &mut self.group, first - shift, is_provisional);
            self.tell_room();
        }
        self.look_for_turns(now);
        self.unsealed = self.ledger.is_active();
        if !self.number_disk(now) && !self.storage.is_open() {
            // There is nothing that must be sealed before.
            self.seal_held(now);
        }
    }

    /// Whether the disk has this boot's offset, as far as it is known.
    fn store_offset(&mut self, now: Instant) -> bool {
        let Some(offset) = self.offset.to_store() else { return true };
        let stored = self.storage.attempt(now, |disk| disk.set_offset(offset)).is_some();
        self.offset.set_stored(stored);
        stored
    }

    /// Gives the disk's provisional rows their final numbers. Those that it can't give now are not sent until it can.
    fn number_disk(&mut self, now: Instant) -> bool {
        self.unnumbered = true;
        self.look_for_turns(now);
        let shift = self.numbers.shift();
        while self.unnumbered {
            let (ledger, offset) = (&mut self.ledger, self.offset.ms());
            let count = self.storage.attempt(now, |disk| disk.number_some(shift, offset, ledger));
            let Some(count) = count else { return false };
            // What is sealed is on the disk, but where some was before the disk could be read.
            if self.memory.all().chain(self.group.rows()).all(|row| row.chain().is_none()) {
                self.ledger.settle();
            }
            self.unnumbered = count > 0;
            self.events.distrust();
        }
        self.seal_held(now);
        true
    }

    /// The lowest number of those rows that are not on the disk.
    fn first_held(&self, which: impl Fn(&Row) -> bool) -> Option<u64> {
        self.memory.first(which).or(self.group.rows().first().map(|row| row.seq))
    }

    /// Readings that wait for their commit may be sent if their numbers can't come again, even if they never get to the
    /// disk. Whether it is so.
    pub(crate) fn note_numbers(&mut self, now: Instant) -> bool {
        let Some(last) = self.group.rows().last().map(|row| row.seq) else { return true };
        if !self.numbers.is_noted(last)
            && self.storage.may_try(now)
            && self.append_nothing(last + NUMBERS, now)
        {
            self.numbers.note(last + NUMBERS);
        }
        self.numbers.is_noted(last)
    }
}

#[cfg(test)]
impl Writer {
    /// The file, to be meddled with.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.storage.disk()
    }

    pub(crate) fn nothing_pending(&self) -> bool {
        self.group.rows().is_empty()
    }

    /// Readings that wait for their commit can't be sent before the disk has noted their numbers.
    pub(crate) fn may_send_pending(&self) -> bool {
        self.group.rows().last().is_none_or(|last| self.numbers.is_noted(last.seq))
    }

    pub(crate) fn nothing_in_memory(&self) -> bool {
        self.memory.len() == 0
    }
}

fn look_into(disk: &Disk, memory: &Memory) -> rusqlite::Result<Found> {
    let mut both = BTreeSet::new();
    for row in memory.all() {
        if disk.holds(row)? {
            both.insert(row.seq);
        }
    }
    let (last, provisional) = disk.last_numbers()?;
    Ok(Found { both, last, provisional, thinned: disk.thinned()? })
}

/// Numbers anew what of those rows memory has, and all that wait for their commit; gives the number after the last.
fn renumber(memory: &mut Memory, group: &mut Group, mut next: u64, which: impl Fn(&Row) -> bool) -> u64 {
    memory.renumber(&mut next, which);
    group.renumber(&mut next);
    next
}
