//! The ledger: has every reading sealed once, when its number and its time are final, in the order of numbers.
//!
//! Sealing puts a reading's hash into its row, and the reading into the report of the trip. What is sealed does not change any
//! more: of a time that turns out to have been ahead the chain has a statement. Without evidence and trip nothing is sealed.
//!
//! | kept in the file's table `evidence` | |
//! |---|---|
//! | `head` | number and hash of the entry up to which all is in the file or at the hub; where a newer reading in the file has a hash, that one counts |
//! | `late` | what is still to be stated of entries that are sealed already, one statement a line |
//! | `trip` | the trip under way, with the number up to which it was fed; empty when one has ended |
//! | `hours` | its completed hours, written once an hour |
//!
//! They are written in the transaction that makes the readings durable. What is sealed and may still be lost with the power is in
//! none of them: the next start goes on from before it, and says so.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::row::Row;
use crate::event_message::Turn;
use crate::trip::{BY_ITSELF, Hours, Terms, Trip};
use tracker_evidence::canonical::{Member, members};
use tracker_evidence::{Hash, STATEMENT, Statement, is_statement};

/// What is known of the chain and of the trip.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Whether there is to be a chain.
    evidence: bool,
    /// The last entry of the chain.
    head: Option<(u64, Hash)>,
    /// The entry up to which nothing can be lost with the power: it is in the file, or the hub has it.
    settled: Option<(u64, Hash)>,
    /// What was asked for at the start: the chain goes on from there once something is sealed.
    begun: bool,
    /// What is still to be stated: that the chain has begun anew, or the first trip, with an entry that is sealed already.
    late: Vec<String>,
    /// What of it was stated, and can still be lost with the power: after that it is stated again.
    told: Vec<String>,
    /// The file has something of it.
    late_kept: bool,
    /// Readings of a killed program were put behind the head, which is to be stated.
    goes_on: bool,
    /// By what the first trip is measured, which begins with the chain.
    first_trip: Option<Terms>,
    trip: Option<Trip>,
    fed_to: u64,
    /// There was a trip once.
    had_trip: bool,
    /// The file does not have the trip as it is.
    trip_changed: bool,
    /// The newest hour that the file has.
    hours_kept: Option<i64>,
    /// The trip ends with the next reading.
    ending: bool,
    /// An event that is not sealed yet means something for the trip.
    expects_turn: bool,
}

/// The trip as it is kept; lent to be written, which happens with every commit.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    to: u64,
    trip: T,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ending: bool,
}

/// What is to be written beside readings: a name, and its value.
pub(super) type Note = (&'static str, Vec<u8>);

/// What a ledger can do over: put back where the disk did not take what it had sealed.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    head: Option<(u64, Hash)>,
    begun: bool,
    late: Vec<String>,
    trip: Option<Trip>,
    fed_to: u64,
    had_trip: bool,
    ending: bool,
}

impl Ledger {
    /// Whether anything is to be sealed.
    pub(super) fn is_active(&self) -> bool {
        self.evidence || self.trip.is_some() || self.expects_turn || !self.late.is_empty()
    }

    /// There is an event that means something for the trip.
    pub(super) fn expect_turn(&mut self) {
        self.expects_turn = true;
    }

    /// Whether readings carry hashes.
    pub(super) fn has_evidence(&self) -> bool {
        self.evidence
    }

    /// There is to be a chain, with a first trip by these terms; or none any more.
    pub(super) fn set_evidence(&mut self, first_trip: Option<Terms>) {
        self.evidence = first_trip.is_some();
        self.begun &= self.evidence;
        self.first_trip = first_trip;
        if !self.evidence {
            // Trips are told without a chain, too.
            self.late.retain(|late| is_of_trip(late));
            self.told.retain(|told| is_of_trip(told));
        }
    }

    /// The last entry of the chain.
    pub(super) fn head(&self) -> Option<(u64, Hash)> {
        self.head.filter(|_| self.evidence && self.begun)
    }

    /// The trip under way.
    pub(super) fn trip(&self) -> Option<&Trip> {
        self.trip.as_ref()
    }

    /// By what a trip is measured that is to begin by itself: evidence is wanted, and there never was one.
    pub(super) fn wanted_trip(&self) -> Option<Terms> {
        if self.had_trip { None } else { self.first_trip.clone() }
    }

    /// What must be stated before the entry `from` is sealed; `None` once it has been.
    pub(super) fn begin(&mut self, from: u64) -> Option<Statement> {
        if !self.evidence || self.begun {
            return None;
        }
        self.begun = true;
        // What is written anew under numbers from here on can't follow itself.
        self.head = self.head.filter(|(seq, _)| *seq < from);
        self.settled = self.settled.filter(|(seq, _)| *seq < from);
        Some(Statement::start(from, self.head))
    }

    /// The chain begins anew with the next entry.
    pub(super) fn break_chain(&mut self) {
        (self.head, self.settled, self.begun) = (None, None, false);
    }

    /// Seals a row whose number is final: fixes its time by the offset of its boot, where it has none of its own, gives it its
    /// hash, and feeds the trip.
    pub(super) fn seal(&mut self, row: &mut Row, offset_ms: Option<i64>) {
        row.utc_ms = row.utc_ms.or_else(|| offset_ms?.checked_add(row.monotonic_ms));
        let Some(body) = row.body() else { return };
        if self.evidence && !self.begun {
            let start = self.begin(row.seq);
            self.late.extend(start.as_ref().map(Statement::to_fields));
        }
        let begins_one = || matches!(row.turn(), Some(Turn::Begin(_)));
        if let Some(terms) = self.wanted_trip().filter(|_| !row.is_statement() && !begins_one()) {
            let terms = Terms { from: Some(row.seq), ..terms };
            self.late.push(Statement::TripBegin(terms.to_map()).to_fields());
            self.begin_trip(terms);
        }
        let mut members = members(&body);
        // What a failing disk gives late can't be put between others any more.
        if self.evidence && self.head.is_none_or(|(seq, _)| seq < row.seq) {
            let before = self.head.map_or(Hash::NONE, |(_, hash)| hash);
            let hash = members.as_mut().and_then(|members| before.next_of(members, body.len()));
            if let Some(hash) = hash {
                row.set_chain(Some(hash));
                self.head = Some((row.seq, hash));
            }
        }
        if row.seq > self.fed_to {
            self.feed(row, is_statement(&body), members.as_deref());
        }
    }

    /// What is to be stated next after what was sealed, as it could not be before.
    pub(super) fn next_late(&mut self) -> Option<String> {
        let next = (!self.late.is_empty()).then(|| self.late.remove(0))?;
        self.told.push(next.clone());
        Some(next)
    }

    /// Whether something must be stated before the next reading.
    pub(super) fn has_to_state(&self) -> bool {
        self.evidence && !(self.begun && self.had_trip && self.late.is_empty())
    }

    /// Nothing of what is sealed can be lost with the power any more.
    pub(super) fn settle(&mut self) {
        self.settled = self.head;
        self.told.clear();
    }

    /// Gives a row that a killed program has left the hash that it had been given, where there is a chain.
    pub(super) fn chain_again(&mut self, row: &mut Row) {
        let before = self.head.filter(|(seq, _)| *seq < row.seq);
        let hash = before.zip(row.body()).and_then(|((_, hash), body)| hash.next(&body));
        // That program may have stated nothing of where it went on from.
        if hash.is_some() && !std::mem::replace(&mut self.goes_on, true) {
            self.late.push(Statement::start(row.seq, before).to_fields());
        }
        row.set_chain(hash);
    }

    /// A row that was sealed by a program that was killed: the file may not know of it.
    pub(super) fn learn_of(&mut self, row: &Row) {
        if let Some(hash) = row.chain()
            && self.head.is_none_or(|(seq, _)| seq < row.seq)
        {
            self.head = Some((row.seq, hash));
        }
        if row.seq > self.fed_to
            && let Some(body) = row.body()
        {
            if row.is_statement() {
                self.learn_of_statement(&body);
            }
            self.feed(row, is_statement(&body), members(&body).as_deref());
        }
    }

    /// What was stated of trips is not to be stated again. Where nothing else told of it, it is done now; what was to begin
    /// earlier than it was stated begins anew.
    fn learn_of_statement(&mut self, body: &str) {
        let Ok(terms) = serde_json::from_str::<Map<String, Value>>(body) else { return };
        let kind = terms.get("evidence").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "tripBegin" | "tripEnd") {
            return;
        }
        let start = format!("{STATEMENT}\"{kind}\"");
        let late = self.late.iter().position(|late| late.starts_with(&start));
        match late {
            Some(at) => drop(self.late.remove(at)),
            None if kind == "tripEnd" => drop(self.end_trip()),
            None if !terms.contains_key("from") => self.begin_trip_of(terms, None),
            None => {}
        }
    }

    /// Feeds the trip with the members of a body.
    fn feed(&mut self, row: &Row, is_statement: bool, body: Option<&[Member<'_>]>) {
        if let Some(turn) = row.turn() {
            self.turn(turn, row.seq);
        }
        let Some(trip) = &mut self.trip else { return };
        (self.fed_to, self.trip_changed) = (row.seq, true);
        // Statements and events have a time, and are no readings.
        if !is_statement && !row.is_event() {
            if let Some(body) = body {
                trip.feed_members(body);
            }
            if self.ending {
                self.end_at(row.seq);
            }
        }
    }

    /// An event of this number means this for the trip.
    fn turn(&mut self, turn: Turn, seq: u64) {
        self.expects_turn = false;
        let by = self.trip.as_ref().map(|trip| trip.terms().by.as_str());
        match turn {
            Turn::Begin(terms) if by.is_none_or(|by| by == BY_ITSELF) => {
                self.end_at(seq - 1);
                self.begin_trip_of(terms, Some(seq));
                let terms = self.trip.as_ref().map(|trip| trip.terms().to_map());
                self.late.extend(terms.map(|terms| Statement::TripBegin(terms).to_fields()));
            }
            Turn::Begin(_) => {}
            Turn::End => self.ending = by.is_some(),
        }
    }

    /// The trip has ended with this entry, which is to be stated.
    fn end_at(&mut self, to: u64) {
        let report = self.end_trip();
        self.late.extend(report.map(|mut report| {
            report.insert("to".to_owned(), to.into());
            Statement::TripEnd(report).to_fields()
        }));
    }

    fn begin_trip_of(&mut self, terms: Map<String, Value>, from: Option<u64>) {
        if let Ok(terms) = serde_json::from_value::<Terms>(terms.into()) {
            self.begin_trip(Terms { from: from.or(terms.from), ..terms });
        }
    }

    /// A trip begins; what is sealed from now on belongs to it.
    pub(super) fn begin_trip(&mut self, terms: Terms) {
        self.trip = Some(Trip::new(terms));
        (self.had_trip, self.trip_changed, self.hours_kept) = (true, true, None);
        self.ending = false;
    }

    /// The trip has ended: its report.
    pub(super) fn end_trip(&mut self) -> Option<Map<String, Value>> {
        let trip = self.trip.take()?;
        (self.trip_changed, self.ending) = (true, false);
        Some(trip.report())
    }

    /// Where it stands, to go back to.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            head: self.head,
            begun: self.begun,
            late: self.late.clone(),
            trip: self.trip.clone(),
            fed_to: self.fed_to,
            had_trip: self.had_trip,
            ending: self.ending,
        }
    }

    /// Goes back.
    pub(super) fn go_back(&mut self, mark: Mark) {
        let Mark { head, begun, late, trip, fed_to, had_trip, ending } = mark;
        (self.head, self.begun, self.late, self.ending) = (head, begun, late, ending);
        (self.trip, self.fed_to, self.had_trip) = (trip, fed_to, had_trip);
    }

    /// What the file is to have beside the readings; `all` that is sealed becomes durable with it, or only what is now.
    pub(super) fn notes(&self, all: bool) -> Vec<Note> {
        let mut notes = Vec::new();
        if let Some((seq, hash)) = self.settled.filter(|_| !all && self.evidence) {
            notes.push((HEAD, format!("{seq} {hash}").into_bytes()));
        }
        if self.late_kept || self.has_late(all) {
            let late: Vec<&str> =
                self.told.iter().filter(|_| !all).chain(&self.late).map(String::as_str).collect();
            notes.push((LATE, late.join("\n").into_bytes()));
        }
        if self.trip_changed {
            let kept = Kept { to: self.fed_to, trip: &self.trip, ending: self.ending };
            notes.push((TRIP, serde_json::to_vec(&kept).unwrap_or_default()));
            if let Some(hours) =
                self.trip.as_ref().map(Trip::hours).filter(|hours| hours.newest() != self.hours_kept)
            {
                notes.push((HOURS, hours.to_bytes()));
            }
        }
        notes
    }

    fn has_late(&self, all: bool) -> bool {
        !self.late.is_empty() || !(all || self.told.is_empty())
    }

    /// Whether the file does not have the trip as it is.
    pub(super) fn has_news(&self) -> bool {
        self.trip_changed
    }

    /// The file has what [`Ledger::notes`] gave.
    pub(super) fn noted(&mut self, all: bool) {
        self.late_kept = self.has_late(all);
        if all {
            self.settle();
        }
        if std::mem::take(&mut self.trip_changed) {
            self.hours_kept = self.trip.as_ref().and_then(|trip| trip.hours().newest());
        }
    }

    /// Takes what the file has; `newest` is the newest reading there. What is known already is newer.
    pub(super) fn take_in(&mut self, notes: &[(String, Vec<u8>)], newest: Option<&Row>) {
        let note = |name: &str| notes.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_slice());
        if self.head.is_none() && !self.begun {
            let head = note(HEAD).and_then(|value| std::str::from_utf8(value).ok()?.split_once(' '));
            let head = head.and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.parse().ok()?)));
            let newest = newest.and_then(|row| Some((row.seq, row.chain()?)));
            self.head = head.into_iter().chain(newest).max();
            self.settled = self.head;
        }
        // Of this run the file has nothing that is not known.
        if let Some(late) = note(LATE).filter(|_| !self.late_kept && !self.has_late(false)) {
            let late = std::str::from_utf8(late).unwrap_or_default();
            self.late = late.lines().map(str::to_owned).collect();
            self.late_kept = !self.late.is_empty();
        }
        if self.trip.is_none()
            && !self.had_trip
            && let Some(Kept::<Option<Trip>> { to, trip, ending }) =
                note(TRIP).and_then(|value| serde_json::from_slice(value).ok())
        {
            (self.trip, self.fed_to, self.had_trip, self.ending) = (trip, to, true, ending);
            if let (Some(trip), Some(hours)) = (&mut self.trip, note(HOURS)) {
                trip.set_hours(Hours::from_bytes(hours));
                self.hours_kept = trip.hours().newest();
            }
        }
    }
}

/// Whether these fields are a statement of a trip.
fn is_of_trip(fields: &str) -> bool {
    fields.strip_prefix(STATEMENT).is_some_and(|kind| kind.starts_with("\"trip"))
}

const HEAD: &str = "head";
const LATE: &str = "late";
const TRIP: &str = "trip";
const HOURS: &str = "hours";
