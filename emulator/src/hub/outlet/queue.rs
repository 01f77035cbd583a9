//! What waits for a target, bounded, and how its deliveries went.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::parcel::{DeadReason, KeptParcel, Parcel};

/// What may wait for one target.
const MAX_WAITING: usize = 10_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What may wait to be written down as undeliverable.
const MAX_DEAD_BYTES: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Parcel>,
    bytes: usize,
    dead: Vec<String>,
    dead_bytes: usize,
    has_worker: bool,
    health: Health,
}

/// How deliveries to a target went, since the emulator started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    pub waiting: usize,
    pub delivered: u64,
    /// Given up.
    pub dead: u64,
    /// Of those, how many stand in no dead letter file.
    pub lost: u64,
    /// Failures in a row.
    pub failures: u32,
    pub last_error: Option<(String, DateTime<Utc>)>,
    pub last_attempt: Option<DateTime<Utc>>,
    pub last_success: Option<DateTime<Utc>>,
}

impl Queue {
    pub(super) fn restore(kept: Vec<KeptParcel>) -> Self {
        let mut queue = Self::default();
        for parcel in kept {
            queue.put(parcel);
        }
        queue
    }

    pub(super) fn keep(&self) -> Vec<KeptParcel> {
        self.waiting.iter().cloned().collect()
    }

    /// Takes a parcel; where there is no room, among the dead.
    pub(super) fn put(&mut self, parcel: Parcel) -> bool {
        if self.waiting.len() >= MAX_WAITING || self.bytes + parcel.size() > MAX_BYTES {
            self.bury(&parcel, DeadReason::Full, "too much waits for this endpoint", None);
            return false;
        }
        self.bytes += parcel.size();
        self.waiting.push_back(parcel);
        true
    }

    /// Whether there is something to do and nobody does it; whoever asks is the one.
    pub(super) fn employ(&mut self) -> bool {
        let is_work = !self.waiting.is_empty() || !self.dead.is_empty();
        let is_needed = is_work && !self.has_worker;
        self.has_worker |= is_needed;
        is_needed
    }

    /// The worker goes.
    pub(super) fn dismiss(&mut self) {
        self.has_worker = false;
    }

    /// The next parcels, without taking them out.
    pub(super) fn next(&self, count: usize) -> Vec<Parcel> {
        self.waiting.iter().take(count).cloned().collect()
    }

    /// The first ones were tried.
    pub(super) fn tried(&mut self, count: usize, now: DateTime<Utc>) {
        for parcel in self.waiting.iter_mut().take(count) {
            parcel.attempts += 1;
        }
        self.health.last_attempt = Some(now);
    }

    /// The first ones are delivered.
    pub(super) fn delivered(&mut self, count: usize, now: DateTime<Utc>) {
        for parcel in self.waiting.drain(..count.min(self.waiting.len())) {
            self.bytes -= parcel.size();
            self.health.delivered += 1;
        }
        self.health.failures = 0;
        self.health.last_success = Some(now);
    }

    /// It did not go well.
    pub(super) fn failed(&mut self, why: String, now: DateTime<Utc>) {
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.last_error = Some((why, now));
    }

    /// The first one will never be delivered.
    pub(super) fn give_up(&mut self, reason: DeadReason, outcome: &str) {
        if let Some(parcel) = self.waiting.pop_front() {
            self.bytes -= parcel.size();
            self.bury(&parcel, reason, outcome, self.health.last_attempt);
        }
    }

    fn bury(
        &mut self,
        parcel: &Parcel,
        reason: DeadReason,
        outcome: &str,
        last_attempt: Option<DateTime<Utc>>,
    ) {
        self.health.dead += 1;
        let letter = parcel.dead_letter(reason, outcome, last_attempt);
        if self.dead_bytes + letter.len() > MAX_DEAD_BYTES {
            self.health.lost += 1;
            return;
        }
        self.dead_bytes += letter.len();
        self.dead.push(letter);
    }

    /// The dead letters that are not written yet; the caller writes them, or says that they are lost.
    pub(super) fn take_dead(&mut self) -> Vec<String> {
        self.dead_bytes = 0;
        std::mem::take(&mut self.dead)
    }

    pub(super) fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    pub(super) fn lost(&mut self, count: usize) {
        self.health.lost += count as u64;
    }

    pub(super) fn health(&self) -> Health {
        Health { waiting: self.waiting.len(), ..self.health.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_is_bounded_in_number_and_size_and_what_is_too_much_is_told() {
        let parcel = |size: usize| Parcel::new(&json!({"x": "y".repeat(size)}), DateTime::UNIX_EPOCH);
        let mut queue = Queue::default();
        for _ in 0..MAX_WAITING {
            assert!(queue.put(parcel(1)));
        }
        assert!(!queue.put(parcel(1)), "the newest has no room");
        assert_eq!((queue.health().waiting, queue.health().dead), (MAX_WAITING, 1));
        let letters = queue.take_dead();
        assert!(letters[0].contains("QueueFull"), "{letters:?}");
        queue.delivered(1, DateTime::UNIX_EPOCH);
        assert!(queue.put(parcel(1)), "room again");

        let mut queue = Queue::default();
        let taken = (0..100).filter(|_| queue.put(parcel(200_000))).count();
        assert_eq!(taken, 41, "8 MB");
        let health = queue.health();
        assert_eq!((health.dead, health.lost), (59, 54), "a megabyte of them waits to be written");
        assert!(queue.dead_bytes <= MAX_DEAD_BYTES && queue.bytes <= MAX_BYTES);
        while queue.health().waiting > 0 {
            queue.give_up(DeadReason::Age, "");
        }
        assert_eq!(queue.bytes, 0);
    }
}
