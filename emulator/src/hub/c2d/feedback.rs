//! What the service is told of its messages: records, handed out in batches that are locked until they are completed.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{message::Outcome, queue::LOCK_TIME};
use crate::{clock::wire_time, hub::Handout, id::guid};

/// Records in one batch, as Azure has them.
const BATCH: usize = 64;
/// Records that are remembered at most; with more the oldest go.
const MAX_RECORDS: usize = 10_000;
/// How long a record waits for somebody to ask for it.
const LIFE: TimeDelta = TimeDelta::hours(1);
/// How often a batch is tried before it is given up.
const MAX_DELIVERIES: u32 = 10;

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct FeedbackRecord {
    pub original_message_id: String,
    pub device_generation_id: String,
    pub device_id: String,
    /// When it became so.
    #[serde(rename = "enqueuedTimeUtc", with = "wire_time")]
    pub time: DateTime<Utc>,
    pub status_code: Outcome,
    pub description: String,
}

impl FeedbackRecord {
    pub(in crate::hub) fn new(
        (original_message_id, outcome): (String, Outcome),
        device_generation_id: String,
        device_id: String,
        time: DateTime<Utc>,
    ) -> Self {
        let description = outcome.description().to_owned();
        Self { original_message_id, device_generation_id, device_id, time, status_code: outcome, description }
    }
}

/// What Azure calls a batch of records.
const CONTENT_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";

/// The feedback of one hub.
#[derive(Debug, Default)]
pub(in crate::hub) struct FeedbackQueue {
    /// Those in no batch yet.
    records: VecDeque<FeedbackRecord>,
    batches: VecDeque<Batch>,
    numbers: u64,
    /// Counts whatever may make a batch free.
    arrivals: watch::Sender<u64>,
    /// When the queues of devices are to be looked at again, at the latest.
    pub look_again: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    records: Vec<FeedbackRecord>,
    made: DateTime<Utc>,
    deliveries: u32,
    lock: Option<(String, DateTime<Utc>)>,
}

impl FeedbackQueue {
    pub(in crate::hub) fn restore(records: Vec<FeedbackRecord>) -> Self {
        Self { records: records.into(), look_again: Some(DateTime::UNIX_EPOCH), ..Self::default() }
    }

    pub(in crate::hub) fn keep(&self) -> Vec<FeedbackRecord> {
        let batched = self.batches.iter().flat_map(|batch| &batch.records);
        batched.chain(&self.records).cloned().collect()
    }

    pub(in crate::hub) fn subscribe(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    pub(in crate::hub) fn put(&mut self, record: FeedbackRecord) {
        let batched: usize = self.batches.iter().map(|batch| batch.records.len()).sum();
        if batched + self.records.len() >= MAX_RECORDS && self.batches.pop_front().is_none() {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.announce();
    }

    /// Locks a batch, the oldest that nobody has.
    pub(in crate::hub) fn take(&mut self, now: DateTime<Utc>) -> Option<Handout> {
        self.pass_time(now);
        if self.batches.iter().all(|batch| batch.lock.is_some()) {
            let count = self.records.len().min(BATCH);
            let records: Vec<_> = self.records.drain(..count).collect();
            if records.is_empty() {
                return None;
            }
            self.numbers += 1;
            let number = self.numbers;
            self.batches.push_back(Batch { number, records, made: now, deliveries: 0, lock: None });
        }
        let batch = self.batches.iter_mut().find(|batch| batch.lock.is_none())?;
        let lock_token = guid();
        batch.lock = Some((lock_token.clone(), now + LOCK_TIME));
        batch.deliveries += 1;
        Some(Handout {
            lock_token,
            sequence_number: batch.number,
            enqueued: batch.made,
            deliveries: batch.deliveries,
            content_type: CONTENT_TYPE,
            // These types have no form that JSON lacks.
            body: serde_json::to_vec(&batch.records).unwrap_or_default(),
        })
    }

    /// The service has it. Tells whether the lock was still there.
    pub(in crate::hub) fn complete(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let before = self.batches.len();
        self.batches.retain(|batch| !batch.is_locked_by(token));
        self.batches.len() < before
    }

    /// The service does not want it now: it is delivered anew. Tells whether the lock was still there.
    pub(in crate::hub) fn abandon(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        let is_locked = self.batches.iter().any(|batch| batch.is_locked_by(token));
        self.unlock(|batch| batch.is_locked_by(token));
        is_locked
    }

    /// Ends locks and records whose time is over.
    pub(in crate::hub) fn pass_time(&mut self, now: DateTime<Utc>) {
        self.unlock(|batch| batch.lock.as_ref().is_some_and(|(_, ends)| *ends <= now));
        self.records.retain(|record| record.time + LIFE > now);
        self.batches.retain(|batch| batch.lock.is_some() || batch.made + LIFE > now);
    }

    fn unlock(&mut self, is_meant: impl Fn(&Batch) -> bool) {
        let mut is_free = false;
        for batch in self.batches.iter_mut().filter(|batch| is_meant(batch)) {
            batch.lock = None;
            is_free = true;
        }
        self.batches.retain(|batch| batch.lock.is_some() || batch.deliveries < MAX_DELIVERIES);
        if is_free {
            self.announce();
        }
    }

    fn announce(&self) {
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Batch {
    fn is_locked_by(&self, token: &str) -> bool {
        self.lock.as_ref().is_some_and(|(known, _)| known.eq_ignore_ascii_case(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn record(number: usize) -> FeedbackRecord {
        let of = (format!("m{number}"), Outcome::Success);
        FeedbackRecord::new(of, "g".into(), "d".into(), NOW)
    }

    #[test]
    fn records_come_in_batches_under_a_lock_until_they_are_completed() {
        let mut queue = FeedbackQueue::default();
        let mut arrivals = queue.subscribe();
        (0..=BATCH).for_each(|number| queue.put(record(number)));
        assert!(arrivals.has_changed().expect("open"));
        arrivals.mark_unchanged();
        let first = queue.take(NOW).expect("a full batch");
        let second = queue.take(NOW).expect("the rest");
        assert!(queue.take(NOW).is_none(), "all are locked");
        let text = String::from_utf8(second.body).expect("text");
        assert_eq!(
            text,
            "[{\"originalMessageId\":\"m64\",\"deviceGenerationId\":\"g\",\"deviceId\":\"d\",\
             \"enqueuedTimeUtc\":\"1970-01-01T00:00:00.0000000Z\",\"statusCode\":\"Success\",\
             \"description\":\"Success\"}]"
        );
        assert!(queue.complete(&second.lock_token, NOW) && !queue.complete(&second.lock_token, NOW));
        assert!(queue.abandon(&first.lock_token, NOW));
        assert!(arrivals.has_changed().expect("open"), "there is one to be had");
        let again = queue.take(NOW).expect("the first once more");
        assert_eq!((again.sequence_number, again.deliveries), (first.sequence_number, 2));
        assert!(!queue.complete(&again.lock_token, NOW + LOCK_TIME), "the lock has ended");
        assert_eq!(queue.keep().len(), BATCH);
    }

    #[test]
    fn the_feedback_is_bounded_in_number_time_and_tries() {
        let mut queue = FeedbackQueue::default();
        (0..=MAX_RECORDS).for_each(|number| queue.put(record(number)));
        let kept = queue.keep();
        assert_eq!((kept.len(), kept[0].original_message_id.as_str()), (MAX_RECORDS, "m1"));
        for _ in 0..MAX_DELIVERIES {
            let batch = queue.take(NOW).expect("a batch");
            assert_eq!(batch.sequence_number, 1);
            assert!(queue.abandon(&batch.lock_token, NOW));
        }
        assert_eq!(queue.keep().len(), MAX_RECORDS - BATCH, "given up after ten tries");
        assert!(queue.take(NOW + LIFE).is_none(), "nobody has asked for an hour");
    }
}
