//! One partition: a row of events, numbered, of which the oldest go.

use std::{collections::VecDeque, task::Waker};

use super::{
    super::TelemetryMessage,
    numbering::Mark,
    origin::Origin,
    position::{Position, Property},
    record::Record,
};

/// A message as it stands in a partition.
#[derive(Debug)]
pub(in crate::hub) struct StoredEvent {
    pub message: TelemetryMessage,
    /// Of a device's own message.
    pub origin: Option<Origin>,
    pub sequence_number: i64,
    pub offset: i64,
    /// In milliseconds since 1970; never less than that of the event before.
    pub enqueued_ms: i64,
}

#[cfg(test)]
impl StoredEvent {
    pub(in crate::hub) fn for_tests(
        message: TelemetryMessage,
        origin: Option<Origin>,
        sequence_number: i64,
        offset: i64,
    ) -> Self {
        let enqueued_ms = message.enqueued_time.timestamp_millis();
        Self { message, origin, sequence_number, offset, enqueued_ms }
    }
}

/// The same as it is kept.
#[derive(Debug)]
pub(super) struct Row {
    record: Record,
    sequence_number: i64,
    offset: i64,
    pub enqueued_ms: i64,
}

impl Row {
    /// What it takes of memory.
    pub(super) fn size(&self) -> usize {
        self.record.len() + size_of::<Self>()
    }

    pub(super) fn event(&self) -> Option<StoredEvent> {
        let (message, origin) = self.record.open()?;
        let Self { sequence_number, offset, enqueued_ms, .. } = *self;
        Some(StoredEvent { message, origin, sequence_number, offset, enqueued_ms })
    }
}

/// The newest event there has ever been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub sequence_number: i64,
    pub offset: i64,
    pub enqueued_ms: i64,
}

#[derive(Debug)]
pub(super) struct Partition {
    events: VecDeque<Row>,
    next: Mark,
    pub newest: Option<Newest>,
    /// Numbers up to here are spoken for in the state that is kept.
    pub kept: Mark,
    /// Readers that have read all there is.
    waiting: Vec<(u64, Waker)>,
}

impl Partition {
    pub(super) fn new(next: Mark) -> Self {
        Self { events: VecDeque::new(), next, newest: None, kept: next, waiting: Vec::new() }
    }

    pub(super) fn next(&self) -> Mark {
        self.next
    }

    /// Whether the mark that is kept has to be moved; it is.
    pub(super) fn moves_mark(&mut self) -> bool {
        let near = self.next.nears(self.kept);
        if near {
            self.kept = self.next.ahead();
        }
        near
    }

    /// The sequence number of the oldest event that is kept, or of the next one.
    pub(super) fn first(&self) -> i64 {
        self.events.front().map_or(self.next.sequence_number, |event| event.sequence_number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Puts an event at the end, and tells what it takes of memory. `now` is in milliseconds since 1970, `length` is by what
    /// the offset grows.
    pub(super) fn push(&mut self, record: Record, now: i64, length: usize) -> usize {
        let Mark { sequence_number, offset } = self.next;
        let enqueued_ms = self.newest.map_or(now, |newest| now.max(newest.enqueued_ms));
        self.newest = Some(Newest { sequence_number, offset, enqueued_ms });
        let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
        self.next = Mark { sequence_number: sequence_number + 1, offset: offset.saturating_add(length) };
        let row = Row { record, sequence_number, offset, enqueued_ms };
        let size = row.size();
        self.events.push_back(row);
        for (_, waker) in self.waiting.drain(..) {
            waker.wake();
        }
        size
    }

    pub(super) fn oldest(&self) -> Option<&Row> {
        self.events.front()
    }

    pub(super) fn pop(&mut self) -> Option<Row> {
        self.events.pop_front()
    }

    /// Gives memory back that fewer events do not need.
    pub(super) fn shrink(&mut self) {
        if self.events.capacity() > 1024 && self.events.len() < self.events.capacity() / 4 {
            self.events.shrink_to(self.events.len() * 2);
        }
    }

    /// What the row itself takes of memory.
    #[cfg(test)]
    pub(super) fn overhead(&self) -> usize {
        (self.events.capacity() - self.events.len()) * size_of::<Row>()
    }

    /// The sequence number with which a reader begins.
    pub(super) fn place(&self, position: Position) -> i64 {
        let Position::By { property, bound, is_inclusive } = position else {
            return self.next.sequence_number;
        };
        let before = self.events.partition_point(|event| {
            let value = match property {
                Property::Offset => event.offset,
                Property::SequenceNumber => event.sequence_number,
                Property::EnqueuedTime => event.enqueued_ms,
            };
            if is_inclusive { value < bound } else { value <= bound }
        });
        self.events.get(before).map_or(self.next.sequence_number, |event| event.sequence_number)
    }

    /// The events from this one on, or from the oldest where that is gone.
    pub(super) fn since(&self, sequence_number: i64) -> impl Iterator<Item = &Row> {
        // Without gaps within a run.
        let skipped = sequence_number.saturating_sub(self.first()).max(0);
        self.events.range(usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len())..)
    }

    /// Wakes this reader with the next event.
    pub(super) fn wait(&mut self, reader: u64, waker: &Waker) {
        match self.waiting.iter_mut().find(|(known, _)| *known == reader) {
            Some((_, known)) => known.clone_from(waker),
            None => self.waiting.push((reader, waker.clone())),
        }
    }

    pub(super) fn forget_reader(&mut self, reader: u64) {
        self.waiting.retain(|(known, _)| *known != reader);
    }
}
