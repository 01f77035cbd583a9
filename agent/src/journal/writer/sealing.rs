//! The writer and its ledger: what is sealed when, and what the device states in the chain.

use std::time::Instant;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::Writer;
use super::boot_offset::Lead;
use crate::journal::entry::Entry;
use crate::journal::ledger::Ledger;
use crate::journal::row::{PROVISIONAL, Row};
use crate::journal::storage::disk::Disk;
use crate::platform::clock::rfc3339;
use crate::reading::{Reading, Stamp};
use crate::trip::Terms;
use tracker_evidence::{Hash, Statement};

impl Writer {
    /// There is to be a chain, with a first trip by these terms; or none any more.
    pub(crate) fn set_evidence(&mut self, terms: Option<Terms>) {
        self.ledger.set_evidence(terms);
    }

    /// Readings that have their number are not sealed yet, and must not be sent.
    pub(crate) fn is_unsealed(&self) -> bool {
        self.unsealed
    }

    /// The last entry of the chain, where all that has been taken is in it.
    pub(crate) fn head(&self) -> Option<(u64, Hash)> {
        self.ledger.head().filter(|_| self.seals())
    }

    /// Whether what is taken now can be sealed.
    fn seals(&self) -> bool {
        self.time_is_known() && !self.unnumbered && !self.unsealed
    }

    /// Seals a row that has just got its number, if it is to be, and can be yet.
    pub(super) fn seal(&mut self, row: &mut Row) {
        if row.seq >= PROVISIONAL {
            return;
        }
        if !self.ledger.is_active() {
            if row.turn().is_none() {
                return;
            }
            self.ledger.expect_turn();
        }
        if self.seals() {
            let offset = self.offset_of(row);
            self.ledger.seal(row, offset);
        } else {
            self.unsealed = true;
        }
    }

    /// States what must stand in the chain before the next reading.
    pub(super) fn state_beginnings(&mut self, stamp: Stamp, now: Instant) {
        if !self.seals() {
            return;
        }
        if let Some(statement) = self.ledger.begin(self.numbers.next()) {
            self.state(&statement, stamp, now);
        }
        if let Some(terms) = self.ledger.wanted_trip() {
            self.begin_trip(terms, stamp, now);
        }
        self.state_late(stamp, now);
    }

    /// States what could not be stated before what it is about was sealed.
    fn state_late(&mut self, stamp: Stamp, now: Instant) {
        while let Some(fields) = self.ledger.next_late() {
            self.state_fields(fields, stamp, now);
        }
    }

    /// Has the device say something: an entry as readings are.
    fn state(&mut self, statement: &Statement, stamp: Stamp, now: Instant) {
        self.state_fields(statement.to_fields(), stamp, now);
    }

    fn state_fields(&mut self, fields: String, stamp: Stamp, now: Instant) {
        let row = Row::new(Reading { stamp, fields, alerts: Vec::new() });
        let mut row = Row { seq: self.numbers.take(), start: self.start, ..row };
        self.seal(&mut row);
        self.room.keep(&row, None, self.holds_nothing());
        self.group.push(row, now);
        self.group.hurry(now);
    }

    /// Whether something must be stated before the next reading, and can be.
    pub(super) fn has_to_state(&self) -> bool {
        self.ledger.has_to_state() && self.seals()
    }

    /// Takes note where nothing that is sealed can be lost with the power.
    pub(super) fn settle(&mut self) {
        if self.memory.len() == 0 && self.group.rows().is_empty() {
            self.ledger.settle();
        }
    }

    /// Begins a trip. False while the time is not known.
    pub(crate) fn begin_trip(&mut self, terms: Terms, stamp: Stamp, now: Instant) -> bool {
        if !self.seals() {
            return false;
        }
        if let Some(statement) = self.ledger.begin(self.numbers.next()) {
            self.state(&statement, stamp, now);
        }
        // It has the statement behind it then, and is not begun by that again.
        let begin = Statement::TripBegin(terms.to_map());
        self.ledger.begin_trip(terms);
        self.state(&begin, stamp, now);
        true
    }

    /// Ends the trip, and gives its report; `None` where there is none, or the time is not known.
    pub(crate) fn end_trip(
        &mut self,
        stamp: Stamp,
        earlier: bool,
        now: Instant,
    ) -> Option<Map<String, Value>> {
        let mut report = self.seals().then(|| self.ledger.end_trip()).flatten()?;
        if earlier {
            report.insert("earlier".into(), true.into());
        }
        self.state(&Statement::TripEnd(report.clone()), stamp, now);
        Some(report)
    }

    /// As it is sent: without its hash, where there is to be no evidence any more.
    pub(super) fn shown(&self, entry: Entry) -> Entry {
        Entry { chain: entry.chain.filter(|_| self.ledger.has_evidence()), ..entry }
    }

    /// Forgets chain and trip. Whether the disk has.
    pub(crate) fn forget_evidence(&mut self, now: Instant) -> bool {
        self.ledger = Ledger::default();
        self.storage.attempt(now, Disk::forget_evidence).is_some()
    }

    /// The report of the trip under way.
    pub(crate) fn trip_report(&self) -> Option<Map<String, Value>> {
        self.ledger.trip().map(crate::trip::Trip::report)
    }

    /// Takes what the file has of the ledger.
    pub(super) fn load_ledger(&mut self, now: Instant) {
        let found = self.storage.attempt(now, |disk| Ok((disk.notes()?, disk.newest()?)));
        if let Some((notes, newest)) = found {
            self.ledger.take_in(&notes, newest.as_ref().map(|(row, _)| row));
        }
    }

    /// Takes note of a reading that a killed program has left. Whether its row has changed by that. Behind one that is `broken`
    /// out of the chain there is none.
    pub(super) fn seal_left(&mut self, row: &mut Row, broken: &mut bool) -> bool {
        if row.seq >= PROVISIONAL {
            return false;
        }
        // It had a number before its hash was there.
        let unsealed = row.chain().is_none();
        if unsealed {
            // Without its time it was not sent; nor was what came after.
            *broken |= row.utc_ms.is_none();
            if !*broken {
                self.ledger.chain_again(row);
            }
        }
        self.ledger.learn_of(row);
        unsealed && row.chain().is_some()
    }

    /// Seals what is not on the disk, once all that is has been.
    pub(super) fn seal_held(&mut self, now: Instant) {
        if !std::mem::take(&mut self.unsealed) || !self.ledger.is_active() {
            return;
        }
        let offset = self.offset.ms();
        for row in self.memory.each_mut().chain(self.group.each_mut()) {
            if row.chain().is_none() && row.seq < PROVISIONAL {
                let offset = offset.filter(|_| row.boot.is_none());
                self.ledger.seal(row, offset);
            }
        }
        if let Some(stamp) = self.stated_at {
            self.state_late(stamp, now);
        }
        self.tell_room();
    }

    /// States what a bundle has meant for the trip, behind it.
    pub(super) fn state_turns(&mut self, stamp: Stamp, now: Instant) {
        if self.seals() {
            self.state_late(stamp, now);
        }
    }

    /// Looks whether there is an event that means something for the trip among what is to be sealed.
    pub(super) fn look_for_turns(&mut self, now: Instant) {
        if self.ledger.is_active() {
            return;
        }
        let mut held = self.memory.all().chain(self.group.rows());
        if held.any(|row| row.turn().is_some())
            || self.storage.attempt(now, |disk| disk.has_turn()) == Some(true)
        {
            self.ledger.expect_turn();
        }
    }

    /// What was not on the disk has got other numbers: what was sealed of it is sealed anew, in a chain of its own.
    pub(super) fn unseal_held(&mut self) {
        if !self.ledger.has_evidence() {
            return;
        }
        self.ledger.break_chain();
        for row in self.memory.each_mut().chain(self.group.each_mut()) {
            self.unsealed |= row.chain().is_some();
            row.set_chain(None);
        }
    }

    /// Readings in the chain keep their times; that they were ahead is stated.
    pub(super) fn state_redated(&mut self, lead: Lead, stamp: Stamp, now: Instant) {
        let Some((offset, utc)) = self.offset.ms().zip(stamp.utc) else { return };
        if self.ledger.head().is_none() || !self.seals() {
            return;
        }
        let text = |ms: i64| DateTime::from_timestamp_millis(ms).map(rfc3339).unwrap_or_default();
        let (from, to) = (lead.from_monotonic_ms + offset, utc.timestamp_millis() + lead.ms);
        let redated = Statement::Redated { from: text(from), to: text(to), ahead_ms: lead.ms };
        self.state(&redated, stamp, now);
    }

    /// Memory has become coarser: where the chain runs through it, that is stated.
    pub(super) fn state_thinned(&mut self, now: Instant) {
        while let Some((gone, runs)) = self.memory.take_thinned() {
            let Some(stamp) = self.stated_at else { return };
            self.state(&Statement::Thinned { gone, runs }, stamp, now);
        }
    }

    /// Takes thinning of the file one step further. `None` where the disk fails.
    pub(super) fn thin_disk(&mut self, kept: impl Fn(u64) -> bool, now: Instant) -> Option<u64> {
        let mark = self.ledger.mark();
        let (stamp, start, spares_events) = (self.stated_at, self.start, !self.events.is_full());
        let (ledger, numbers, offset) = (&mut self.ledger, &mut self.numbers, self.offset.ms());
        let thinned = self.storage.attempt(now, |disk: &mut Disk| {
            disk.thin(kept, spares_events, |gone, runs| {
                let fields = Statement::Thinned { gone, runs }.to_fields();
                let row = Row::new(Reading { stamp: stamp?, fields, alerts: Vec::new() });
                let mut row = Row { seq: numbers.take(), start, ..row };
                ledger.seal(&mut row, offset);
                Some(row)
            })
        });
        match thinned {
            Some(_) => self.settle(),
            None => self.ledger.go_back(mark),
        }
        thinned
    }
}
