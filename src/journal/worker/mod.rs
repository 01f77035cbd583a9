mod numbering;
mod opening;
mod sending;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::command::Command;
use super::disk::{Disk, is_damage};
use super::entry::Lease;
use super::inbox::Inbox;
use super::leases::Leases;
use super::memory::{CAPACITY, Memory};
use super::options::JournalOptions;
use super::row::{PROVISIONAL, Row};
use super::shared::Shared;
use crate::event::{Event, Events};
use crate::reading::Reading;

/// Readings that come closer together than this share a commit, and none waits for it any longer.
pub(super) const GROUP: Duration = Duration::from_secs(2);
/// They are committed at once when so many wait.
const MOST_PENDING: usize = 128;
/// Acknowledged rows are deleted when so many have gathered, if no reading comes before.
const FORGET_AT: usize = 256;
/// A disk that failed is tried again so often.
pub(super) const RETRY_DISK: Duration = Duration::from_secs(60);
/// The size is looked at after so many readings.
pub(super) const LOOK_AT_SIZE: u64 = 64;
/// Steps of thinning at every look, at the most.
const STEPS: u32 = 16;

/// What the journal knows, and what it does: in its thread, but for what needs no disk.
pub(super) struct Worker {
    options: JournalOptions,
    shared: Arc<Shared>,
    events: Events,
    start: u32,
    disk: Option<Disk>,
    /// When the disk last failed, while it does.
    failed: Option<Instant>,
    memory: Memory,
    /// Waiting for the commit they share, which some may not need any more by then.
    pending: Vec<Row>,
    /// When that commit is due.
    commit_due: Instant,
    /// When the last reading came.
    last_append: Option<Instant>,
    /// Who waits for something to lease, and how much of it.
    waiting: Option<(usize, oneshot::Sender<Lease>)>,
    /// No number up to this one will be given again, whatever happens to the readings.
    given: u64,
    since_size_check: u64,
    leases: Leases,
    next_seq: u64,
    /// Final numbers begin here at the lowest.
    lowest_seq: u64,
    /// Final numbers are lower than provisional ones by this.
    shift: u64,
    /// The disk has provisional numbers although the time is known.
    unnumbered: bool,
    /// Numbers on their way have got another meaning: acknowledgements count only after the next release.
    deaf: bool,
    /// UTC less monotonic time in this boot.
    offset_ms: Option<i64>,
    /// The disk has that offset.
    offset_stored: bool,
}

impl Worker {
    pub(super) fn new(options: JournalOptions, shared: Arc<Shared>, events: Events, start: u32) -> Self {
        Self {
            options,
            shared,
            events,
            start,
            disk: None,
            failed: None,
            memory: Memory::default(),
            pending: Vec::new(),
            commit_due: Instant::now(),
            last_append: None,
            waiting: None,
            given: 0,
            since_size_check: 0,
            leases: Leases::default(),
            next_seq: PROVISIONAL,
            lowest_seq: 1,
            shift: 0,
            unnumbered: false,
            deaf: false,
            offset_ms: None,
            offset_stored: false,
        }
    }

    /// Works until the last handle is gone. The worker is locked as long as it works, so that others can do what needs no
    /// disk while it does not.
    pub(super) fn run(worker: &Mutex<Self>, inbox: &Inbox) {
        let lock = || worker.lock().unwrap_or_else(PoisonError::into_inner);
        lock().begin(Instant::now());
        loop {
            let until = lock().needed_at();
            inbox.wait(until);
            let mut worker = lock();
            let (commands, open) = inbox.take();
            let now = Instant::now();
            for command in commands {
                match command {
                    Command::Append(reading) => worker.take(reading, now),
                    other => worker.obey(other, now),
                }
            }
            if worker.wake().is_some_and(|at| at <= now) {
                worker.commit(now);
            }
            worker.answer(now);
            if !open {
                worker.close(now);
                return;
            }
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.open(now);
        self.shared.something_changed();
    }

    pub(super) fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Append(reading) => self.append(reading, now),
            Command::Lease { limit, now: stamp, reply } => {
                let lease = self.lease(limit, stamp, now);
                // Whoever asked may be gone; then nobody sends them, and the next release frees them.
                let _ = reply.send(lease);
            }
            Command::Await { limit, now: stamp, reply } => {
                self.learn_time(stamp, now);
                self.waiting = Some((limit, reply));
                self.answer(now);
            }
            Command::Acknowledge(seqs) => self.acknowledge(&seqs, now),
            Command::Release(reply) => {
                self.leases.release();
                self.waiting = None;
                self.deaf = false;
                self.shared.something_changed();
                self.forget(now);
                let _ = reply.send(());
            }
            Command::Commit(reply) => {
                self.commit(now);
                let _ = reply.send(());
            }
            Command::Flush(reply) => {
                self.failed = None;
                self.commit(now);
                self.forget(now);
                let _ = reply.send(());
            }
            Command::Close(reply) => {
                self.close(now);
                let _ = reply.send(());
            }
        }
        self.count_backlog();
    }

    /// When [`Worker::commit`] is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        let pending = (!self.pending.is_empty()).then_some(self.commit_due);
        let retry = self.failed.map(|failed| failed + RETRY_DISK);
        pending.into_iter().chain(retry).min()
    }

    /// When the thread is needed. While readings come close together it looks by itself whether one must be written, which
    /// is rarer than to be told of each.
    fn needed_at(&self) -> Option<Instant> {
        let now = Instant::now();
        self.wake().or(self.is_close(now).then(|| now + GROUP))
    }

    /// Does what a command asks if that needs no disk; says when the thread must wake. Otherwise the command comes back.
    pub(super) fn try_obey(&mut self, command: Command, now: Instant) -> Result<Option<Instant>, Command> {
        if self.wake().is_some_and(|at| at <= now) {
            return Err(command);
        }
        let needs_no_disk = match &command {
            Command::Append(reading) => {
                self.is_close(now)
                    && self.pending.len() < MOST_PENDING
                    && self.knows(reading.stamp)
                    && (self.waiting.is_none() || self.can_send_next())
            }
            Command::Await { now: stamp, .. } => self.knows(*stamp) && self.is_drained(),
            Command::Acknowledge(seqs) => self.leases.acknowledged().len() + seqs.len() < FORGET_AT,
            _ => false,
        };
        if !needs_no_disk {
            return Err(command);
        }
        self.obey(command, now);
        Ok(self.wake())
    }

    fn is_drained(&self) -> bool {
        self.shared.drained.load(Ordering::Acquire)
    }

    /// Whether the last reading came so short a time ago that the next one shares a commit.
    fn is_close(&self, now: Instant) -> bool {
        self.last_append.is_some_and(|last| now < last + GROUP)
    }

    fn append(&mut self, reading: Reading, now: Instant) {
        self.take(reading, now);
        if self.wake().is_some_and(|at| at <= now) {
            self.commit(now);
        }
        self.answer(now);
    }

    fn take(&mut self, reading: Reading, now: Instant) {
        self.learn_time(reading.stamp, now);
        if self.pending.is_empty() {
            self.commit_due = if self.is_close(now) { now + GROUP } else { now };
        } else if self.pending.len() >= MOST_PENDING {
            self.commit_due = now;
        }
        self.last_append = Some(now);
        self.pending.push(Row::new(self.next_seq, self.start, reading));
        self.next_seq += 1;
        self.count_backlog();
        self.shared.something_changed();
    }

    /// Makes pending readings durable, and deletes what is acknowledged on the way. If the disk failed and it is time
    /// to, tries it again, and moves to it what memory has kept.
    pub(super) fn commit(&mut self, now: Instant) {
        let stored = self.may_try(now) && self.store(now);
        let pending = std::mem::take(&mut self.pending);
        let taken = pending.len() as u64;
        let mut dropped = 0;
        if !stored {
            let leases = &self.leases;
            dropped =
                pending.into_iter().map(|row| self.memory.insert(row, |seq| leases.is_leased(seq))).sum();
        }
        {
            let mut stats = self.shared.stats();
            stats.taken += taken;
            stats.dropped += dropped;
        }
        self.bound_size(taken, now);
        self.count_backlog();
        self.shared.something_changed();
    }

    /// A disk that failed is not tried with every reading.
    fn may_try(&self, now: Instant) -> bool {
        self.failed.is_none_or(|failed| now >= failed + RETRY_DISK)
    }

    /// Writes what is pending and what memory has kept. Whether the disk has it all.
    fn store(&mut self, now: Instant) -> bool {
        if self.disk.is_none() {
            self.open(now);
        }
        if !self.write(now) {
            if self.disk.is_some() {
                return false;
            }
            // The file was damaged: there may be a new one.
            self.open(now);
            if !self.write(now) {
                return false;
            }
        }
        self.failed = None;
        self.report(None);
        true
    }

    fn write(&mut self, now: Instant) -> bool {
        // First things first: rows with higher numbers must not be there before.
        if !self.store_offset(now) || (self.unnumbered && !self.number_disk(now)) {
            return false;
        }
        let Some(disk) = &mut self.disk else { return false };
        let result = {
            let rows = self.memory.all().chain(&self.pending);
            if rows.clone().next().is_none() && self.failed.is_none() {
                return true;
            }
            disk.append(&rows, self.leases.acknowledged(), 0)
        };
        if self.checked(result, now).is_none() {
            return false;
        }
        self.leases.forgotten();
        self.memory.clear();
        true
    }

    /// Thins the history while the file is too large.
    fn bound_size(&mut self, taken: u64, now: Instant) {
        self.since_size_check += taken;
        if self.since_size_check < LOOK_AT_SIZE || self.failed.is_some() {
            return;
        }
        self.since_size_check = 0;
        let bound = self.options.size_bound;
        let full = self.disk.as_ref().map(|disk| {
            disk.reserve_spare();
            Ok(disk.used_bytes()? >= bound)
        });
        if full.and_then(|full| self.checked(full, now)) != Some(true) {
            return;
        }
        self.forget(now);
        let Some(disk) = &mut self.disk else { return };
        let leases = &self.leases;
        let thinned = (|| {
            for _ in 0..STEPS {
                if disk.used_bytes()? < bound {
                    break;
                }
                disk.thin(|seq| leases.is_leased(seq))?;
            }
            disk.thinned()
        })();
        if let Some(thinned) = self.checked(thinned, now) {
            self.shared.stats().thinned = thinned;
        }
    }

    /// Deletes what is acknowledged.
    fn forget(&mut self, now: Instant) {
        if self.leases.acknowledged().is_empty() || !self.may_try(now) {
            return;
        }
        let Some(disk) = &mut self.disk else { return };
        let result = disk.append(&[].iter(), self.leases.acknowledged(), 0);
        if self.checked(result, now).is_some() {
            self.leases.forgotten();
        }
    }

    fn count_backlog(&self) {
        let on_disk = self.disk.as_ref().map_or(0, Disk::rows);
        let acknowledged = self.leases.acknowledged().len() as u64;
        let held = self.memory.len() + self.pending.len() as u64;
        self.shared.stats().backlog = (on_disk + held).saturating_sub(acknowledged);
    }

    /// The value, or `None` after an error has been dealt with.
    fn checked<T>(&mut self, result: rusqlite::Result<T>, now: Instant) -> Option<T> {
        result.map_err(|error| self.disk_failed(&error, now)).ok()
    }

    fn disk_failed(&mut self, error: &rusqlite::Error, now: Instant) {
        if is_damage(error) {
            // Opened again at the next commit, it is found damaged and set aside.
            self.disk = None;
            self.failed = None;
        } else {
            self.failed = Some(now);
        }
        self.report(Some(format!(
            "the disk does not take the journal ({error}); the newest {CAPACITY} readings are kept in memory and would be lost \
             with the power"
        )));
    }

    /// Tells what is wrong with the disk, or that nothing is any more; each thing once.
    fn report(&self, trouble: Option<String>) {
        let news = self.shared.health.send_if_modified(|health| {
            let news = health.trouble != trouble;
            health.trouble.clone_from(&trouble);
            news
        });
        if news {
            self.events
                .emit(Event::Trouble(trouble.unwrap_or_else(|| "the disk takes the journal again".into())));
        }
    }

    fn close(&mut self, now: Instant) {
        self.failed = None;
        self.commit(now);
        self.forget(now);
        let result = self.disk.as_ref().map(Disk::checkpoint);
        if let Some(result) = result {
            self.checked(result, now);
        }
    }
}

#[cfg(test)]
impl Worker {
    /// The file, to be meddled with.
    pub(super) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    pub(super) fn nothing_pending(&self) -> bool {
        self.pending.is_empty()
    }

    /// Readings that wait for their commit can't be sent before the disk has noted their numbers.
    pub(super) fn may_send_pending(&self) -> bool {
        self.pending.last().is_none_or(|last| last.seq <= self.given)
    }

    /// Some readings can't be sent before the disk takes their numbers.
    pub(super) fn is_unnumbered(&self) -> bool {
        self.unnumbered
    }

    pub(super) fn nothing_in_memory(&self) -> bool {
        self.memory.len() == 0
    }
}
