//! Rows that a bad card has spoilt: the others are delivered, and nobody accuses the disk.

use std::time::Duration;

use super::bench::{BOUND, Bench, ManualClock, tags};
use crate::journal::inspect::inspect;
use crate::journal::shared::JournalHealth;

/// One value of each column: of another type, negative, beyond 32 and 63 bits, or nonsense.
const SPOILT: [&str; 24] = [
    "seq = -1",
    "seq = 9223372036854775807",
    "seq = 4611686018427387903",
    "start = 'x'",
    "start = -1",
    "start = 4294967296",
    "start = 1e19",
    "boot = 'x'",
    "boot = -1",
    "boot = 1e19",
    "monotonic_ms = 'x'",
    "monotonic_ms = -1",
    "monotonic_ms = 1e19",
    "utc_ms = 'x'",
    "utc_ms = -1",
    "utc_ms = 9223372036854775807",
    "utc_ms = 1e19",
    "stands_for = 'x'",
    "stands_for = 0",
    "stands_for = -1",
    "stands_for = 4294967297",
    "stands_for = 1e19",
    "payload = CAST(payload AS TEXT)",
    "payload = x'7b22'",
];

/// A journal with readings 0 to 19 of which one is spoilt, the oldest, one in the middle or the newest.
fn spoilt(what: &str, which: u64) -> (tempfile::TempDir, ManualClock) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    for tag in 0..20 {
        bench.append(tag);
    }
    let clock = bench.close();
    let connection = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let row = format!("(SELECT seq FROM reading ORDER BY seq LIMIT 1 OFFSET {which})");
    connection.execute_batch(&format!("UPDATE reading SET {what} WHERE seq = {row}")).unwrap();
    (directory, clock)
}

#[test]
fn a_row_that_can_not_be_read_is_put_aside_and_the_others_are_delivered() {
    for (index, what) in SPOILT.iter().enumerate() {
        let which = [0, 9, 19][index % 3];
        let (directory, clock) = spoilt(what, which);
        let found = inspect(directory.path()).unwrap().unwrap();
        assert_eq!((found.damage, found.backlog, found.put_aside), (None, 20, 0), "{what}");
        let named = found.unreadable.unwrap_or_default();
        assert!(named.starts_with("1 reading can't be read (number "), "{what}: {named}");

        let mut bench = Bench::open(directory.path(), clock, BOUND, 2);
        for _ in 0..3 {
            bench.advance(Duration::from_mins(1));
            bench.flush();
        }
        assert_eq!(bench.health(), JournalHealth::default(), "{what}");
        let mut there = tags(&bench.drain());
        there.sort_unstable();
        let others: Vec<u64> = (0..20).filter(|tag| *tag != which).collect();
        assert_eq!((there, bench.stats().dropped), (others, 1), "{what}");
        assert!(bench.story().starts_with("in the journal 1 reading can't be read (number "), "{what}");
        assert_eq!(bench.story().lines().count(), 1, "{what}: {}", bench.story());
        bench.append(20);
        bench.flush();
        assert_eq!((tags(&bench.drain()), bench.health()), (vec![20], JournalHealth::default()), "{what}");
        bench.close();
        let found = inspect(directory.path()).unwrap().unwrap();
        assert_eq!((found.unreadable, found.put_aside), (None, 1), "{what}");
    }
}

#[test]
fn a_row_that_is_spoilt_while_the_journal_is_open_holds_up_nothing() {
    for what in SPOILT.iter().filter(|what| !what.starts_with("seq")) {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
        for tag in 0..20 {
            bench.append(tag);
        }
        bench.flush();
        let disk = bench.worker.writer().disk().unwrap().connection();
        disk.pragma_update(None, "foreign_keys", false).unwrap();
        let row = "(SELECT seq FROM reading ORDER BY seq LIMIT 1 OFFSET 7)";
        disk.execute_batch(&format!("UPDATE reading SET {what} WHERE seq = {row}")).unwrap();
        let mut there = tags(&bench.drain());
        there.sort_unstable();
        assert_eq!(there, (0..20).filter(|tag| *tag != 7).collect::<Vec<u64>>(), "{what}");
        assert_eq!((bench.stats().dropped, bench.health()), (1, JournalHealth::default()), "{what}");
    }
}

#[test]
fn what_belongs_to_no_row_is_done_without() {
    for what in [
        "UPDATE reading SET boot = 77 WHERE seq = (SELECT min(seq) FROM reading)",
        "UPDATE boot SET offset_ms = 'x'",
        "UPDATE boot SET offset_ms = 1e19",
        "INSERT OR REPLACE INTO counter VALUES ('last_seq', 'x'), ('thinned', x'00')",
        "INSERT OR REPLACE INTO counter VALUES ('last_seq', -1), ('thinned', -1)",
        "INSERT OR REPLACE INTO counter VALUES ('last_seq', 9223372036854775807), ('thinned', 1e19)",
    ] {
        let (directory, clock) = spoilt("stands_for = 1", 0);
        let connection = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(what).unwrap();
        let mut bench = Bench::open(directory.path(), clock, BOUND, 2);
        bench.append(20);
        bench.flush();
        let mut there = tags(&bench.drain());
        there.sort_unstable();
        assert_eq!(there, (0..=20).collect::<Vec<u64>>(), "{what}");
        assert_eq!((bench.health(), bench.stats().dropped), (JournalHealth::default(), 0), "{what}");
        assert_eq!(bench.story(), "", "{what}");
    }
}
