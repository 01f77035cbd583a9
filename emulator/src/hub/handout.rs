//! What is handed out to services under a lock: a batch of feedback, or a notice of an uploaded file. It stays until it is completed,
//! and is handed out anew when it is abandoned, or its lock ends.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::id::guid;

/// How long a service has what it was handed out.
pub(super) const LOCK_TIME: TimeDelta = TimeDelta::minutes(1);
/// How long something waits for somebody to ask for it, as at Azure unless told otherwise.
pub(super) const LIFE: TimeDelta = TimeDelta::hours(1);
/// How often it is tried before it is given up.
pub(super) const MAX_DELIVERIES: u32 = 10;

/// Something under a lock.
#[derive(Clone, Debug)]
pub(crate) struct Handout {
    /// By which it is completed or abandoned.
    pub lock_token: String,
    pub sequence_number: u64,
    /// When it was made.
    pub enqueued: DateTime<Utc>,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    /// What Azure calls the body.
    pub content_type: &'static str,
    /// JSON.
    pub body: Vec<u8>,
}

/// What waits to be handed out, the oldest first.
#[derive(Debug)]
pub(super) struct Handouts<T> {
    waiting: VecDeque<Waiting<T>>,
    numbers: u64,
    /// Counts whatever may make one free.
    arrivals: watch::Sender<u64>,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    content: T,
    made: DateTime<Utc>,
    deliveries: u32,
    lock: Option<(String, DateTime<Utc>)>,
}

impl<T> Waiting<T> {
    fn is_locked_by(&self, token: &str) -> bool {
        self.lock.as_ref().is_some_and(|(known, _)| known.eq_ignore_ascii_case(token))
    }
}

impl<T> Default for Handouts<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), numbers: 0, arrivals: watch::Sender::new(0) }
    }
}

impl<T> Handouts<T> {
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// All that waits, locked or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.content)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is one that nobody has.
    pub(super) fn has_free(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.lock.is_none())
    }

    /// Puts one behind the others. Who waits for it is told by [`Self::announce`].
    pub(super) fn put(&mut self, content: T, made: DateTime<Utc>) {
        self.numbers += 1;
        self.waiting.push_back(Waiting { number: self.numbers, content, made, deliveries: 0, lock: None });
    }

    /// Forgets the oldest; tells whether there was one.
    pub(super) fn forget_oldest(&mut self) -> bool {
        self.waiting.pop_front().is_some()
    }

    /// Locks the oldest that nobody has.
    pub(super) fn take(
        &mut self,
        now: DateTime<Utc>,
        content_type: &'static str,
        body: impl Fn(&T) -> Vec<u8>,
    ) -> Option<Handout> {
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.lock.is_none())?;
        let lock_token = guid();
        waiting.lock = Some((lock_token.clone(), now + LOCK_TIME));
        waiting.deliveries += 1;
        Some(Handout {
            lock_token,
            sequence_number: waiting.number,
            enqueued: waiting.made,
            deliveries: waiting.deliveries,
            content_type,
            body: body(&waiting.content),
        })
    }

    /// The service has it. Tells whether the lock was still there.
    pub(super) fn complete(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !waiting.is_locked_by(token));
        self.waiting.len() < before
    }

    /// The service does not want it now: it is delivered anew. Tells whether the lock was still there.
    pub(super) fn abandon(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let is_locked = self.waiting.iter().any(|waiting| waiting.is_locked_by(token));
        self.unlock(|waiting| waiting.is_locked_by(token));
        is_locked
    }

    /// Ends the locks whose time is over, and forgets what nobody has asked for. Tells whether anything was forgotten.
    pub(super) fn pass_time(&mut self, now: DateTime<Utc>) -> bool {
        let before = self.waiting.len();
        self.unlock(|waiting| waiting.lock.as_ref().is_some_and(|(_, until)| *until <= now));
        self.waiting.retain(|waiting| waiting.lock.is_some() || waiting.made + LIFE > now);
        self.waiting.len() < before
    }

    /// Tells those who wait that there may be something.
    pub(super) fn announce(&self) {
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn unlock(&mut self, is_meant: impl Fn(&Waiting<T>) -> bool) {
        let mut is_free = false;
        for waiting in self.waiting.iter_mut().filter(|waiting| is_meant(waiting)) {
            waiting.lock = None;
            is_free = true;
        }
        self.waiting.retain(|waiting| waiting.lock.is_some() || waiting.deliveries < MAX_DELIVERIES);
        if is_free {
            self.announce();
        }
    }
}
