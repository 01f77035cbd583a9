//! The partitions of a hub, and what is kept in them.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use chrono::{DateTime, Utc};

use super::{
    super::TelemetryMessage,
    numbering::Mark,
    origin::Origin,
    partition::{Partition, Row, StoredEvent},
    placing::partition_of,
    position::Position,
    record::{Blocks, Record},
    retention::Retention,
};
use crate::lock::{Changes, lock};

/// How many partitions there may be, as at Azure.
const PARTITIONS: std::ops::RangeInclusive<u16> = 2..=32;

/// Bytes that a reader takes at once, beyond the first event; it holds them though retention lets go of them.
const AT_ONCE: usize = 512 * 1024;

/// What a store is made with.
pub(in crate::hub) struct StoreParts {
    /// How many; at least 2 and at most 32.
    pub partitions: u16,
    pub retention: Retention,
    pub changes: Changes,
    /// Where numbers go on, by partition.
    pub marks: Vec<Mark>,
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) struct PartitionState {
    pub begin_sequence_number: i64,
    pub last_sequence_number: i64,
    /// Of the newest event; -1 if this run had none.
    pub last_offset: i64,
    pub last_enqueued_ms: i64,
    pub is_empty: bool,
}

/// The built-in endpoint's memory.
#[derive(Debug)]
pub(in crate::hub) struct Store {
    kept: Mutex<Kept>,
    retention: Retention,
    changes: Changes,
    readers: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    partitions: Vec<Partition>,
    /// The partitions of all events that are kept, in the order in which they came.
    order: VecDeque<u8>,
    /// Where their messages stand.
    blocks: Blocks,
    /// What the events take.
    bytes: usize,
    /// Of partitions that this run does not have.
    others: Vec<Mark>,
    /// The emulator ends: no more numbers are given.
    is_closed: bool,
}

impl Store {
    pub(in crate::hub) fn new(parts: StoreParts) -> Self {
        let count = usize::from(parts.partitions.clamp(*PARTITIONS.start(), *PARTITIONS.end()));
        let mut marks = parts.marks.into_iter();
        let partitions = (0..count).map(|_| Partition::new(marks.next().unwrap_or_default())).collect();
        let kept = Kept {
            partitions,
            order: VecDeque::new(),
            blocks: Blocks::default(),
            bytes: 0,
            others: marks.collect(),
            is_closed: false,
        };
        Self {
            kept: Mutex::new(kept),
            retention: parts.retention,
            changes: parts.changes,
            readers: AtomicU64::new(0),
        }
    }

    /// How many partitions there are.
    pub(in crate::hub) fn partitions(&self) -> usize {
        lock(&self.kept).partitions.len()
    }

    /// Puts a message at the end of its device's partition, and tells how it is kept. `length` is by what the offset grows.
    pub(in crate::hub) fn put(
        &self,
        message: &TelemetryMessage,
        length: usize,
        origin: Option<&Origin>,
    ) -> Record {
        let now = message.enqueued_time.timestamp_millis();
        let mut kept = lock(&self.kept);
        let number = partition_of(&message.device_id, kept.partitions.len());
        let record = kept.blocks.put(message, origin);
        let Some(partition) = kept.partitions.get_mut(usize::from(number)) else { return record };
        let size = partition.push(record.clone(), now, length);
        let moved = partition.moves_mark();
        kept.order.push_back(number);
        kept.bytes += size;
        self.drop_old(&mut kept, now);
        drop(kept);
        if moved {
            self.changes.count();
        }
        record
    }

    /// Lets go of what is too old, and gives its memory back.
    pub(in crate::hub) fn expire(&self, now: DateTime<Utc>) {
        let mut kept = lock(&self.kept);
        self.drop_old(&mut kept, now.timestamp_millis());
        kept.partitions.iter_mut().for_each(Partition::shrink);
        if kept.order.is_empty() {
            kept.blocks.clear();
        }
        if kept.order.capacity() > 4096 && kept.order.len() < kept.order.capacity() / 4 {
            let needed = kept.order.len() * 2;
            kept.order.shrink_to(needed);
        }
    }

    fn drop_old(&self, kept: &mut Kept, now: i64) {
        let bytes = usize::try_from(self.retention.bytes).unwrap_or(usize::MAX);
        let time = i64::try_from(self.retention.time.as_millis()).unwrap_or(i64::MAX);
        let oldest_time = now.saturating_sub(time);
        while let Some(number) = kept.order.front().copied() {
            let Some(partition) = kept.partitions.get_mut(usize::from(number)) else { break };
            let is_old = partition.oldest().is_none_or(|event| event.enqueued_ms < oldest_time);
            if !is_old && (kept.bytes <= bytes || kept.order.len() == 1) {
                break;
            }
            if let Some(event) = partition.pop() {
                kept.bytes -= event.size();
            }
            kept.order.pop_front();
        }
    }

    /// What all that is kept takes of memory.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let kept = lock(&self.kept);
        kept.bytes + kept.partitions.iter().map(Partition::overhead).sum::<usize>() + kept.order.capacity()
    }

    /// What a partition holds; `None` if there is no such partition.
    pub(in crate::hub) fn state(&self, partition: usize) -> Option<PartitionState> {
        let kept = lock(&self.kept);
        let partition = kept.partitions.get(partition)?;
        let next = partition.next().sequence_number;
        Some(PartitionState {
            begin_sequence_number: partition.first(),
            last_sequence_number: partition.newest.map_or(next - 1, |newest| newest.sequence_number),
            last_offset: partition.newest.map_or(-1, |newest| newest.offset),
            last_enqueued_ms: partition.newest.map_or(0, |newest| newest.enqueued_ms),
            is_empty: partition.is_empty(),
        })
    }

    /// Where numbers go on after a restart.
    pub(in crate::hub) fn keep(&self) -> Vec<Mark> {
        let kept = lock(&self.kept);
        let mark = |partition: &Partition| if kept.is_closed { partition.next() } else { partition.kept };
        kept.partitions.iter().map(mark).chain(kept.others.iter().copied()).collect()
    }

    /// No more messages come: what is kept from now on is exact.
    pub(in crate::hub) fn close(&self) {
        lock(&self.kept).is_closed = true;
    }

    pub(super) fn reader_id(&self) -> u64 {
        self.readers.fetch_add(1, Ordering::Relaxed)
    }

    /// Where a reader of this position begins; `None` if there is no such partition.
    pub(super) fn place(&self, partition: usize, position: Position) -> Option<i64> {
        lock(&self.kept).partitions.get(partition).map(|partition| partition.place(position))
    }

    /// Takes up to so many events from this number on, or waits for the next.
    pub(super) fn poll(
        &self,
        reader: u64,
        partition: usize,
        sequence_number: i64,
        most: usize,
        context: &mut Context<'_>,
    ) -> Poll<Vec<StoredEvent>> {
        let mut kept = lock(&self.kept);
        let Some(partition) = kept.partitions.get_mut(partition) else { return Poll::Pending };
        let mut bytes = 0;
        let fits = |row: &&Row| {
            bytes += row.size();
            bytes <= AT_ONCE || bytes == row.size()
        };
        let rows = partition.since(sequence_number).take(most).take_while(fits);
        let events: Vec<_> = rows.filter_map(Row::event).collect();
        if events.is_empty() {
            partition.wait(reader, context.waker());
            return Poll::Pending;
        }
        Poll::Ready(events)
    }

    pub(super) fn forget_reader(&self, reader: u64, partition: usize) {
        if let Some(partition) = lock(&self.kept).partitions.get_mut(partition) {
            partition.forget_reader(reader);
        }
    }
}
