//! What services are told of uploaded files: one notice a file, under a lock until it is completed or abandoned.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    clock::wire_time,
    hub::{Handout, handout::Handouts},
};

/// Notices that are remembered at most; with more the oldest go.
const MAX_NOTICES: usize = 10_000;

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct FileNotice {
    pub device_id: String,
    pub blob_uri: String,
    pub blob_name: String,
    #[serde(with = "wire_time")]
    pub last_updated_time: DateTime<Utc>,
    pub blob_size_in_bytes: u64,
    #[serde(rename = "enqueuedTimeUtc", with = "wire_time")]
    pub enqueued: DateTime<Utc>,
}

/// What Azure calls a notice.
const CONTENT_TYPE: &str = "application/vnd.microsoft.iothub.filenotification.json";

/// The notices of one hub, the oldest first.
#[derive(Debug, Default)]
pub(in crate::hub) struct Notices(Handouts<FileNotice>);

impl Notices {
    pub(super) fn restore(kept: Vec<FileNotice>) -> Self {
        let mut notices = Self::default();
        for notice in kept {
            notices.put(notice);
        }
        notices
    }

    pub(super) fn keep(&self) -> Vec<FileNotice> {
        self.0.iter().cloned().collect()
    }

    pub(in crate::hub) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    pub(in crate::hub) fn put(&mut self, notice: FileNotice) {
        if self.0.len() >= MAX_NOTICES {
            self.0.forget_oldest();
        }
        let made = notice.enqueued;
        self.0.put(notice, made);
        self.0.announce();
    }

    /// Locks the oldest that nobody has.
    pub(in crate::hub) fn take(&mut self, now: DateTime<Utc>) -> Option<Handout> {
        self.0.pass_time(now);
        // It has no form that JSON lacks.
        self.0.take(now, CONTENT_TYPE, |notice| serde_json::to_vec(notice).unwrap_or_default())
    }

    /// The service has it. Tells whether the lock was still there.
    pub(in crate::hub) fn complete(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.0.complete(token, now)
    }

    /// The service does not want it now: it is delivered anew. Tells whether the lock was still there.
    pub(in crate::hub) fn abandon(&mut self, token: &str, now: DateTime<Utc>) -> bool {
        self.0.abandon(token, now)
    }

    /// Ends the locks whose time is over, and forgets what nobody has asked for. Tells whether anything was forgotten.
    pub(in crate::hub) fn pass_time(&mut self, now: DateTime<Utc>) -> bool {
        self.0.pass_time(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::handout::{LIFE, LOCK_TIME, MAX_DELIVERIES};

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn notice(name: &str) -> FileNotice {
        FileNotice {
            device_id: "d".into(),
            blob_uri: format!("https://h/c/{name}"),
            blob_name: name.into(),
            last_updated_time: NOW,
            blob_size_in_bytes: 7,
            enqueued: NOW,
        }
    }

    #[test]
    fn a_notice_is_under_a_lock_until_it_is_completed_and_is_tried_ten_times() {
        let mut notices = Notices::default();
        notices.put(notice("d/1"));
        notices.put(notice("d/2"));
        let first = notices.take(NOW).expect("one");
        let text = String::from_utf8(first.body).expect("text");
        assert_eq!(
            text,
            "{\"deviceId\":\"d\",\"blobUri\":\"https://h/c/d/1\",\"blobName\":\"d/1\",\
             \"lastUpdatedTime\":\"1970-01-01T00:00:00.0000000Z\",\"blobSizeInBytes\":7,\
             \"enqueuedTimeUtc\":\"1970-01-01T00:00:00.0000000Z\"}"
        );
        let second = notices.take(NOW).expect("the other");
        assert!(notices.take(NOW).is_none());
        assert!(notices.complete(&second.lock_token, NOW) && !notices.complete(&second.lock_token, NOW));
        assert!(!notices.complete(&first.lock_token, NOW + LOCK_TIME), "the lock has ended");
        for tried in 2..=MAX_DELIVERIES {
            let again = notices.take(NOW).expect("again");
            assert_eq!((again.sequence_number, again.deliveries), (first.sequence_number, tried));
            assert!(notices.abandon(&again.lock_token, NOW));
        }
        assert!(notices.take(NOW).is_none(), "given up");
        notices.put(notice("d/3"));
        assert!(notices.take(NOW + LIFE).is_none(), "nobody has asked for an hour");
        (0..=MAX_NOTICES).for_each(|_| notices.put(notice("d")));
        assert_eq!(notices.keep().len(), MAX_NOTICES);
    }
}
