//! A week at one reading a minute, with three outages, a reboot and a clock that wakes in 1970: at the end the hub has
//! the exact timestamps, and knows which reading has none.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::config::DeliveryMode;
use container_tracker::journal::Journal;
use container_tracker::reading::{Reading, Stamp};
use container_tracker::uplink::delivery::messages;
use serde_json::Value;
use support::journal::{Recorded, fields};

const MINUTES: u64 = 7 * 24 * 60;
/// The power fails here for the first time; that boot knew the time.
const FIRST_REBOOT: u64 = 2 * 24 * 60;
/// And here for the second time, in a boot that never knew it.
const SECOND_REBOOT: u64 = FIRST_REBOOT + 40;
/// In the last boot the time is known from here on.
const GPS_FIX: u64 = SECOND_REBOOT + 90;
/// No network from … to.
const OUTAGES: [(u64, u64); 3] = [(300, 1700), (FIRST_REBOOT - 500, GPS_FIX), (8000, 9900)];

/// True time at this minute of the week.
fn true_time(minute: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::minutes(minute as i64)
}

/// The boot that this minute belongs to.
fn booted_at(minute: u64) -> u64 {
    [SECOND_REBOOT, FIRST_REBOOT].into_iter().find(|boot| minute >= *boot).unwrap_or(0)
}

fn stamp(minute: u64) -> Stamp {
    let known = !(FIRST_REBOOT..GPS_FIX).contains(&minute);
    let uptime = Duration::from_secs(60 * (minute - booted_at(minute)) + 15);
    Stamp { utc: known.then(|| true_time(minute)), monotonic: uptime }
}

fn online(minute: u64) -> bool {
    !OUTAGES.iter().any(|(from, to)| (*from..*to).contains(&minute))
}

fn open(directory: &Path, boot: u64) -> Recorded {
    Recorded::open_in_boot(directory, &format!("boot-{boot}"))
}

/// The hub: what came, by the reading's own number.
#[derive(Default)]
struct Hub {
    readings: BTreeMap<u64, Value>,
    messages: u64,
    repeated: u64,
}

impl Hub {
    fn receive(&mut self, payload: &[u8]) {
        self.messages += 1;
        let bodies = match serde_json::from_slice(payload).unwrap() {
            Value::Array(bodies) => bodies,
            body => vec![body],
        };
        for body in bodies {
            let n = body["n"].as_u64().unwrap();
            if let Some(before) = self.readings.insert(n, body.clone()) {
                assert_eq!(before, body, "a duplicate is the same in every field");
                self.repeated += 1;
            }
        }
    }

    /// Takes all there is, as a session does.
    async fn visit(&mut self, journal: &Journal, minute: u64) {
        journal.release().await;
        loop {
            let lease = journal.lease(500, stamp(minute)).await;
            let batch = messages(lease, "sensor-thl-001", DeliveryMode::default());
            if batch.is_empty() {
                return;
            }
            for message in batch {
                self.receive(&message.publish.payload);
                while journal.acknowledge(message.seqs.clone()).is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_week_with_outages_reboots_and_a_clock_in_1970_ends_with_the_exact_timestamps() {
    let directory = tempfile::tempdir().unwrap();
    let mut hub = Hub::default();
    let mut journal = open(directory.path(), 0);
    for minute in 0..MINUTES {
        if [FIRST_REBOOT, SECOND_REBOOT].contains(&minute) {
            journal.flush().await;
            drop(journal);
            journal = open(directory.path(), minute);
        }
        journal.append(Reading { stamp: stamp(minute), fields: fields(minute), alerts: Vec::new() }).await;
        if minute % 30 == 29 && online(minute) {
            journal.flush().await;
            hub.visit(&journal, minute).await;
        }
    }
    journal.flush().await;
    hub.visit(&journal, MINUTES).await;
    assert_eq!(journal.stats().backlog, 0);

    assert_eq!(hub.readings.keys().copied().collect::<Vec<_>>(), (0..MINUTES).collect::<Vec<_>>());
    assert_eq!(hub.repeated, 0);
    let mut seqs: Vec<u64> = Vec::new();
    for (minute, body) in &hub.readings {
        seqs.push(body["seq"].as_u64().unwrap());
        if (FIRST_REBOOT..SECOND_REBOOT).contains(minute) {
            let uptime = (60 * (minute - FIRST_REBOOT) + 15) as f64;
            assert_eq!(
                (&body["timeUnknown"], body["uptime"].as_f64()),
                (&true.into(), Some(uptime)),
                "{body}"
            );
            assert!(body.get("time").is_none(), "{body}");
        } else {
            let time: DateTime<Utc> = body["time"].as_str().unwrap().parse().unwrap();
            assert_eq!(time, true_time(*minute));
            assert!(body.get("timeUnknown").is_none(), "{body}");
        }
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "numbers tell the order in which readings were taken");
    assert!(hub.messages < MINUTES / 5, "a backlog shares messages: {}", hub.messages);
}
