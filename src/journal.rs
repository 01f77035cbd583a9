//! Readings between being taken and being acknowledged by the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::reading::Reading;

/// A reading with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Counts the readings of this device.
    pub seq: u64,
    /// Unique, and the same however often the reading is sent.
    pub message_id: String,
    /// What was measured.
    pub reading: Reading,
}

/// How full it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalStats {
    /// Readings taken since the start.
    pub taken: u64,
    /// Readings handed to the network since the start, repetitions included.
    pub sent: u64,
    /// Readings acknowledged since the start.
    pub acknowledged: u64,
    /// Readings that wait.
    pub backlog: u64,
    /// Readings given up because the journal was full.
    pub dropped: u64,
}

/// Keeps readings until they are acknowledged; full, it gives up the oldest.
#[derive(Debug)]
pub struct Journal {
    state: Mutex<State>,
    changed: Notify,
    capacity: usize,
    /// Makes message IDs unique across starts.
    session: u64,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<u64, Reading>,
    /// Sent and not yet acknowledged.
    leased: BTreeSet<u64>,
    stats: JournalStats,
}

impl Journal {
    /// An empty journal for at most `capacity` readings. `session` is a random number, new at every start.
    pub fn new(capacity: usize, session: u64) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            capacity,
            session,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if it did, the readings would still be good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reading and gives its sequence number.
    pub fn append(&self, reading: Reading) -> u64 {
        let mut state = self.state();
        state.stats.taken += 1;
        let seq = state.stats.taken;
        state.waiting.insert(seq, reading);
        if state.waiting.len() > self.capacity
            && let Some((oldest, _)) = state.waiting.pop_first()
        {
            state.leased.remove(&oldest);
            state.stats.dropped += 1;
        }
        drop(state);
        self.changed.notify_one();
        seq
    }

    /// Up to `limit` readings to send that are not being sent yet: the newest first, then the others oldest first.
    pub fn lease(&self, limit: usize) -> Vec<Entry> {
        let mut state = self.state();
        let newest = state.waiting.last_key_value().map(|(seq, _)| *seq);
        let free = |seq: &u64| !state.leased.contains(seq);
        let chosen: Vec<u64> = newest
            .into_iter()
            .chain(state.waiting.keys().copied().filter(|seq| Some(*seq) != newest))
            .filter(free)
            .take(limit)
            .collect();
        state.leased.extend(&chosen);
        state.stats.sent += chosen.len() as u64;
        chosen
            .into_iter()
            .filter_map(|seq| {
                let message_id = format!("{:016x}-{seq}", self.session);
                Some(Entry {
                    seq,
                    message_id,
                    reading: state.waiting.get(&seq)?.clone(),
                })
            })
            .collect()
    }

    /// The hub has it: the reading is forgotten.
    pub fn acknowledge(&self, seq: u64) {
        let mut state = self.state();
        state.leased.remove(&seq);
        if state.waiting.remove(&seq).is_some() {
            state.stats.acknowledged += 1;
        }
    }

    /// The connection is gone: what was being sent must be sent again.
    pub fn release(&self) {
        self.state().leased.clear();
    }

    /// Waits until a reading was appended since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How full it is.
    pub fn stats(&self) -> JournalStats {
        let state = self.state();
        JournalStats {
            backlog: state.waiting.len() as u64,
            ..state.stats
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Stamp;
    use std::time::Duration;

    fn reading() -> Reading {
        let stamp = Stamp {
            utc: None,
            monotonic: Duration::ZERO,
        };
        Reading {
            stamp,
            fields: serde_json::Map::new(),
            alerts: Vec::new(),
        }
    }

    fn filled(count: usize, capacity: usize) -> Journal {
        let journal = Journal::new(capacity, 7);
        for _ in 0..count {
            journal.append(reading());
        }
        journal
    }

    fn leased(journal: &Journal, limit: usize) -> Vec<u64> {
        journal.lease(limit).into_iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn newest_first_then_oldest_first() {
        let journal = filled(5, 100);
        assert_eq!(leased(&journal, 3), [5, 1, 2]);
        journal.append(reading());
        assert_eq!(leased(&journal, 10), [6, 3, 4]);
        assert_eq!(leased(&journal, 10), [0; 0]);
    }

    #[test]
    fn only_an_acknowledgement_removes_and_a_retry_keeps_the_message_id() {
        let journal = filled(2, 100);
        let first = journal.lease(10);
        journal.acknowledge(2);
        journal.release();
        let again = journal.lease(10);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].message_id, first[1].message_id);
        assert_eq!(journal.stats().backlog, 1);
    }

    #[test]
    fn full_it_gives_up_the_oldest_and_says_so() {
        let journal = filled(7, 5);
        assert_eq!(leased(&journal, 10), [7, 3, 4, 5, 6]);
        assert_eq!(
            journal.stats(),
            JournalStats {
                taken: 7,
                acknowledged: 0,
                backlog: 5,
                dropped: 2
            }
        );
    }
}
