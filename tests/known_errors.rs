//! Every fault of a disk that the journal is known to survive. Whoever finds another one adds a line and a test.
//!
//! | fault | what is promised | test |
//! |---|---|---|
//! | the power goes while a journal is set aside | all readings are in the journal or beside the file that was set aside; what was begun is finished | [`setting_aside_that_is_cut_short_loses_nothing`] |
//! | the same, and a program looks at the file before the rest is done | it does not delete the log | [`who_looks_at_a_journal_that_is_half_set_aside_does_no_harm`] |
//! | the program is killed or the power goes at any moment of a life | what was committed is there, nothing else is, no start finds damage | [`a_life_cut_short_anywhere_keeps_what_was_committed`] |
//! | the file vanishes, its log does not | the log is set aside | [`a_log_without_its_file_is_kept`] |
//! | the disk is full while the journal works | readings go to memory, what is acknowledged is forgotten all the same, they come back | [`a_full_disk_takes_no_reading_away`] |
//! | the disk is full at the start | the backlog is delivered, and forgotten | [`a_disk_that_is_full_at_the_start_gives_up_its_backlog`] |
//! | the disk is read-only at the start | new readings are delivered; the old ones follow when it is not any more | [`a_read_only_disk_at_the_start_delivers_what_is_new`] |
//! | the disk turns read-only | readings go to memory and come back | [`a_disk_that_turns_read_only_takes_no_reading_away`] |
//! | nothing can be made durable | no reading counts as durable before it can | [`without_sync_nothing_is_lost_or_doubled`] |
//! | half of what is written gets there | what was there before stays | [`torn_writes_lose_nothing`] |
//! | nothing can be read | nothing is skipped: the backlog comes in order when it can be | [`a_backlog_that_can_not_be_read_comes_later`] |
//! | programs can't share memory on it, as on 9p and some network shares | it is used all the same, by the agent alone | [`without_shared_memory_the_journal_is_durable_too`] |
//! | nothing of what it failed with is tried again at the stop but a write | only a write that came through says that it works again | [`a_disk_that_takes_nothing_is_not_said_to_work_again`] |
//! | the disk reads as other bytes | the file is set aside as it is | [`other_bytes_are_set_aside_as_they_are`] |
//! | a damaged file can't be moved | readings go to memory; it is set aside when it can be | [`damage_that_can_not_be_set_aside_waits`] |
//! | a log cut anywhere, noise, zeros or flipped bytes in the file, a file of another program or of a newer version | set aside and named, or harmless | `agent/src/journal/tests/faults.rs` |
//! | an old image of the card is put back, the clock runs ahead, time is known late | no number comes twice | `agent/src/journal/tests/numbers.rs` |
//! | a real full disk, a real read-only one | as here | `tests/journal_full_disk.rs` |
//! | killed while thousands of readings are on their way | none is lost | `tests/kill.rs` |
//! | killed before a commit, or while the disk fails, once or again before what was left is saved | none is lost (while the disk fails: of the newest 800), none comes under another number | `tests/kill.rs`, `agent/src/journal/tests/waiting.rs` |
//! | the waiting room is torn, another journal's, of another boot or version, a link, another user's | what is whole and its own is taken, the rest left alone | `agent/src/journal/tests/waiting.rs` |
//! | the waiting room is full | told, once; readings are taken all the same | `tests/journal_full_disk.rs` |

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/faulty_disk.rs"]
mod faulty_disk;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use container_tracker::journal::{FILES, set_aside_on};
use faulty_disk::{Fault, FaultyDisk};
use rusqlite::Connection;
use support::journal::{Recorded, reading};
use tempfile::TempDir;

/// A directory whose content need not survive the machine.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(disk: &Arc<FaultyDisk>, directory: &Path) -> Recorded {
    Recorded::open_on(disk.clone(), directory, "boot-1")
}

async fn append(journal: &Recorded, numbers: Range<u64>) {
    for n in numbers {
        journal.append(reading(n)).await;
    }
    journal.flush().await;
}

/// The numbers of all that is left, acknowledged on the way.
async fn drained(journal: &Recorded) -> BTreeSet<u64> {
    let all = journal.drain().await;
    let set: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(set.len(), all.len(), "none comes twice: {all:?}");
    set
}

fn set(range: Range<u64>) -> BTreeSet<u64> {
    range.collect()
}

/// A journal as an agent leaves it that was killed: readings 0 to 9 are in the file, 10 to 19 in the log.
async fn killed_agent() -> TempDir {
    let directory = scratch();
    let journal = Recorded::open(directory.path());
    append(&journal, 0..10).await;
    journal.close().await;
    append(&journal, 10..20).await;
    let killed = FaultyDisk::after_kill(directory.path());
    assert!(killed.path().join("journal.db-wal").exists());
    killed
}

/// The numbers of the readings in a journal that was set aside.
fn numbers_in(path: &Path) -> BTreeSet<u64> {
    let connection = Connection::open(path).unwrap();
    let mut query = connection.prepare("SELECT payload FROM reading").unwrap();
    let payloads = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let number = |payload: Vec<u8>| {
        serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["f"]["n"].as_u64().unwrap()
    };
    payloads.map(|payload| number(payload.unwrap())).collect()
}

/// Stops setting aside after so many changes of the disk, and gives what is there then; `None` if it came to its end.
async fn stopped_setting_aside(changes: u64) -> Option<TempDir> {
    let directory = killed_agent().await;
    let disk = FaultyDisk::that_dies_after(changes);
    let result = set_aside_on(&*disk, directory.path(), "old");
    assert_eq!(result.is_err(), disk.is_dead());
    disk.is_dead().then_some(directory)
}

#[tokio::test]
async fn setting_aside_that_is_cut_short_loses_nothing() {
    let mut changes = 0;
    while let Some(directory) = stopped_setting_aside(changes).await {
        let again = FaultyDisk::after_kill(directory.path());
        // The next start finishes what was begun, and goes on.
        let journal = Recorded::open(directory.path());
        append(&journal, 20..21).await;
        let mut there = drained(&journal).await;
        assert_eq!(journal.health().trouble, None);
        let aside = directory.path().join("journal.db.old-1");
        if aside.exists() {
            there.extend(numbers_in(&aside));
        }
        assert_eq!(there, set(0..21), "a start after {changes} changes: {}", journal.story());
        assert!(!directory.path().join("journal.aside").exists());

        // So does who sets it aside again.
        let aside = set_aside_on(&*FaultyDisk::new(), again.path(), "old").unwrap().unwrap();
        assert_eq!(aside, again.path().join("journal.db.old-1"));
        assert_eq!(numbers_in(&aside), set(0..20), "set aside again after {changes} changes");
        let left = FILES.iter().filter(|name| again.path().join(name).exists()).collect::<Vec<_>>();
        assert_eq!(left, [&"journal.spare"]);
        changes += 1;
    }
    // The note, the log, the file, the note again.
    assert_eq!(changes, 4);
}

#[tokio::test]
async fn who_looks_at_a_journal_that_is_half_set_aside_does_no_harm() {
    let mut changes = 0;
    while let Some(directory) = stopped_setting_aside(changes).await {
        // With sqlite3, or as an earlier version: SQLite deletes a log that it finds without its file.
        let connection = Connection::open(directory.path().join("journal.db")).unwrap();
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, u64>(0)).unwrap();
        drop(connection);
        set_aside_on(&*FaultyDisk::new(), directory.path(), "old").unwrap();
        let aside = directory.path().join("journal.db.old-1");
        assert_eq!(numbers_in(&aside), set(0..20), "after {changes} changes");
        changes += 1;
    }
    assert_eq!(changes, 4);
}

#[tokio::test]
async fn a_life_cut_short_anywhere_keeps_what_was_committed() {
    let mut changes = 0;
    loop {
        let (directory, disk) = (scratch(), FaultyDisk::that_dies_after(changes));
        let journal = open(&disk, directory.path());
        let (mut appended, mut durable, mut acknowledged) = (0, 0, BTreeSet::new());
        for round in 0..3 {
            for _ in 0..3 {
                journal.append(reading(appended)).await;
                appended += 1;
                journal.flush().await;
                if journal.health().trouble.is_none() {
                    durable = appended;
                }
            }
            if round == 1 {
                acknowledged = drained(&journal).await;
            }
        }
        journal.close().await;
        let finished = !disk.is_dead();
        disk.set(Fault::Dead);
        for (how, after) in [
            ("killed", FaultyDisk::after_kill(directory.path())),
            ("without power", disk.after_power_cut(directory.path())),
        ] {
            let what = format!("{how} after {changes} changes");
            let opened = Recorded::open(after.path());
            opened.flush().await;
            assert!(
                opened.health().set_aside.is_none() && opened.story().is_empty(),
                "{what}: {}",
                opened.story()
            );
            let there = drained(&opened).await;
            let is_missing = |n: &u64| !there.contains(n) && !acknowledged.contains(n);
            assert_eq!((0..durable).filter(is_missing).collect::<Vec<_>>(), [0; 0], "{what}: lost");
            assert!(there.iter().all(|n| *n < appended), "{what}: invented: {there:?}");
            assert!(!finished || there == set(6..9), "{what}: {there:?}");
        }
        if finished {
            break;
        }
        changes += 1;
    }
    assert!(changes > 40, "{changes}");
}

#[tokio::test]
async fn a_log_without_its_file_is_kept() {
    let directory = killed_agent().await;
    let log = fs::read(directory.path().join("journal.db-wal")).unwrap();
    fs::remove_file(directory.path().join("journal.db")).unwrap();
    let journal = Recorded::open(directory.path());
    append(&journal, 20..21).await;
    assert_eq!(journal.health().trouble, None);
    let told = journal.health().set_aside.unwrap();
    assert!(told.contains("its log is there, but the file is gone"), "{told}");
    assert!(fs::read(directory.path().join("journal.db.bad-1-wal")).unwrap() == log);
    assert_eq!(drained(&journal).await, set(20..21));
}

/// The disk fails for readings 10 to 19; nothing is lost or doubled, and it is told, once.
async fn fails_for_a_while(fault: Fault, says: &str) {
    let (directory, disk) = (scratch(), FaultyDisk::new());
    let journal = open(&disk, directory.path());
    append(&journal, 0..10).await;
    disk.set(fault);
    append(&journal, 10..20).await;
    let trouble = journal.health().trouble.expect("it is told");
    assert!(trouble.contains(says) && trouble.contains("kept in memory"), "{trouble}");
    assert_eq!((journal.stats().taken, journal.stats().backlog, journal.stats().dropped), (20, 20, 0));
    // Were the power to go now, what was durable before would be there.
    let killed = FaultyDisk::after_kill(directory.path());
    let there = drained(&Recorded::open(killed.path())).await;
    assert!(there.is_superset(&set(0..10)) && there.is_subset(&set(0..20)), "{there:?}");

    disk.set(None);
    append(&journal, 20..21).await;
    assert_eq!(journal.health().trouble, None);
    assert!(journal.story().ends_with("the disk takes the journal again"), "{}", journal.story());
    journal.close().await;
    let killed = FaultyDisk::after_kill(directory.path());
    assert_eq!(drained(&Recorded::open(killed.path())).await, set(0..21));
    assert_eq!(drained(&journal).await, set(0..21));
}

#[tokio::test]
async fn a_full_disk_takes_no_reading_away() {
    let (directory, disk) = (scratch(), FaultyDisk::new());
    let journal = open(&disk, directory.path());
    append(&journal, 0..10).await;
    let spare = directory.path().join("journal.spare");
    assert!(spare.exists());
    disk.set(Fault::Full);
    append(&journal, 10..20).await;
    let trouble = journal.health().trouble.unwrap();
    assert!(trouble.contains("the disk does not take the journal (database or disk is full)"), "{trouble}");
    assert!(!spare.exists(), "its room was given to SQLite");
    assert_eq!(drained(&journal).await, set(0..20), "they are delivered from memory and disk");
    disk.set(None);
    append(&journal, 20..21).await;
    assert_eq!((journal.health().trouble, journal.stats().backlog), (None, 1));
    fails_for_a_while(Fault::Full, "database or disk is full").await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_gives_up_its_backlog() {
    let (directory, disk) = (killed_agent().await, FaultyDisk::new());
    disk.set(Fault::Full);
    let journal = open(&disk, directory.path());
    assert_eq!(drained(&journal).await, set(0..20), "{}", journal.story());
}

#[tokio::test]
async fn a_read_only_disk_at_the_start_delivers_what_is_new() {
    let (directory, disk) = (killed_agent().await, FaultyDisk::new());
    disk.set(Fault::ReadOnly);
    let journal = open(&disk, directory.path());
    append(&journal, 20..25).await;
    let trouble = journal.health().trouble.unwrap();
    assert!(trouble.contains("kept in memory"), "{trouble}");
    assert_eq!(drained(&journal).await, set(20..25));
    disk.set(None);
    append(&journal, 25..26).await;
    assert_eq!(journal.health().trouble, None);
    assert_eq!(journal.drain().await, [vec![25], (0..20).collect()].concat(), "the old ones in order");
}

#[tokio::test]
async fn a_disk_that_turns_read_only_takes_no_reading_away() {
    fails_for_a_while(Fault::ReadOnly, "disk I/O error").await;
}

#[tokio::test]
async fn without_sync_nothing_is_lost_or_doubled() {
    fails_for_a_while(Fault::NoSync, "disk I/O error").await;
}

#[tokio::test]
async fn torn_writes_lose_nothing() {
    fails_for_a_while(Fault::TornWrites, "disk I/O error").await;
}

#[tokio::test]
async fn a_backlog_that_can_not_be_read_comes_later() {
    let (directory, disk) = (killed_agent().await, FaultyDisk::new());
    disk.set(Fault::NoReads);
    let journal = open(&disk, directory.path());
    append(&journal, 20..21).await;
    assert!(
        journal.health().trouble.is_some() && journal.health().set_aside.is_none(),
        "{}",
        journal.story()
    );
    assert_eq!(drained(&journal).await, set(20..21));
    disk.set(None);
    append(&journal, 21..22).await;
    assert_eq!(journal.drain().await, [vec![21], (0..20).collect()].concat());
}

#[tokio::test]
async fn other_bytes_are_set_aside_as_they_are() {
    let (directory, disk) = (killed_agent().await, FaultyDisk::new());
    disk.set(Fault::OtherBytes);
    let journal = open(&disk, directory.path());
    append(&journal, 20..25).await;
    let told = journal.health().set_aside.unwrap();
    assert!(told.contains("file is not a database"), "{told}");
    disk.set(None);
    append(&journal, 25..26).await;
    assert_eq!(journal.health().trouble, None, "{}", journal.story());
    assert_eq!(drained(&journal).await, set(20..26), "{}", journal.story());
    // It was the disk, not the file.
    assert_eq!(numbers_in(&directory.path().join("journal.db.bad-1")), set(0..20));
}

#[tokio::test]
async fn damage_that_can_not_be_set_aside_waits() {
    let (directory, disk) = (scratch(), FaultyDisk::new());
    let file = directory.path().join("journal.db");
    fs::write(&file, "no database, ".repeat(100)).unwrap();
    disk.set(Fault::NoRenames);
    let journal = open(&disk, directory.path());
    append(&journal, 0..5).await;
    let trouble = journal.health().trouble.unwrap();
    assert!(trouble.contains("file is not a database, and can't be set aside"), "{trouble}");
    assert_eq!((journal.stats().backlog, file.exists()), (5, true));
    disk.set(None);
    append(&journal, 5..6).await;
    assert_eq!(journal.health().trouble, None);
    assert!(fs::read(directory.path().join("journal.db.bad-1")).unwrap().starts_with(b"no database"));
    assert_eq!(drained(&journal).await, set(0..6));
}

#[tokio::test]
async fn without_shared_memory_the_journal_is_durable_too() {
    let (directory, disk) = (killed_agent().await, FaultyDisk::new());
    disk.set(Fault::NoSharedMemory);
    let journal = open(&disk, directory.path());
    append(&journal, 20..30).await;
    assert_eq!((journal.health().trouble, journal.story()), (None, String::new()));
    assert!(!directory.path().join("journal.db-shm").exists());
    let killed = disk.after_power_cut(directory.path());
    assert_eq!(drained(&Recorded::open(killed.path())).await, set(0..30));
    assert_eq!(drained(&journal).await, set(0..30));
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_not_said_to_work_again() {
    let (directory, disk) = (scratch(), FaultyDisk::new());
    let journal = open(&disk, directory.path());
    append(&journal, 0..1).await;
    disk.set(Fault::ReadOnly);
    append(&journal, 1..2).await;
    let trouble = journal.health().trouble;
    assert!(trouble.is_some());
    // The hub takes all that memory has: nothing is left to be written.
    assert_eq!(drained(&journal).await, set(0..2));
    for _ in 0..3 {
        journal.flush().await;
        assert_eq!((journal.health().trouble, Some(journal.story())), (trouble.clone(), trouble.clone()));
    }
    disk.set(None);
    journal.flush().await;
    assert_eq!(journal.health().trouble, None);
    assert!(journal.story().ends_with("the disk takes the journal again"), "{}", journal.story());
}
