//! What the service is told of its messages: records, handed out in batches that are locked until they are completed.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::message::Outcome;
use crate::{
    clock::wire_time,
    hub::{
        Handout,
        handout::{Handouts, LIFE},
    },
};

/// Records in one batch, as Azure has them.
const BATCH: usize = 64;
/// Records that are remembered at most; with more the oldest go.
const MAX_RECORDS: usize = 10_000;

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
    batches: Handouts<Vec<FeedbackRecord>>,
    /// When the queues of devices are to be looked at again, at the latest.
    pub look_again: Option<DateTime<Utc>>,
}

impl FeedbackQueue {
    pub(in crate::hub) fn restore(records: Vec<FeedbackRecord>) -> Self {
        Self { records: records.into(), look_again: Some(DateTime::UNIX_EPOCH), ..Self::default() }
    }

    pub(in crate::hub) fn keep(&self) -> Vec<FeedbackRecord> {
        self.batches.iter().flatten().chain(&self.records).cloned().collect()
    }

    pub(in crate::hub) fn subscribe(&self) -> watch::Receiver<u64> {
        self.batches.subscribe()
    }

    pub(in crate::hub) fn put(&mut self, record: FeedbackRecord) {
        let batched: usize = self.batches.iter().map(Vec::len).sum();
        if batched + self.records.len() >= MAX_RECORDS && !self.batches.forget_oldest() {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.batches.announce();
    }

    /// Locks a batch, the oldest that nobody has.
    pub(in crate::hub) fn take(&mut self, now: DateTime<Utc>) -> Option<Handout> {
        self.pass_time(now);
        if !self.batches.has_free() {
            let count = self.records.len().min(BATCH);
            let records: Vec<_> = self.records.drain(..count).collect();
            if records.is_empty() {
                return None;
            }
            self.batches.put(records, now);
        }
        // These types have no form that JSON lacks.
        self.batches.take(now, CONTENT_TYPE, |records| serde_json::to_vec(records).unwrap_or_default())
    }

    /// The service has it. Tells whether the lock was still there.
    pub(in crate::hub) fn complete(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        self.batches.complete(token, now)
    }

    /// The service does not want it now: it is delivered anew. Tells whether the lock was still there.
    pub(in crate::hub) fn abandon(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.pass_time(now);
        self.batches.abandon(token, now)
    }

    /// Ends locks and records whose time is over.
    pub(in crate::hub) fn pass_time(&mut self, now: DateTime<Utc>) {
        self.records.retain(|record| record.time + LIFE > now);
        self.batches.pass_time(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::handout::{LOCK_TIME, MAX_DELIVERIES};

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
