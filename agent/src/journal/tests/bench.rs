//! The journal's worker driven by hand: no thread, no waiting, time is a parameter.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::sync::oneshot;

use crate::event::{Event, Events};
use crate::journal::command::Command;
use crate::journal::entry::{Entry, Lease};
use crate::journal::fresh::Fresh;
use crate::journal::needs_disk::NeedsDisk;
use crate::journal::options::JournalOptions;
use crate::journal::shared::{JournalHealth, JournalStats, Shared};
use crate::journal::storage::Storage;
use crate::journal::storage::file_system::OsFileSystem;
use crate::journal::waiting_room::{self, WaitingRoom};
use crate::journal::worker::Worker;
use crate::reading::{Reading, Stamp};

/// A worker, the clock it goes by, and all it says.
pub(super) struct Bench {
    pub(super) worker: Worker,
    pub(super) room: Arc<WaitingRoom>,
    pub(super) shared: Arc<Shared>,
    pub(super) said: Arc<Mutex<Vec<String>>>,
    pub(super) now: Instant,
    pub(super) clock: ManualClock,
}

/// Time of a machine, moved by hand.
#[derive(Clone)]
pub(super) struct ManualClock {
    pub(super) boot: u32,
    pub(super) monotonic: Duration,
    pub(super) utc: DateTime<Utc>,
    pub(super) known: bool,
}

impl ManualClock {
    pub(super) fn new() -> Self {
        let utc = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        Self { boot: 1, monotonic: Duration::from_secs(20), utc, known: true }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.monotonic += by;
        self.utc += TimeDelta::from_std(by).unwrap();
    }

    /// The power goes and comes back; the time is lost.
    pub(super) fn reboot(&mut self) {
        self.boot += 1;
        self.utc += TimeDelta::seconds(30);
        self.monotonic = Duration::from_secs(8);
        self.known = false;
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp { utc: self.known.then_some(self.utc), monotonic: self.monotonic }
    }
}

impl Bench {
    pub(super) fn open(directory: &Path, clock: ManualClock, size_bound: u64, start: u32) -> Self {
        Self::open_with_room(directory, None, clock, size_bound, start)
    }

    /// With a waiting room, too.
    pub(super) fn open_with_room(
        directory: &Path,
        waiting_room: Option<&Path>,
        clock: ManualClock,
        size_bound: u64,
        start: u32,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let listener = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.to_string()));
        let boot = format!("boot-{}", clock.boot);
        let waiting_room = waiting_room.map(Into::into);
        let options = JournalOptions { directory: directory.into(), size_bound, waiting_room, boot };
        let events = Events::to("test", listener);
        let room = Arc::new(WaitingRoom::open(&options, &events));
        let storage = Storage::new(options, Arc::new(OsFileSystem), shared.clone(), events);
        let mut worker = Worker::new(storage, room.clone(), &shared, start);
        let now = Instant::now();
        worker.begin(now);
        Self { worker, room, shared, said, now, clock }
    }

    /// With readings 0 to 9 in the file and 10 to 19 in its log.
    pub(super) fn half_in_the_log(directory: &Path) -> Self {
        let mut bench = Self::open(directory, ManualClock::new(), BOUND, 1);
        for tag in 0..20 {
            bench.append(tag);
            if tag == 9 {
                bench.flush();
                assert!(bench.worker.writer().disk().unwrap().checkpoint().unwrap());
            }
        }
        bench.flush();
        bench
    }

    /// Lets time pass, and the worker do what falls due meanwhile.
    pub(super) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        let until = self.now + by;
        while let Some(at) = self.worker.due().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.worker.commit(self.now);
        }
        self.now = until;
    }

    pub(super) fn append(&mut self, tag: u64) {
        self.take(reading(tag, self.clock.stamp()).into());
    }

    /// As a handle does it.
    pub(super) fn take(&mut self, fresh: Fresh) {
        if let Err(NeedsDisk(command)) = self.worker.try_obey(Command::Append(fresh), self.now) {
            let Command::Append(mut fresh) = command else { panic!() };
            fresh.ticket = self.room.announce(fresh.row());
            self.worker.obey(Command::Append(fresh), self.now);
        }
    }

    pub(super) fn lease(&mut self, limit: usize) -> Lease {
        let drained = self.worker.sender().is_drained();
        let (reply, mut answer) = oneshot::channel();
        self.worker.obey(Command::Lease { limit, now: self.clock.stamp(), reply }, self.now);
        let lease = answer.try_recv().unwrap();
        let empty = lease.newest.is_none() && lease.backlog.is_empty();
        assert!(!drained || empty, "a handle would not have asked for {lease:?}");
        lease
    }

    pub(super) fn acknowledge(&mut self, seqs: impl IntoIterator<Item = u64>) {
        self.worker.obey(Command::Acknowledge(seqs.into_iter().collect()), self.now);
    }

    pub(super) fn ask(&mut self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (reply, mut answer) = oneshot::channel();
        self.worker.obey(command(reply), self.now);
        answer.try_recv().unwrap();
    }

    pub(super) fn release(&mut self) {
        self.ask(Command::Release);
    }

    pub(super) fn flush(&mut self) {
        self.ask(Command::Flush);
    }

    pub(super) fn close(mut self) -> ManualClock {
        self.ask(Command::Close);
        self.clock
    }

    pub(super) fn stats(&self) -> JournalStats {
        *self.shared.stats()
    }

    pub(super) fn health(&self) -> JournalHealth {
        self.shared.health.borrow().clone()
    }

    pub(super) fn story(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Everything there is, in the order in which it is handed out, acknowledged on the way.
    pub(super) fn drain(&mut self) -> Vec<Entry> {
        let mut all = Vec::new();
        loop {
            let lease = self.lease(50);
            let entries: Vec<Entry> = lease.newest.into_iter().chain(lease.backlog).collect();
            if entries.is_empty() {
                return all;
            }
            self.acknowledge(entries.iter().map(|entry| entry.seq));
            all.extend(entries);
        }
    }

    /// Makes the file read-only for the worker, or writable again.
    pub(super) fn set_read_only(&self, read_only: bool) {
        if let Some(disk) = self.worker.writer().disk() {
            disk.connection().pragma_update(None, "query_only", read_only).unwrap();
        }
    }

    /// Lets the file grow no more, or lets it.
    pub(super) fn set_full(&self, full: bool) {
        if let Some(disk) = self.worker.writer().disk() {
            let pages = if full { 1_i64 } else { i64::from(i32::MAX) };
            // SQLite makes it no smaller than the file is.
            disk.connection().pragma_update(None, "max_page_count", pages).unwrap();
        }
    }
}

pub(super) fn reading(tag: u64, stamp: Stamp) -> Reading {
    let fields = json!({
        "n": tag, "temperature": 4.25, "humidity": 81.5, "pressure": 1013.25,
        "location": {"lat": 52.087_123_4, "lon": 4.885_432_1, "alt": 3.5},
        "speed": 12.34, "course": 123.4, "fix": "gps", "satellites": 9, "hdop": 0.9,
    });
    Reading { stamp, fields: fields.to_string(), alerts: Vec::new() }
}

pub(super) fn tag(entry: &Entry) -> u64 {
    serde_json::from_str::<serde_json::Value>(&entry.fields).unwrap()["n"].as_u64().unwrap()
}

pub(super) fn tags(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(tag).collect()
}

/// Copies what a killed process would leave behind: the files as they are, without closing anything.
pub(super) fn copy_files(from: &Path, to: &Path) {
    for name in ["journal.db", "journal.db-wal", "journal.spare"] {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        } else if to.exists() {
            std::fs::remove_file(to).unwrap();
        }
    }
}

/// As [`copy_files`], with the waiting rooms, which are the files `room` beside the directories.
pub(super) fn copy_with_room(from: &Path, to: &Path) {
    copy_files(from, to);
    waiting_room::copy_for((from, &room_of(from)), (to, &room_of(to)));
}

/// Where these tests have the waiting room of a state directory.
pub(super) fn room_of(directory: &Path) -> PathBuf {
    directory.with_extension("room")
}

pub(super) const BOUND: u64 = 64 * 1024 * 1024;
