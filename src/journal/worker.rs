use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::disk::{Disk, OpenError, is_damage};
use super::memory::{CAPACITY, Memory};
use super::row::{Row, seconds_since_2026};
use super::{Entry, JournalHealth, JournalOptions, Lease, Shared};
use crate::event::{Event, Events};
use crate::reading::{Reading, Stamp};

/// Readings that come closer together than this share a commit.
const GROUP: Duration = Duration::from_secs(2);
/// Acknowledged rows are deleted when so many have gathered, if no reading comes before.
const FORGET_AT: usize = 256;
/// A disk that failed is tried again so often.
const RETRY_DISK: Duration = Duration::from_secs(60);
/// The size is looked at after so many readings.
const LOOK_AT_SIZE: u64 = 64;
/// A boot's offset that moves by less is jitter.
const OFFSET_TOLERANCE_MS: i64 = 2000;

/// What handles ask of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Append(Reading),
    Lease { limit: usize, now: Stamp, reply: oneshot::Sender<Lease> },
    Acknowledge(Vec<u64>),
    Release(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// The thread behind the journal.
pub(super) struct Worker {
    options: JournalOptions,
    shared: Arc<Shared>,
    events: Events,
    start: u32,
    disk: Option<Disk>,
    memory: Memory,
    next_seq: u64,
    /// The first number given before the time was known.
    provisional: Option<u64>,
    /// UTC less monotonic time in this boot.
    offset_ms: Option<i64>,
    /// Taken, and waiting for the commit they share.
    pending: Vec<Row>,
    last_commit: Option<Instant>,
    last_disk_attempt: Instant,
    since_size_check: u64,
    /// All rows up to here are leased or acknowledged.
    cursor: u64,
    /// Leased above the cursor.
    leased: BTreeSet<u64>,
    /// Acknowledged and not yet deleted.
    acknowledged: BTreeSet<u64>,
}

impl Worker {
    pub(super) fn new(options: JournalOptions, shared: Arc<Shared>, events: Events, start: u32) -> Self {
        Self {
            options,
            shared,
            events,
            start,
            disk: None,
            memory: Memory::default(),
            next_seq: 1,
            provisional: None,
            offset_ms: None,
            pending: Vec::new(),
            last_commit: None,
            last_disk_attempt: Instant::now(),
            since_size_check: 0,
            cursor: 0,
            leased: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Works until the last handle is gone.
    pub(super) fn run(mut self, inbox: &Receiver<Command>) {
        self.open();
        self.provisional = Some(self.next_seq);
        self.shared.changed.notify_one();
        loop {
            let command = match self.commit_due() {
                Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Append(reading) => self.append(reading),
            Command::Lease { limit, now, reply } => {
                let lease = self.lease(limit, now);
                // Whoever asked may be gone; then nobody sends them, and the next release frees them.
                let _ = reply.send(lease);
            }
            Command::Acknowledge(seqs) => self.acknowledge(seqs),
            Command::Release(reply) => {
                self.cursor = 0;
                self.leased.clear();
                self.forget();
                let _ = reply.send(());
            }
            Command::Close(reply) => {
                self.close();
                let _ = reply.send(());
            }
        }
    }

    /// When what is pending must be committed.
    fn commit_due(&self) -> Option<Instant> {
        if self.pending.is_empty() {
            return None;
        }
        Some(self.last_commit.map_or_else(Instant::now, |last| last + GROUP))
    }

    fn append(&mut self, reading: Reading) {
        self.learn_time(reading.stamp);
        self.pending.push(Row::new(self.next_seq, self.start, reading));
        self.next_seq += 1;
        if self.commit_due().is_some_and(|due| due <= Instant::now()) {
            self.commit();
        }
    }

    /// Makes pending readings durable, and deletes what is acknowledged on the way.
    fn commit(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.last_commit = Some(Instant::now());
        let pending = std::mem::take(&mut self.pending);
        let taken = pending.len() as u64;
        if self.disk.is_none() && self.last_disk_attempt.elapsed() >= RETRY_DISK {
            self.open();
        }
        let mut dropped = 0;
        if !self.write(&pending) {
            dropped = pending.into_iter().filter_map(|row| self.memory.insert(row)).count() as u64;
        }
        {
            let mut stats = self.shared.stats();
            stats.taken += taken;
            stats.backlog += taken - dropped;
            stats.dropped += dropped;
        }
        self.bound_size(taken);
        self.shared.changed.notify_one();
    }

    /// Writes `rows`, and what memory has kept meanwhile. Whether the disk took them.
    fn write(&mut self, rows: &[Row]) -> bool {
        let Some(disk) = &mut self.disk else { return false };
        // While the disk failed it is not tried with every reading.
        if self.memory.len() > 0 && self.last_disk_attempt.elapsed() < RETRY_DISK {
            return false;
        }
        let mut result = disk.append(self.memory.all().chain(rows), &self.acknowledged);
        if result.is_err() && disk.release_spare() {
            result = disk.append(self.memory.all().chain(rows), &self.acknowledged);
        }
        match result {
            Ok(()) => {
                self.memory.clear();
                self.acknowledged.clear();
                self.report(None);
                true
            }
            Err(error) => {
                self.last_disk_attempt = Instant::now();
                self.disk_failed(&error);
                false
            }
        }
    }

    /// Thins the history while the file is too large.
    fn bound_size(&mut self, taken: u64) {
        self.since_size_check += taken;
        if self.since_size_check < LOOK_AT_SIZE {
            return;
        }
        self.since_size_check = 0;
        let Some(disk) = &mut self.disk else { return };
        disk.reserve_spare();
        let (cursor, leased) = (self.cursor, &self.leased);
        let result = (|| {
            let mut gone = 0;
            // Two steps for every look keep ahead of any pace of readings.
            for _ in 0..2 {
                if disk.used_bytes()? < self.options.size_bound {
                    break;
                }
                gone += disk.thin(|seq| seq <= cursor || leased.contains(&seq))?.len() as u64;
            }
            Ok((gone, disk.thinned()?))
        })();
        match result {
            Ok((gone, total)) => {
                let mut stats = self.shared.stats();
                stats.backlog = stats.backlog.saturating_sub(gone);
                stats.thinned = total;
            }
            Err(error) => self.disk_failed(&error),
        }
    }

    fn lease(&mut self, limit: usize, now: Stamp) -> Lease {
        self.learn_time(now);
        if self.provisional.is_some() {
            return Lease::default();
        }
        let mut lease = Lease::default();
        if let Some((row, offset)) = self.newest()
            && limit > 0
            && self.is_free(row.seq)
        {
            self.leased.insert(row.seq);
            lease.newest = Some(row.entry(offset));
        }
        lease.backlog = self.free_after_cursor(limit.saturating_sub(lease.newest.iter().len()));
        self.shared.stats().sent += (lease.newest.iter().len() + lease.backlog.len()) as u64;
        lease
    }

    fn is_free(&self, seq: u64) -> bool {
        seq > self.cursor && !self.leased.contains(&seq) && !self.acknowledged.contains(&seq)
    }

    fn newest(&mut self) -> Option<(Row, Option<i64>)> {
        if let Some(row) = self.memory.newest() {
            return Some((row.clone(), self.offset_ms));
        }
        let result = self.disk.as_ref()?.newest();
        self.checked(result).flatten()
    }

    /// The oldest free rows. The cursor moves over them and over all before them.
    fn free_after_cursor(&mut self, limit: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < limit {
            // Some of the rows asked for may be leased or acknowledged already.
            let batch = limit - entries.len() + 16;
            let rows = self.rows_after(self.cursor, batch);
            if rows.is_empty() {
                break;
            }
            for (row, offset) in rows {
                if entries.len() == limit {
                    break;
                }
                if self.is_free(row.seq) {
                    entries.push(row.entry(offset));
                }
                self.leased.remove(&row.seq);
                self.cursor = row.seq;
            }
        }
        entries
    }

    fn rows_after(&mut self, seq: u64, limit: usize) -> Vec<(Row, Option<i64>)> {
        let result = self.disk.as_ref().map(|disk| disk.after(seq, limit));
        let mut rows = result.and_then(|result| self.checked(result)).unwrap_or_default();
        // What memory keeps is newer than anything on the disk.
        let room = limit - rows.len();
        if room > 0 {
            rows.extend(self.memory.after(seq).take(room).map(|row| (row.clone(), self.offset_ms)));
        }
        rows
    }

    fn acknowledge(&mut self, seqs: Vec<u64>) {
        let mut count = 0;
        for seq in seqs {
            count += 1;
            if !self.memory.remove(seq) {
                self.acknowledged.insert(seq);
            }
        }
        {
            let mut stats = self.shared.stats();
            stats.acknowledged += count;
            stats.backlog = stats.backlog.saturating_sub(count);
        }
        if self.acknowledged.len() >= FORGET_AT {
            self.forget();
        }
    }

    /// Deletes what is acknowledged.
    fn forget(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        if self.acknowledged.is_empty() {
            return;
        }
        match disk.append([], &self.acknowledged) {
            Ok(()) => self.acknowledged.clear(),
            Err(error) => self.disk_failed(&error),
        }
    }

    /// Takes note of the time, where it is known: this boot's offset, and numbers that can't have been used before.
    fn learn_time(&mut self, now: Stamp) {
        let Some(utc) = now.utc else { return };
        let monotonic_ms = i64::try_from(now.monotonic.as_millis()).unwrap_or(i64::MAX);
        let offset = utc.timestamp_millis().saturating_sub(monotonic_ms);
        if self.offset_ms.is_none_or(|known| known.abs_diff(offset) > OFFSET_TOLERANCE_MS.unsigned_abs()) {
            self.offset_ms = Some(offset);
            let result = self.disk.as_ref().map(|disk| disk.set_offset(offset));
            if let Some(result) = result {
                self.checked(result);
            }
        }
        let Some(first) = self.provisional.take() else { return };
        let given = self.next_seq - first;
        let lowest = seconds_since_2026(utc).saturating_sub(given) + 1;
        if lowest > first {
            self.renumber(first, lowest - first);
        }
    }

    fn renumber(&mut self, first: u64, by: u64) {
        let result = self.disk.as_mut().map(|disk| disk.renumber(first, by));
        if let Some(result) = result
            && self.checked(result).is_none()
        {
            // Numbers on the disk stay; what comes later is above them all the same.
            self.next_seq += by;
            return;
        }
        self.memory.renumber(first, by);
        for row in &mut self.pending {
            row.seq += by;
        }
        self.next_seq += by;
    }

    fn open(&mut self) {
        self.last_disk_attempt = Instant::now();
        let JournalOptions { directory, boot, .. } = &self.options;
        let mut aside = None;
        let disk = Disk::open(directory, boot).or_else(|error| match error {
            OpenError::Unusable(why) => {
                let path = Disk::set_aside(directory)
                    .map_err(|error| format!("{why}, and can't be set aside: {error}"))?;
                aside = Some(format!(
                    "the journal could not be used ({why}); it is set aside as {}",
                    path.display()
                ));
                Disk::open(directory, boot).map_err(|error| format!("{error:?}"))
            }
            OpenError::Disk(error) => Err(error.to_string()),
        });
        match disk {
            Ok(disk) => self.opened(disk, aside),
            Err(why) => self.report(Some(format!(
                "the journal can't be opened in {} ({why}); the newest {CAPACITY} readings are kept in memory and would be \
                 lost with the power",
                directory.display()
            ))),
        }
    }

    fn opened(&mut self, disk: Disk, set_aside: Option<String>) {
        let known = (|| Ok((disk.newest()?, disk.count()?, disk.thinned()?)))();
        self.disk = Some(disk);
        if let Some((newest, count, thinned)) = self.checked(known) {
            let after_newest = newest.map_or(1, |(row, _)| row.seq + 1);
            if after_newest > self.next_seq {
                let by = after_newest - self.next_seq;
                self.memory.renumber(0, by);
                self.next_seq = after_newest;
            }
            let in_memory = self.memory.len();
            let mut stats = self.shared.stats();
            stats.backlog = count + in_memory;
            stats.thinned = thinned;
            drop(stats);
            let offset = self.offset_ms;
            if let (Some(disk), Some(offset)) = (&self.disk, offset) {
                let result = disk.set_offset(offset);
                self.checked(result);
            }
        }
        if let Some(what) = set_aside {
            self.report_set_aside(what);
        }
    }

    /// The value, or `None` after an error has been dealt with.
    fn checked<T>(&mut self, result: rusqlite::Result<T>) -> Option<T> {
        result.map_err(|error| self.disk_failed(&error)).ok()
    }

    fn disk_failed(&mut self, error: &rusqlite::Error) {
        if is_damage(error) {
            // Opened again at the next commit, it is found damaged and set aside.
            self.disk = None;
            self.last_disk_attempt = Instant::now().checked_sub(RETRY_DISK).unwrap_or(self.last_disk_attempt);
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

    fn report_set_aside(&self, what: String) {
        self.events.emit(Event::Trouble(what.clone()));
        self.shared.health.send_modify(|health: &mut JournalHealth| health.set_aside = Some(what));
    }

    fn close(&mut self) {
        self.commit();
        self.forget();
        let result = self.disk.as_ref().map(Disk::checkpoint);
        if let Some(result) = result {
            self.checked(result);
        }
    }
}
