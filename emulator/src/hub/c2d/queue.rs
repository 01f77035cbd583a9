//! The messages that wait for one device: each is locked while it is under way, and done with when the device says so.

use std::collections::VecDeque;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use tracker_protocol::PropertyBag;

use super::message::{CloudToDeviceMessage, KeptMessage, Outcome};
use crate::{hub::HubError, id::guid};

/// Messages that may wait for one device.
const MAX_QUEUED: usize = 50;
/// Body and properties of a message together.
const MAX_SIZE: usize = 64 * 1024;
/// How often a message is tried before it is given up.
const MAX_DELIVERIES: u32 = 10;
/// How long a message lives that names no end itself.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(1);
/// How long a device may take over a message, unless it says so itself; in MQTT the connection alone is the lock.
pub(crate) const LOCK_TIME: TimeDelta = TimeDelta::minutes(1);

/// A message on its way.
#[derive(Debug)]
struct Queued {
    /// Counts the messages to this device.
    number: u64,
    message: CloudToDeviceMessage,
    enqueued: DateTime<Utc>,
    expires: DateTime<Utc>,
    deliveries: u32,
    lock: Option<Lock>,
}

/// The message is under way.
#[derive(Debug)]
struct Lock {
    token: String,
    /// The connection that it ends with.
    connection: Option<u64>,
    ends: Option<DateTime<Utc>>,
}

/// The messages that wait for one device.
#[derive(Debug, Default)]
pub(in crate::hub) struct MessageQueue {
    waiting: VecDeque<Queued>,
    numbers: u64,
    /// What became of messages whose sender wants to know.
    settled: Vec<(String, Outcome)>,
}

/// A message to be published.
#[derive(Debug)]
pub(in crate::hub) struct Delivery {
    /// Names it for [`MessageQueue::complete`].
    pub number: u64,
    pub properties: PropertyBag,
    pub body: Vec<u8>,
}

/// A message that a device has taken under a lock.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedMessage {
    /// By which it is completed, abandoned or rejected.
    pub lock_token: String,
    /// Counts the messages to this device.
    pub sequence_number: u64,
    pub enqueued: DateTime<Utc>,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    pub message: CloudToDeviceMessage,
}

impl MessageQueue {
    pub(in crate::hub) fn restore(kept: Vec<KeptMessage>) -> Self {
        let mut queue = Self::default();
        for KeptMessage { mut message, body_base64, enqueued, expires, deliveries } in kept {
            // A body that somebody has spoilt is an empty one.
            message.body = STANDARD.decode(body_base64).unwrap_or_default();
            queue.numbers += 1;
            let enqueued = enqueued.unwrap_or(expires - DEFAULT_LIFE);
            let number = queue.numbers;
            queue.waiting.push_back(Queued { number, message, enqueued, expires, deliveries, lock: None });
        }
        queue
    }

    pub(in crate::hub) fn keep(&self) -> Vec<KeptMessage> {
        let keep = |queued: &Queued| KeptMessage {
            message: CloudToDeviceMessage { body: Vec::new(), ..queued.message.clone() },
            body_base64: STANDARD.encode(&queued.message.body),
            enqueued: Some(queued.enqueued).filter(|enqueued| *enqueued != queued.expires - DEFAULT_LIFE),
            expires: queued.expires,
            deliveries: queued.deliveries,
        };
        self.waiting.iter().map(keep).collect()
    }

    pub(in crate::hub) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(in crate::hub) fn push(
        &mut self,
        device_id: &str,
        mut message: CloudToDeviceMessage,
        now: DateTime<Utc>,
    ) -> Result<(), HubError> {
        let properties: usize = message.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
        let size = message.body.len() + properties;
        if size > MAX_SIZE {
            return Err(HubError::MessageTooLarge { size, limit: MAX_SIZE });
        }
        self.pass_time(now);
        if self.waiting.len() >= MAX_QUEUED {
            return Err(HubError::QueueFull { device_id: device_id.to_owned(), limit: MAX_QUEUED });
        }
        message.message_id.get_or_insert_with(guid);
        let expires = message.expiry_time.unwrap_or(now + DEFAULT_LIFE);
        self.numbers += 1;
        self.waiting.push_back(Queued {
            number: self.numbers,
            message,
            enqueued: now,
            expires,
            deliveries: 0,
            lock: None,
        });
        Ok(())
    }

    /// The next message that is not under way, for a connection of MQTT.
    pub(in crate::hub) fn next(
        &mut self,
        device_id: &str,
        connection: u64,
        now: DateTime<Utc>,
    ) -> Option<Delivery> {
        let queued = self.lock(Some(connection), None, now)?;
        Some(Delivery {
            number: queued.number,
            properties: queued.message.bag(device_id),
            body: queued.message.body.clone(),
        })
    }

    /// The next message that is not under way. Its lock ends with time, and with the connection if there is one.
    pub(in crate::hub) fn receive(
        &mut self,
        connection: Option<u64>,
        lock_time: TimeDelta,
        now: DateTime<Utc>,
    ) -> Option<ReceivedMessage> {
        let queued = self.lock(connection, Some(now + lock_time), now)?;
        Some(ReceivedMessage {
            lock_token: queued.lock.as_ref()?.token.clone(),
            sequence_number: queued.number,
            enqueued: queued.enqueued,
            deliveries: queued.deliveries,
            message: queued.message.clone(),
        })
    }

    fn lock(
        &mut self,
        connection: Option<u64>,
        ends: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<&Queued> {
        self.pass_time(now);
        let queued = self.waiting.iter_mut().find(|queued| queued.lock.is_none())?;
        queued.lock = Some(Lock { token: guid(), connection, ends });
        queued.deliveries += 1;
        Some(queued)
    }

    /// A device of MQTT has acknowledged it.
    pub(in crate::hub) fn complete(&mut self, number: u64) {
        self.settle(|queued| (queued.number == number).then_some(Outcome::Success));
    }

    /// The device has taken it (`Success`) or will not have it (`Rejected`). Tells whether the lock was still there.
    pub(in crate::hub) fn finish(&mut self, token: &str, outcome: Outcome, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let before = self.waiting.len();
        self.settle(|queued| queued.is_locked_by(token).then_some(outcome));
        self.waiting.len() < before
    }

    /// The device can't take it now: it is delivered anew, up to ten times. Tells whether the lock was still there.
    pub(in crate::hub) fn abandon(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let is_locked = self.waiting.iter().any(|queued| queued.is_locked_by(token));
        self.unlock(|queued| queued.is_locked_by(token));
        self.pass_time(now);
        is_locked
    }

    /// Forgets all messages; tells how many there were.
    pub(in crate::hub) fn purge(&mut self) -> usize {
        let count = self.waiting.len();
        self.settle(|_| Some(Outcome::Purged));
        count
    }

    /// The connection is gone: what it did not acknowledge is delivered anew, up to ten times.
    pub(in crate::hub) fn release(&mut self, connection: u64) {
        self.unlock(|queued| queued.lock.as_ref().is_some_and(|lock| lock.connection == Some(connection)));
    }

    /// Ends locks and messages whose time is over. Who has a message under a lock may still complete it when it expires.
    pub(in crate::hub) fn pass_time(&mut self, now: DateTime<Utc>) {
        self.unlock(|queued| queued.lock_ends().is_some_and(|ends| ends <= now));
        self.settle(|queued| (queued.lock.is_none() && queued.expires <= now).then_some(Outcome::Expired));
    }

    /// When [`Self::pass_time`] has something to do.
    pub(in crate::hub) fn due(&self) -> Option<DateTime<Utc>> {
        let due = |queued: &Queued| match &queued.lock {
            Some(lock) => lock.ends,
            None => Some(queued.expires),
        };
        self.waiting.iter().filter_map(due).min()
    }

    /// Whether there is a message that nobody has under a lock.
    pub(in crate::hub) fn has_free(&self) -> bool {
        self.waiting.iter().any(|queued| queued.lock.is_none())
    }

    /// What became of messages since the last call: their IDs, and how they ended.
    pub(in crate::hub) fn take_settled(&mut self) -> Vec<(String, Outcome)> {
        std::mem::take(&mut self.settled)
    }

    fn unlock(&mut self, is_meant: impl Fn(&Queued) -> bool) {
        for queued in self.waiting.iter_mut().filter(|queued| is_meant(queued)) {
            queued.lock = None;
        }
        self.settle(|queued| {
            let is_spent = queued.lock.is_none() && queued.deliveries >= MAX_DELIVERIES;
            is_spent.then_some(Outcome::DeliveryCountExceeded)
        });
    }

    /// Takes out those that have an outcome.
    fn settle(&mut self, outcome: impl Fn(&Queued) -> Option<Outcome>) {
        let settled = &mut self.settled;
        self.waiting.retain(|queued| {
            let Some(outcome) = outcome(queued) else {
                return true;
            };
            if let Some(id) = queued.message.message_id.clone().filter(|_| queued.message.ack.wants(outcome))
            {
                settled.push((id, outcome));
            }
            false
        });
    }
}

impl Queued {
    fn is_locked_by(&self, token: &str) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.token.eq_ignore_ascii_case(token))
    }

    fn lock_ends(&self) -> Option<DateTime<Utc>> {
        self.lock.as_ref()?.ends
    }
}

#[cfg(test)]
mod tests;
