//! The sender: hands readings out to be sent, and learns which have arrived.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::entry::{Entry, Lease};
use super::leases::Leases;
use super::needs_disk::NeedsDisk;
use super::shared::Shared;
use super::writer::Writer;

/// What is on its way, and who waits for more.
pub(super) struct Sender {
    shared: Arc<Shared>,
    leases: Leases,
    /// Who waits for something to lease, and how much of it.
    waiting: Option<(usize, oneshot::Sender<Lease>)>,
    /// A lease has found all that there is: until something changes there is no need to look again.
    drained: bool,
    /// Numbers on their way have got another meaning: acknowledgements count only after the next release.
    ignores_acknowledgements: bool,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            leases: Leases::default(),
            waiting: None,
            drained: false,
            ignores_acknowledgements: false,
        }
    }

    /// What is on its way.
    pub(super) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// There may be something to lease that was not there before.
    pub(super) fn something_changed(&mut self) {
        self.drained = false;
    }

    /// What was on its way may have got another number.
    pub(super) fn renumbered(&mut self, writer: &Writer) {
        // Only where numbers have run ahead of time can any of these have been sent already.
        self.ignores_acknowledgements = writer.time_is_known();
        self.leases.release();
    }

    /// Nothing is on its way any more, and nobody waits.
    pub(super) fn release(&mut self) {
        self.leases.release();
        self.waiting = None;
        self.ignores_acknowledgements = false;
        self.something_changed();
    }

    /// Whether who waits could be answered with the next reading, or nobody waits.
    pub(super) fn can_answer_next(&self, writer: &Writer) -> bool {
        self.waiting.is_none() || writer.can_send_next(self.leases.cursor())
    }

    /// Has somebody wait, in the place of who waited before; [`Sender::answer`] answers.
    pub(super) fn wait(&mut self, limit: usize, reply: oneshot::Sender<Lease>) {
        self.waiting = Some((limit, reply));
    }

    /// Has somebody wait where there is nothing to lease.
    pub(super) fn wait_for_next(
        &mut self,
        limit: usize,
        reply: oneshot::Sender<Lease>,
    ) -> Result<(), NeedsDisk<oneshot::Sender<Lease>>> {
        if !self.drained {
            return Err(NeedsDisk(reply));
        }
        self.wait(limit, reply);
        Ok(())
    }

    /// Answers who waits, if there is something.
    pub(super) fn answer(&mut self, writer: &mut Writer, now: Instant) {
        if self.drained {
            return;
        }
        let Some((limit, reply)) = self.waiting.take() else { return };
        let lease = self.lease(limit, writer, now);
        if lease.is_empty() {
            self.waiting = Some((limit, reply));
        } else {
            // Whoever asked may be gone; then nobody sends them, and the next release frees them.
            let _ = reply.send(lease);
        }
    }

    /// Leases up to `limit` free rows.
    pub(super) fn lease(&mut self, limit: usize, writer: &mut Writer, now: Instant) -> Lease {
        let mut lease = Lease::default();
        if !writer.time_is_known() || limit == 0 || writer.is_unsealed() {
            return lease;
        }
        let numbered = writer.note_numbers(now);
        let free = |seq: u64, writer: &Writer| self.is_free(seq, writer);
        let events = writer.events(limit, numbered, free, now);
        for event in &events {
            self.leases.take(event.seq);
        }
        let limit = limit - events.len();
        if limit == 0 {
            self.drained = false;
            self.shared.stats().sent += events.len() as u64;
            lease.backlog = events;
            return lease;
        }
        if let Some((row, offset)) = writer.newest(numbered, |seq| self.leases.is_leased(seq), now)
            && self.is_free(row.seq, writer)
        {
            self.leases.take(row.seq);
            lease.newest = writer.entry(&row, offset, now);
        }
        let room = limit - lease.newest.iter().len();
        let mut others = Vec::new();
        let readable = self.oldest(room, numbered, &mut others, writer, now) && numbered;
        self.drained = readable && others.len() < room;
        lease.backlog = if events.is_empty() { others } else { [events, others].concat() };
        self.shared.stats().sent += (lease.newest.iter().len() + lease.backlog.len()) as u64;
        lease
    }

    fn is_free(&self, seq: u64, writer: &Writer) -> bool {
        !self.leases.is_leased(seq) && !writer.is_acknowledged(seq)
    }

    /// Leases the oldest free rows. Whether it could see all that are there.
    fn oldest(
        &mut self,
        limit: usize,
        with_group: bool,
        entries: &mut Vec<Entry>,
        writer: &mut Writer,
        now: Instant,
    ) -> bool {
        let readable = self.oldest_on_disk(limit, entries, writer, now).is_some() && !writer.is_unnumbered();
        for row in writer.held_after(self.leases.cursor(), with_group) {
            if entries.len() == limit {
                break;
            }
            if self.is_free(row.seq, writer) {
                entries.extend(writer.entry_of_held(row));
                self.leases.take(row.seq);
            }
            // The cursor must not pass rows that the disk can't show now.
            if readable {
                self.leases.take_up_to(row.seq);
            }
        }
        readable
    }

    /// `None` when the disk can't be read.
    fn oldest_on_disk(
        &mut self,
        limit: usize,
        entries: &mut Vec<Entry>,
        writer: &mut Writer,
        now: Instant,
    ) -> Option<()> {
        while entries.len() < limit {
            // Some of the rows asked for may be leased or acknowledged already.
            let batch = limit - entries.len() + 16;
            let rows = writer.on_disk_after(self.leases.cursor(), batch, now)?;
            if rows.is_empty() {
                break;
            }
            for (row, offset) in rows {
                if entries.len() == limit {
                    break;
                }
                if self.is_free(row.seq, writer) {
                    entries.extend(writer.entry(&row, offset, now));
                }
                self.leases.take_up_to(row.seq);
            }
        }
        Some(())
    }

    /// The hub has these; afterwards [`Writer::has_room_for_acknowledged`] may be false.
    pub(super) fn acknowledge(&mut self, seqs: &[u64], writer: &mut Writer) {
        if self.ignores_acknowledgements {
            return;
        }
        for seq in seqs {
            if writer.acknowledge(*seq) {
                self.leases.remove(*seq);
            }
        }
        self.shared.stats().acknowledged += seqs.len() as u64;
    }

    /// The hub has these, and none must be deleted yet.
    pub(super) fn acknowledge_in_memory(
        &mut self,
        seqs: Vec<u64>,
        writer: &mut Writer,
    ) -> Result<(), NeedsDisk<Vec<u64>>> {
        if !writer.has_room_for_acknowledged(seqs.len()) {
            return Err(NeedsDisk(seqs));
        }
        self.acknowledge(&seqs, writer);
        Ok(())
    }
}

#[cfg(test)]
impl Sender {
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }
}
