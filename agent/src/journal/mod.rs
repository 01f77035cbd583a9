//! Readings between being taken and being acknowledged by the hub.
//!
//! # Constraints
//!
//! Power goes at any moment, and the program may be killed at any; the network is away for weeks; the SD card wears with
//! every write and may fill up, turn read-only or return garbage; nobody is there to repair it. Sensing must never wait for
//! any of this.
//!
//! # Where to read what
//!
//! | what | where |
//! |---|---|
//! | `Journal`, the handle; it asks by `Command` | here, `command.rs`, `inbox.rs` |
//! | `Worker`, the thread; what needs no disk is done by who asks | `worker.rs` |
//! | `Sender`: what is handed out, what has arrived | `sender.rs`, `leases.rs` |
//! | `Writer`: what is taken, numbered, made durable | `writer/` |
//! | `WaitingRoom`: a file in memory that has what is not durable yet | `waiting_room/` |
//! | `Storage`: the file, the memory that stands in for it, setting aside | `storage/` |
//! | `Ledger`: the chain of evidence and the trip, of what has its number and its time | `ledger.rs`, `rechain.rs`, `writer/sealing.rs` |
//! | every fault that is survived, with its test | `tests/known_errors.rs` |
//!
//! None of these files imports one that imports it.
//!
//! # Format
//!
//! An SQLite file, `journal.db`, in WAL mode with `application_id` 0x43545231 ("CTR1") and `user_version` 1.
//!
//! | table | row | columns |
//! |---|---|---|
//! | `reading` | a reading, or an event, not known to be acknowledged | `seq`, `start`, `boot`, `monotonic_ms`, `utc_ms` (null: not known), `stands_for` (itself and the thinned ones beside it), `payload` (JSON) |
//! | `evidence` | what the ledger keeps (`ledger.rs`); there only once it had something to keep | `name`, `value` |
//! | `boot` | a boot of the machine | `id`, `name` (the kernel's boot ID), `offset_ms` (UTC less monotonic time; null: not known) |
//! | `state` | what was kept with readings, by name; there only once something was | `name`, `value` |
//! | `counter` | kept over restarts | `name`, `value`: `thinned`, the readings thinned ever; `last_seq`, the highest number of a reading that is gone |
//! | `unreadable` | a row of `reading` that could not be read, as it was; there only once one was put aside | as `reading` |
//!
//! # Invariants
//!
//! 1. A reading survives the end of the program, however it comes, from the moment when `Journal::append` returns: it is in
//!    the waiting room, with its number before it is sent. It counts as taken once it is durable (or, while the disk fails,
//!    in the memory that stands in for it), or the hub has acknowledged it. It is sent before that only while it waits for a
//!    commit that it shares, and only under a number that the file has noted as given.
//! 2. A row goes away only when the hub has acknowledged the reading, or when the history is thinned.
//! 3. `seq` only grows, and `start` (random, new at every start of the program) together with `seq` is the message ID,
//!    the same however often the reading is sent. Numbers begin, at every start, no lower than the milliseconds since
//!    2026-01-01, and no lower than any the file knows of. There is never more than one reading a second, so numbers
//!    fall ever farther behind the time, and none comes twice, not even when an old image of the card is put back or
//!    the journal is lost. While the time is not known numbers are provisional, 2^62 and above, also over a reboot;
//!    nothing is sent under them, and readings get their final numbers, oldest first, when the time becomes known.
//! 4. A reading whose time was not known gets it from the boot's offset as soon as that is known, even after a reboot
//!    where the boot it was taken in learned the time before it ended. Where the time then turns out to have been ahead by
//!    a few seconds (a receiver that did not know the leap seconds), the times taken from it go back by as much.
//! 5. A row that can't be read is put aside, counted as lost and told of; it holds up no other, and the disk is not accused.
//! 6. A file that can't be used (foreign, damaged, of a newer version) is set aside as `journal.db.bad-N`, with its log,
//!    and never deleted. A power cut on the way loses neither, see `storage/files.rs`.
//! 7. A file that is gone from its name while it is open is noticed at the next commit, and saved into a new one.
//! 8. What a killed program has left in the waiting room goes to the file before anything else does, under the numbers that it
//!    had. What had none yet was never sent, and gets one.
//! 9. What is appended as one bundle (events, the reading that showed them, states that then hold) is there as a whole or not at
//!    all: one record of the waiting room, one transaction of the file. Events wait for no commit that is shared, are handed out
//!    before all readings, and are not thinned; beyond 2,048 that wait they are handed out in the order of their numbers.
//!
//! # What `synchronous` costs
//!
//! | level | after a power cut | cost of one reading |
//! |---|---|---|
//! | `OFF` | the file may be damaged | no flush |
//! | `NORMAL` | acknowledged commits are lost | no flush but at checkpoints |
//! | `FULL` | every commit is there | one flush of the WAL |
//!
//! `FULL` is used always. Where readings come faster than every two seconds, those of two seconds share a commit. They are
//! sent at once all the same, and those that the hub has acknowledged when the commit is due are not written at all. Up to
//! two seconds of those that it has not can be lost with the power; they do not count as taken. Rows of acknowledged
//! readings are deleted in the transaction that inserts the next reading, which costs no write of its own, or in batches
//! when a backlog drains. After a power cut, or a kill, some that were acknowledged may therefore be sent again, under the
//! same message ID.
//!
//! The end of the program alone costs none: the waiting room is in memory (tmpfs) that outlives it, and a reading is there
//! after one call that waits for no disk. It wears nothing, and is not synced.
//!
//! # What a reading wears
//!
//! Bytes that reach an ext4 disk per reading (its own metadata and 4 KiB blocks included), and per year, as
//! `cargo bench --bench journal` measures them:
//!
//! | interval | pages of 1 KiB, online | offline | pages of 4 KiB, online | offline |
//! |---|---|---|---|---|
//! | 60 s | 5.2 KB, 2.5 GiB a year | 6.1 KB, 3.0 GiB | 8.2 KB, 4.0 GiB | 9.0 KB, 4.4 GiB |
//! | 1 s | 0.1 KB, 2.6 GiB a year | 3.5 KB, 102 GiB | – | 4.8 KB, 142 GiB |
//!
//! Hence pages of 1 KiB. Of the 3.5 to 6.1 KB 1.1 to 1.9 are handed to the kernel; the rest is that a file system writes
//! whole blocks. Online at 1 s only the numbers that have been given are written, 64 at a time. The waiting room's bytes,
//! 240 a reading, never reach a disk.
//!
//! With a chain of evidence a row is 51 bytes longer, and while there is a trip each commit replaces its report, some 1.2 KB, and
//! once an hour its hours, 14 KB at the most.
//!
//! # When the disk fails
//!
//! A full or read-only disk: readings go to memory (some 10,000, then every second of the older half goes) and move to
//! the disk when it takes them again, which is tried every minute. The waiting room has the newest 256 KiB of them at least,
//! some 800, and 512 KiB at most. A spare file is released first, so that a full disk
//! can at least forget what is acknowledged. A journal that reaches its size bound is thinned, see `thinning`; how many
//! went is counted and reported. The file then stays below its bound and 64 readings more; the WAL beside it may take
//! 2 MiB and the spare file 256 KiB.

mod bundle;
mod command;
mod entry;
mod fresh;
mod inbox;
pub mod inspect;
mod leases;
mod ledger;
mod needs_disk;
mod options;
mod rechain;
mod row;
mod sender;
mod shared;
mod storage;
#[cfg(test)]
mod tests;
mod thinning;
mod waiting_room;
mod worker;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};

use crate::event::Events;
use crate::reading::{Reading, Stamp};
use crate::trip::Terms;
pub use bundle::Bundle;
use command::Command;
pub use entry::{Entry, Lease};
use fresh::Fresh;
use inbox::{Inbox, Refused};
use needs_disk::NeedsDisk;
pub use options::JournalOptions;
use shared::Shared;
pub use shared::{JournalHealth, JournalStats};
use storage::Storage;
pub use storage::file_system::{FileSystem, OsFileSystem};
pub use storage::files::{FILES, SET_ASIDE_FILES, set_aside, set_aside_on};
use tracker_evidence::Hash;
use waiting_room::WaitingRoom;
#[cfg(test)]
pub(crate) use waiting_room::copy_for;
pub use waiting_room::{readings_waiting, waiting_room, waiting_rooms};
use worker::Worker;

/// The journal, to be shared. What needs the disk is done in a thread of its own, everything else at once by whoever asks;
/// when all handles are gone it is closed in good order.
pub struct Journal {
    worker: Arc<Mutex<Worker>>,
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
    room: Arc<WaitingRoom>,
}

impl Journal {
    /// Opens the journal. This does not wait for the disk: what is appended before the file is open waits in memory.
    /// What becomes of the disk is told to `events`.
    pub fn open(options: JournalOptions, events: Events) -> std::io::Result<Self> {
        Self::open_on(Arc::new(OsFileSystem), options, events)
    }

    /// As [`Journal::open`], on another file system than the operating system's.
    pub fn open_on(
        files: Arc<dyn FileSystem>,
        options: JournalOptions,
        events: Events,
    ) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let shared = Arc::new(Shared::default());
        let room = Arc::new(WaitingRoom::open(&options, &events));
        let storage = Storage::new(options, files, shared.clone(), events);
        let worker = Arc::new(Mutex::new(Worker::new(storage, room.clone(), &shared, rand::random())));
        let (received, works) = (Abandon(inbox.clone()), worker.clone());
        thread::Builder::new().name("journal".into()).spawn(move || Worker::run(&works, &received.0))?;
        Ok(Self { worker, inbox, shared, room })
    }

    /// Takes a reading. When this returns it survives the end of the program, in the waiting room; it is durable when
    /// [`JournalStats::taken`] counts it.
    pub fn append(&self, reading: Reading) {
        self.take(reading.into());
    }

    /// Takes what is stored together. When this returns all of it survives the end of the program, or nothing of it; it is
    /// durable at once where there is an event in it, else with the next commit. Events are sent before all that waits.
    pub fn append_bundle(&self, bundle: Bundle) {
        self.take(bundle.into());
    }

    fn take(&self, fresh: Fresh) {
        if let Err(refused) = self.send(Command::Append(fresh)) {
            self.shared.stats().dropped += 1;
            if let Refused::Full(Command::Append(fresh)) | Refused::Closed(Command::Append(fresh)) = refused {
                self.room.withdraw(fresh.ticket);
            }
        }
    }

    /// What was last kept under each name in bundles, by this start of the program or by earlier ones. Answered once the file
    /// is open, or found in trouble; where it can't be read, what it has is not known. `None` while the disk is too slow to be
    /// asked.
    pub fn states(&self) -> Option<oneshot::Receiver<BTreeMap<String, String>>> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::States(reply)).is_ok().then_some(answer)
    }

    /// Up to `limit` readings to send that are not being sent yet: the newest, then the others oldest first. Nothing
    /// while the time is not known.
    pub async fn lease(&self, limit: usize, now: Stamp) -> Lease {
        self.ask(|reply| Command::Lease { limit, now, reply }).await
    }

    /// As [`Journal::lease`], but answered only once there is something to send. `None` while the disk is too slow to be
    /// asked now. Whoever gives up waiting must [`Journal::release`].
    pub fn await_lease(&self, limit: usize, now: Stamp) -> Option<oneshot::Receiver<Lease>> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Await { limit, now, reply }).is_ok().then_some(answer)
    }

    /// The hub has these: they are forgotten. Gives them back when the disk is too slow to be told now.
    pub fn acknowledge(&self, seqs: Vec<u64>) -> Result<(), Vec<u64>> {
        match self.send(Command::Acknowledge(seqs)) {
            Err(Refused::Full(Command::Acknowledge(seqs)) | Refused::Closed(Command::Acknowledge(seqs))) => {
                Err(seqs)
            }
            _ => Ok(()),
        }
    }

    /// The connection is gone: what was being sent must be sent again.
    pub async fn release(&self) {
        self.ask(Command::Release).await;
    }

    /// As [`Journal::release`], without waiting for it: what is asked of the journal later comes after it. False while the
    /// disk is too slow to be asked now.
    pub fn release_soon(&self) -> bool {
        // Nobody waits for the answer.
        self.send(Command::Release(oneshot::channel().0)).is_ok()
    }

    /// Has a chain of evidence over everything that is taken from now on, with a first trip by these terms; or none. Comes
    /// before what is asked later; false while the disk is too slow to be asked now.
    pub fn set_evidence(&self, first_trip: Option<Terms>) -> bool {
        self.inbox.send(Command::Evidence(first_trip.map(Box::new))).is_ok()
    }

    /// The last entry of the chain, by number and hash; `None` without a chain, or while the time is not known.
    pub async fn head(&self) -> Option<(u64, Hash)> {
        self.ask(Command::Head).await
    }

    /// Begins a trip; one that is under way is over without a report. False while the time is not known.
    pub async fn begin_trip(&self, terms: Terms, now: Stamp) -> bool {
        self.ask(|reply| Command::BeginTrip { terms: Box::new(terms), now, reply }).await
    }

    /// Ends the trip under way, has its report sent, and gives it; `None` where there is none, or while the time is not known.
    pub async fn end_trip(&self, now: Stamp) -> Option<Map<String, Value>> {
        self.ask(|reply| Command::EndTrip { now, earlier: false, reply }).await
    }

    /// The report of the trip under way.
    pub async fn trip_report(&self) -> Option<Map<String, Value>> {
        self.ask(Command::TripReport).await
    }

    /// Makes what was taken durable now, instead of within two seconds.
    pub async fn commit(&self) {
        self.ask(Command::Commit).await;
    }

    /// Makes everything durable and forgets what is acknowledged, now, even on a disk that failed a moment ago.
    pub async fn flush(&self) {
        self.ask(Command::Flush).await;
    }

    /// Makes everything durable, forgets what is acknowledged, and leaves the file in good order.
    pub async fn close(&self) {
        self.ask(Command::Close).await;
    }

    /// Does it where that needs no disk, or else has it done.
    fn send(&self, command: Command) -> Result<(), Refused> {
        // Nobody waits for a lock that is held while the disk works.
        let Some(mut worker) = self.worker.try_lock().ok().filter(|_| self.inbox.is_empty()) else {
            return self.leave(command);
        };
        match worker.try_obey(command, Instant::now()) {
            Ok(()) => {
                if let Some(due) = worker.due() {
                    self.inbox.wake_by(due);
                }
                Ok(())
            }
            Err(NeedsDisk(command)) => self.leave(command),
        }
    }

    /// Leaves it for the thread, which may be at work for long.
    fn leave(&self, mut command: Command) -> Result<(), Refused> {
        if let Command::Append(fresh) = &mut command {
            fresh.ticket = self.room.announce(fresh.row());
        }
        self.inbox.send(command)
    }

    async fn ask<T: Default>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> T {
        let (reply, answer) = oneshot::channel();
        let mut command = command(reply);
        loop {
            match self.inbox.send(command) {
                Ok(()) => break,
                Err(Refused::Full(same)) => command = same,
                Err(Refused::Closed(_)) => return T::default(),
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // The thread answers, or is gone and has closed.
        answer.await.unwrap_or_default()
    }

    /// How full it is.
    pub fn stats(&self) -> JournalStats {
        *self.shared.stats()
    }

    /// How the disk takes it, to be read or awaited.
    pub fn health(&self) -> watch::Receiver<JournalHealth> {
        self.shared.health.subscribe()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Brings into the journal's file what a killed agent has left in the waiting room that `options` name, while no agent works
/// with it. Whether that is empty then; what is wrong else is told to `events`.
pub fn empty_waiting_room(options: JournalOptions, events: Events) -> bool {
    let (room, shared) = (Arc::new(WaitingRoom::open(&options, &events)), Arc::new(Shared::default()));
    let storage = Storage::new(options, Arc::new(OsFileSystem), shared.clone(), events);
    let mut worker = Worker::new(storage, room, &shared, rand::random());
    let now = Instant::now();
    worker.begin(now);
    // Nobody waits for the answer.
    worker.obey(Command::Close(oneshot::channel().0), now);
    let in_memory = shared.stats().in_memory;
    in_memory == 0
}

/// Ends the trip that the journal has, while no agent works with it: its report stays in the journal, marked as of an earlier trip,
/// to be sent with the readings, and is given. `None` where there is none. Where the time is not known the report is given and does
/// not stay.
pub fn end_trip(options: JournalOptions, now: Stamp, events: Events) -> Option<Map<String, Value>> {
    let mut worker = alone(options, events);
    let (reply, mut answer) = oneshot::channel();
    worker.obey(Command::TripReport(reply), Instant::now());
    let report = answer.try_recv().ok().flatten();
    let (reply, mut answer) = oneshot::channel();
    if report.is_some() {
        worker.obey(Command::EndTrip { now, earlier: true, reply }, Instant::now());
    }
    worker.obey(Command::Close(oneshot::channel().0), Instant::now());
    answer.try_recv().ok().flatten().or(report)
}

/// Forgets chain and trip, while no agent works with the journal: neither is the next owner's. Whether it could.
pub fn forget_evidence(options: JournalOptions, events: Events) -> bool {
    let mut worker = alone(options, events);
    let forgotten = worker.forget_evidence(Instant::now());
    worker.obey(Command::Close(oneshot::channel().0), Instant::now());
    forgotten
}

/// Forgets what was kept beside readings, in the file that `options` name and in the waiting room, while no agent works with
/// them; readings and events stay. Whether it is forgotten then; what is wrong is told to `events`.
pub fn forget_states(options: JournalOptions, events: Events) -> bool {
    let mut worker = alone(options, events);
    let forgotten = worker.forget_states(Instant::now());
    // Nobody waits for the answer.
    worker.obey(Command::Close(oneshot::channel().0), Instant::now());
    forgotten
}

/// A worker for who has the journal for himself.
fn alone(options: JournalOptions, events: Events) -> Worker {
    let (room, shared) = (Arc::new(WaitingRoom::open(&options, &events)), Arc::new(Shared::default()));
    let storage = Storage::new(options, Arc::new(OsFileSystem), shared.clone(), events);
    let mut worker = Worker::new(storage, room, &shared, rand::random());
    worker.begin(Instant::now());
    worker
}

/// Whoever waits for the thread learns that it has ended, however it did.
struct Abandon(Arc<Inbox>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
