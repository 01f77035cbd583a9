//! The state directory of an earlier version goes on being used: readings, settings and assignment.
//!
//! Each directory `tests/data/state-COMMIT` was written by the code of that commit, in the lives of three boots of one
//! machine:
//!
//! | boot | readings | the time was known | ended |
//! |---|---|---|---|
//! | a | 0 to 19, of which the hub has 0 to 9 and 19 | from reading 5 on | in good order |
//! | b | 20 to 23 | never | in good order |
//! | c | 24 to 39, which are in the log | always | killed |

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::alarms::schema::Alarms;
use container_tracker::config::{DeliveryMode, Intervals, LastInterval};
use container_tracker::journal::Entry;
use container_tracker::reading::{Reading, Stamp};
use container_tracker::settings::Defaults;
use container_tracker::settings::InForce;
use container_tracker::uplink::assignment::AssignmentFile;
use support::journal::Recorded;
use tempfile::TempDir;

/// A version, and the message IDs of readings 10, 20 and 39, by which the hub knows them.
struct Version {
    commit: &'static str,
    ids: [&'static str; 3],
}

const VERSIONS: [Version; 6] = [
    Version {
        commit: "b1c2554",
        ids: ["d9a72ced-22775900010", "5b332cf9-22834440000", "7b6607ba-22834440019"],
    },
    Version {
        commit: "6f0864f",
        ids: ["51c4eb02-22775900010", "3f479ddf-22834440000", "c06dc030-22834440019"],
    },
    Version {
        commit: "b752a25",
        ids: ["57d1f9fb-22775900010", "78dfe7e1-22834440000", "bf0859bb-22834440019"],
    },
    Version {
        commit: "e81e915",
        ids: ["1168d695-22775900010", "9a225312-22834440000", "0f64bee1-22834440019"],
    },
    Version {
        commit: "c9a82fe",
        ids: ["19ee8e1f-22775900010", "b8a7fb6c-22834440000", "b4f0461d-22834440019"],
    },
    Version {
        commit: "798eba7",
        ids: ["ed0d8d02-22775900010", "daf33eb3-22834440000", "e8985ff5-22834440019"],
    },
];

/// A copy to be worked with.
fn state(version: &Version) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let written = format!("tests/data/state-{}", version.commit);
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(written)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn time(seconds: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::seconds(seconds as i64)
}

/// When it was taken.
fn taken(n: u64) -> Option<DateTime<Utc>> {
    match n {
        0..20 => Some(time(300 * n)),
        20..24 => None,
        _ => Some(time(60_000 + 40 + 300 * (n - 24))),
    }
}

fn field(entry: &Entry, name: &str) -> f64 {
    serde_json::from_str::<serde_json::Value>(&entry.fields).unwrap()[name].as_f64().unwrap()
}

#[tokio::test]
async fn all_readings_are_delivered_in_order_with_their_times_and_numbers() {
    for version in VERSIONS {
        all_readings_are_delivered(&version).await;
    }
}

async fn all_readings_are_delivered(version: &Version) {
    let directory = state(version);
    let journal = Recorded::open_in_boot(directory.path(), "boot-d");
    let now = Stamp { utc: Some(time(80_000)), monotonic: Duration::from_mins(1) };
    let new = Reading { stamp: now, fields: "{}".into(), alerts: Vec::new() };
    journal.append(new).await;
    journal.flush().await;
    assert_eq!((journal.stats().backlog, journal.story().as_str()), (30, ""));

    let mut entries = Vec::new();
    let mut newest = None;
    loop {
        let lease = journal.lease(7, now).await;
        if lease.is_empty() {
            break;
        }
        let seqs = lease.newest.iter().chain(&lease.backlog).map(|entry| entry.seq).collect();
        journal.acknowledge(seqs).unwrap();
        newest = newest.or(lease.newest);
        entries.extend(lease.backlog);
    }
    let newest = newest.unwrap();
    assert_eq!((newest.fields.as_str(), newest.time), ("{}", now.utc));

    let numbers: Vec<u64> = entries.iter().map(|entry| field(entry, "n") as u64).collect();
    assert_eq!(numbers, (10..19).chain(20..40).collect::<Vec<_>>());
    assert!(entries.iter().chain([&newest]).is_sorted_by(|a, b| a.seq < b.seq), "{entries:?}");
    for (entry, n) in entries.iter().zip(numbers) {
        assert_eq!(entry.time, taken(n), "{n}");
        assert_eq!(field(entry, "temperature"), 4.0 + (n % 7) as f64 / 10.0);
        assert_eq!(entry.alerts, if n % 10 == 3 { vec!["humidityHigh"] } else { Vec::new() });
    }
    // The hub knows a reading that it has by this, should it come again.
    let ids: Vec<String> = entries.iter().map(Entry::message_id).collect();
    assert_eq!([&ids[0], &ids[9], &ids[28]], version.ids, "{}", version.commit);
    assert_eq!(entries[9].uptime_s, 30.0);

    journal.close().await;
    drop(journal);
    assert_eq!(Recorded::open_in_boot(directory.path(), "boot-d").drain().await, [0; 0]);
}

#[test]
fn settings_and_assignment_are_in_force() {
    VERSIONS.iter().for_each(are_in_force);
}

fn are_in_force(version: &Version) {
    let directory = state(version);
    let defaults = Defaults {
        interval: Duration::from_mins(1),
        intervals: Intervals::default(),
        last: LastInterval::HOURLY,
        delivery: DeliveryMode::default(),
        alarms: Alarms::NONE,
    };
    let (settings, result) = InForce::load(directory.path(), defaults);
    result.unwrap();
    assert_eq!(settings.pace().borrow().interval, Duration::from_mins(5));
    assert_eq!(settings.delivery(), DeliveryMode { gzip: true, ..DeliveryMode::default() });

    let assignment = AssignmentFile::new(directory.path()).read().unwrap().unwrap();
    assert_eq!(assignment.hub, "contoso-hub.azure-devices.net");
    assert_eq!(
        (assignment.device_id.as_str(), assignment.terms.id_scope.as_str()),
        ("sensor-thl-001", "0ne00123ABC")
    );
    assert_eq!(assignment.terms.dps_host, "global.azure-devices-provisioning.net");
    assert_eq!(
        assignment.terms.thumbprint,
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    );
}

#[test]
fn the_documents_tell_how_to_read_a_journal_from_a_card() {
    let document = include_str!("../docs/troubleshooting.md");
    let query = document.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    // Which this program's own SQLite leaves out.
    let query = query.replace("datetime(", "(").replace(", 'unixepoch')", ")");
    let directory = state(&VERSIONS[0]);
    let copy = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    let mut statement = copy.prepare(&query).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Vec<(u64, Option<i64>)> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
    // All but those that the hub has, and those that are in the log alone too.
    assert_eq!(found.len(), 29);
    let timed: Vec<i64> = found.iter().filter_map(|(_, time)| *time).collect();
    let expected: Vec<i64> = (10..19).chain(24..40).filter_map(taken).map(|time| time.timestamp()).collect();
    assert_eq!(timed, expected);
    assert_eq!(found.iter().filter(|(_, time)| time.is_none()).count(), 4);
}
