//! The worker: obeys the commands of the handles, with a writer and a sender.
//!
//! It works in a thread of its own. What needs no disk is done at once by whoever asks; [`Worker::try_obey`] is the one
//! place that says what that is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::command::Command;
use super::fresh::Fresh;
use super::inbox::Inbox;
use super::needs_disk::NeedsDisk;
use super::sender::Sender;
use super::shared::Shared;
use super::storage::Storage;
use super::waiting_room::WaitingRoom;
use super::writer::Writer;
use super::writer::group::GROUP;

/// What the journal knows, and what it does.
pub(super) struct Worker {
    writer: Writer,
    sender: Sender,
}

impl Worker {
    /// `start` names this start of the program.
    pub(super) fn new(storage: Storage, room: Arc<WaitingRoom>, shared: &Arc<Shared>, start: u32) -> Self {
        let writer = Writer::new(storage, room, shared.clone(), start);
        Self { writer, sender: Sender::new(shared.clone()) }
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
                    // Those that came together share a commit.
                    Command::Append(fresh) => worker.take(fresh, now),
                    other => worker.obey(other, now),
                }
            }
            worker.commit_if_due(now);
            worker.sender_answers(now);
            if !open {
                worker.close(now);
                return;
            }
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.writer.open(now);
        self.follow_writer();
    }

    /// When the writer is due to commit.
    pub(super) fn due(&self) -> Option<Instant> {
        self.writer.due()
    }

    /// When the thread is needed. While readings come close together it looks by itself whether one must be written, which
    /// is rarer than to be told of each.
    fn needed_at(&self) -> Option<Instant> {
        let now = Instant::now();
        self.due().or(self.writer.is_close(now).then(|| now + GROUP))
    }

    /// Does what a command asks, if that needs no disk.
    pub(super) fn try_obey(&mut self, command: Command, now: Instant) -> Result<(), NeedsDisk<Command>> {
        if self.is_due(now) {
            return Err(NeedsDisk(command));
        }
        match command {
            Command::Append(fresh) => {
                if !self.sender.can_answer_next(&self.writer) {
                    return Err(NeedsDisk(Command::Append(fresh)));
                }
                self.writer
                    .take_into_group(fresh, now)
                    .map_err(|NeedsDisk(fresh)| NeedsDisk(Command::Append(fresh)))?;
                self.sender.something_changed();
                self.sender_answers(now);
            }
            Command::Await { limit, now: stamp, reply } => {
                if !self.writer.knows(stamp) {
                    return Err(NeedsDisk(Command::Await { limit, now: stamp, reply }));
                }
                self.sender
                    .wait_for_next(limit, reply)
                    .map_err(|NeedsDisk(reply)| NeedsDisk(Command::Await { limit, now: stamp, reply }))?;
            }
            Command::Acknowledge(seqs) => {
                self.sender
                    .acknowledge_in_memory(seqs, &mut self.writer)
                    .map_err(|NeedsDisk(seqs)| NeedsDisk(Command::Acknowledge(seqs)))?;
            }
            other => return Err(NeedsDisk(other)),
        }
        self.writer.count_backlog();
        Ok(())
    }

    /// Does what a command asks.
    pub(super) fn obey(&mut self, command: Command, now: Instant) {
        let Err(NeedsDisk(command)) = self.try_obey(command, now) else { return };
        match command {
            Command::Append(fresh) => {
                self.take(fresh, now);
                self.commit_if_due(now);
                self.sender_answers(now);
            }
            Command::Lease { limit, now: stamp, reply } => {
                self.writer.learn_time(stamp, now);
                // What was stated by that must not be lost when what it is about has been sent.
                self.commit_if_due(now);
                let lease = self.sender.lease(limit, &mut self.writer, now);
                // Whoever asked may be gone; then nobody sends them, and the next release frees them.
                let _ = reply.send(lease);
            }
            Command::Await { limit, now: stamp, reply } => {
                self.writer.learn_time(stamp, now);
                self.commit_if_due(now);
                self.sender.wait(limit, reply);
                self.sender_answers(now);
            }
            Command::Acknowledge(seqs) => {
                self.sender.acknowledge(&seqs, &mut self.writer);
                if !self.writer.has_room_for_acknowledged(0) {
                    self.writer.forget(now);
                }
            }
            Command::States(reply) => {
                let _ = reply.send(self.writer.states(now));
            }
            Command::Evidence(terms) => self.writer.set_evidence(terms.map(|terms| *terms)),
            Command::Head(reply) => drop(reply.send(self.writer.head())),
            Command::TripReport(reply) => drop(reply.send(self.writer.trip_report())),
            Command::BeginTrip { terms, now: stamp, reply } => {
                self.writer.learn_time(stamp, now);
                let begun = self.writer.begin_trip(*terms, stamp, now);
                self.stated(now);
                // Whoever asked may be gone, here and below.
                let _ = reply.send(begun);
            }
            Command::EndTrip { now: stamp, earlier, reply } => {
                self.writer.learn_time(stamp, now);
                let report = self.writer.end_trip(stamp, earlier, now);
                self.stated(now);
                let _ = reply.send(report);
            }
            Command::Release(reply) => {
                self.sender.release();
                self.writer.forget(now);
                let _ = reply.send(());
            }
            Command::Commit(reply) => {
                self.commit(now);
                let _ = reply.send(());
            }
            Command::Flush(reply) => {
                self.writer.retry_at_once();
                self.commit(now);
                self.writer.forget(now);
                let _ = reply.send(());
            }
            Command::Close(reply) => {
                self.close(now);
                let _ = reply.send(());
            }
        }
        self.writer.count_backlog();
    }

    /// Forgets all that is kept beside readings. Whether the disk has none of it any more.
    pub(super) fn forget_states(&mut self, now: Instant) -> bool {
        self.commit(now);
        self.writer.forget_states(now)
    }

    /// Makes durable what waits for it.
    pub(super) fn commit(&mut self, now: Instant) {
        self.writer.commit(self.sender.leases(), now);
        self.follow_writer();
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|at| at <= now)
    }

    fn commit_if_due(&mut self, now: Instant) {
        if self.is_due(now) {
            self.commit(now);
        }
    }

    fn take(&mut self, fresh: Fresh, now: Instant) {
        self.writer.take(fresh, now);
        self.sender.something_changed();
    }

    /// Forgets chain and trip. Whether the disk has.
    pub(super) fn forget_evidence(&mut self, now: Instant) -> bool {
        self.writer.forget_evidence(now)
    }

    /// Something was stated: it is durable at once, and can be sent.
    fn stated(&mut self, now: Instant) {
        self.commit(now);
        self.sender_answers(now);
    }

    fn sender_answers(&mut self, now: Instant) {
        self.sender.answer(&mut self.writer, now);
    }

    /// Tells the sender what has become of the readings.
    fn follow_writer(&mut self) {
        if self.writer.was_renumbered() {
            self.sender.renumbered(&self.writer);
        }
        self.sender.something_changed();
    }

    fn close(&mut self, now: Instant) {
        self.writer.retry_at_once();
        self.commit(now);
        self.writer.close(now);
    }
}

#[cfg(test)]
impl Worker {
    pub(super) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(super) fn writer_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }

    pub(super) fn sender(&self) -> &Sender {
        &self.sender
    }
}
