//! Torn, damaged, foreign, full: what is there stays, what can't be used is set aside, and sensing goes on.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::bench::{BOUND, Bench, ManualClock, copy_files, tag, tags};
use crate::journal::shared::JournalHealth;
use crate::journal::storage::memory::CAPACITY;
use crate::journal::writer::LOOK_AT_SIZE;

/// Replaces a file's content; half a file is what such a test may want.
fn put(path: &Path, content: &[u8]) {
    fs::File::create(path).unwrap().write_all(content).unwrap();
}

/// A directory that need not survive the test, and makes it ten times as fast.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn a_wal_cut_anywhere_opens_with_what_was_committed_before() {
    let (directory, cut) = (tempfile::tempdir().unwrap(), in_memory());
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    let wal = directory.path().join("journal.db-wal");
    // How long the WAL was when so many readings were durable.
    let mut lengths = vec![(fs::metadata(&wal).unwrap().len(), 0_u64)];
    for tag in 1..=3 {
        bench.append(tag);
        bench.advance(Duration::from_mins(1));
        lengths.push((fs::metadata(&wal).unwrap().len(), tag));
    }
    assert!(lengths.is_sorted_by(|a, b| a.0 < b.0), "each has a transaction of its own: {lengths:?}");
    let whole = fs::read(&wal).unwrap();
    for length in (lengths[1].0 as usize..=whole.len()).rev() {
        copy_files(directory.path(), cut.path());
        put(&cut.path().join("journal.db-wal"), &whole[..length]);
        let mut opened = Bench::open(cut.path(), ManualClock::new(), BOUND, 2);
        assert_eq!(opened.health(), JournalHealth::default(), "cut at {length}: {}", opened.story());
        let mut there = tags(&opened.drain());
        there.sort_unstable();
        let durable =
            lengths.iter().filter(|(at, _)| *at <= length as u64).map(|(_, tag)| *tag).max().unwrap();
        assert_eq!(there, (1..=durable).collect::<Vec<_>>(), "cut at {length}");
    }
}

/// Opens a journal on `damage` done to a good one; it must be set aside, byte for byte, and a new one begun.
fn is_set_aside(what: &str, damage: impl Fn(&Path), says: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    for tag in 0..200 {
        bench.append(tag);
    }
    let clock = bench.close();
    drop(fs::remove_file(directory.path().join("journal.db-wal")));
    let file = directory.path().join("journal.db");
    damage(&file);
    let content = fs::read(&file).unwrap();

    for n in 1..=2 {
        put(&file, &content);
        let mut bench = Bench::open(directory.path(), clock.clone(), BOUND, 2);
        let aside = directory.path().join(format!("journal.db.bad-{n}"));
        assert_eq!(bench.health().trouble, None, "{what}: {}", bench.story());
        let told = bench.health().set_aside.unwrap_or_else(|| panic!("{what}: not set aside"));
        assert!(told.contains("the journal could not be used") && told.contains(says), "{what}: {told}");
        assert!(told.contains(&format!("it is set aside as {}", aside.display())), "{what}: {told}");
        assert!(bench.story().contains(&told), "{what}: {}", bench.story());
        assert!(fs::read(&aside).unwrap() == content, "{what}: kept as it was");
        bench.append(1);
        assert_eq!(tags(&bench.drain()), [1], "{what}");
        bench.close();
    }
}

#[test]
fn a_file_that_can_not_be_used_is_set_aside_and_named() {
    let noise = |path: &Path| {
        let mut state = 88_172_645_463_325_252_u64;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        put(path, &noise.take(50_000).collect::<Vec<u8>>());
    };
    is_set_aside("random bytes", noise, "file is not a database");
    is_set_aside(
        "truncated",
        |path| {
            let content = fs::read(path).unwrap();
            put(path, &content[..content.len() / 2]);
        },
        "",
    );
    is_set_aside(
        "a page of zeros in the middle",
        |path| {
            let mut content = fs::read(path).unwrap();
            let middle = content.len() / 2 / 4096 * 4096;
            content[middle..middle + 4096].fill(0);
            put(path, &content);
        },
        "",
    );
    let sql = |text: &'static str| {
        move |path: &Path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
            connection.execute_batch(text).unwrap();
        }
    };
    is_set_aside(
        "of a newer version",
        sql("PRAGMA user_version = 7"),
        "it is of version 7, and this program knows 1",
    );
    is_set_aside("foreign", sql("PRAGMA application_id = 0"), "another program's database");
    is_set_aside("without a table", sql("DROP TABLE counter"), "no such table: counter");
}

#[test]
fn flipped_bytes_are_set_aside_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    for tag in 0..100 {
        bench.append(tag);
    }
    let clock = bench.close();
    let good = fs::read(directory.path().join("journal.db")).unwrap();
    for at in (0..good.len()).step_by(good.len() / 150) {
        let damaged = tempfile::tempdir().unwrap();
        let mut content = good.clone();
        content[at] ^= 0xff;
        put(&damaged.path().join("journal.db"), &content);
        let mut bench = Bench::open(damaged.path(), clock.clone(), BOUND, 2);
        bench.append(1000);
        bench.flush();
        let newest = bench.lease(1).newest.expect("sensing and sending go on");
        assert_eq!(tag(&newest), 1000, "flipped at {at}");
        // A row that can't be read any more is put aside.
        let there = bench.stats().backlog + bench.stats().dropped;
        assert!(there == 101 || bench.health().set_aside.is_some(), "flipped at {at}");
    }
}

#[test]
fn damage_found_while_working_costs_no_reading_that_is_taken_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    for tag in 0..100 {
        bench.append(tag);
    }
    bench.flush();
    bench.worker.writer().disk().unwrap().checkpoint().unwrap();
    let file = directory.path().join("journal.db");
    let length = fs::metadata(&file).unwrap().len();
    let mut open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    open.write_all(&vec![0xa5; length as usize]).unwrap();
    let connection = bench.worker.writer().disk().unwrap().connection();
    connection.pragma_update(None, "cache_size", 0).unwrap();
    connection.release_memory().unwrap();
    for tag in 100..110 {
        bench.advance(Duration::from_mins(1));
        bench.append(tag);
    }
    bench.flush();
    assert!(bench.health().set_aside.is_some(), "{}", bench.story());
    assert_eq!(bench.health().trouble, None);
    let mut there = tags(&bench.drain());
    there.sort_unstable();
    assert!(there.ends_with(&(100..110).collect::<Vec<_>>()), "{there:?}");
}

#[test]
fn while_the_file_is_read_only_readings_wait_in_memory_and_then_move() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    bench.append(0);
    bench.set_read_only(true);
    for tag in 1..50 {
        bench.advance(Duration::from_secs(10));
        bench.append(tag);
    }
    let trouble = bench.health().trouble.expect("it says so");
    assert!(
        trouble.contains("the disk does not take the journal (attempt to write a readonly database)"),
        "{trouble}"
    );
    assert!(trouble.contains("readings are kept in memory and would be lost with the power"), "{trouble}");
    assert_eq!(bench.story(), trouble, "once");
    assert_eq!((bench.stats().taken, bench.stats().backlog, bench.stats().in_memory), (50, 50, 49));
    // Delivered from memory and disk meanwhile; the disk can't forget yet.
    let lease = bench.lease(3);
    assert_eq!((tags(&[lease.newest.clone().unwrap()]), tags(&lease.backlog)), (vec![49], vec![0, 1]));
    bench.acknowledge(lease.newest.into_iter().chain(lease.backlog).map(|entry| entry.seq));
    assert_eq!(bench.stats().backlog, 47);

    bench.set_read_only(false);
    bench.advance(Duration::from_secs(61));
    assert_eq!((bench.health().trouble, bench.stats().in_memory), (None, 0));
    assert!(bench.story().ends_with("the disk takes the journal again"), "{}", bench.story());
    let copy = tempfile::tempdir().unwrap();
    copy_files(directory.path(), copy.path());
    let mut opened = Bench::open(copy.path(), bench.clock.clone(), BOUND, 2);
    assert_eq!(opened.stats().backlog, 47);
    let mut there = tags(&opened.drain());
    there.sort_unstable();
    assert_eq!(there, (2..49).collect::<Vec<_>>());
}

#[test]
fn memory_is_bounded_and_tells_what_it_gave_up() {
    let directory = tempfile::tempdir().unwrap();
    // A file in the place of the directory: no journal can be opened in it.
    let blocked = directory.path().join("state");
    put(&blocked, b"");
    let mut bench = Bench::open(&blocked, ManualClock::new(), BOUND, 1);
    let trouble = bench.health().trouble.expect("it says so");
    assert!(trouble.contains(&format!("the journal can't be opened in {}", blocked.display())), "{trouble}");
    let total = 2 * CAPACITY as u64;
    for tag in 0..total {
        bench.append(tag);
        bench.advance(Duration::from_secs(1));
    }
    bench.flush();
    let stats = bench.stats();
    assert_eq!((stats.taken, stats.backlog + stats.dropped), (total, total));
    assert!(stats.backlog <= CAPACITY as u64 && stats.backlog > CAPACITY as u64 / 2, "{stats:?}");
    // The directory comes back, and what memory has goes to the disk.
    fs::remove_file(&blocked).unwrap();
    fs::create_dir(&blocked).unwrap();
    bench.advance(Duration::from_secs(61));
    assert_eq!((bench.health().trouble.clone(), bench.stats().backlog), (None, stats.backlog));
    let clock = bench.close();
    assert_eq!(Bench::open(&blocked, clock, BOUND, 2).stats().backlog, stats.backlog);
}

#[test]
fn a_history_beyond_its_bound_becomes_coarser_and_never_has_a_hole() {
    let directory = tempfile::tempdir().unwrap();
    let bound = 512 * 1024;
    let mut bench = Bench::open(directory.path(), ManualClock::new(), bound, 1);
    let total = 16_000;
    for tag in 0..total {
        // A flood, so that many share a commit, as a bound is reached in minutes here and in months elsewhere.
        bench.append(tag);
        if tag % 16 == 0 {
            bench.advance(Duration::from_secs(2));
        }
    }
    bench.flush();
    let stats = bench.stats();
    assert_eq!(stats.backlog + stats.thinned, total);
    let capacity = stats.backlog;
    assert!(total >= 9 * capacity, "overfilled ten times: {stats:?}");
    let length = fs::metadata(directory.path().join("journal.db")).unwrap().len();
    assert!(length <= bound + (LOOK_AT_SIZE + 16) * 1024, "{length}");
    assert!(capacity >= bound / 600, "the room is used: {capacity} readings");

    let mut bench = Bench::open(directory.path(), bench.close(), bound, 2);
    assert_eq!((bench.stats().thinned, bench.stats().backlog), (stats.thinned, stats.backlog));
    let mut there = tags(&bench.drain());
    there.sort_unstable();
    assert_eq!((there[0], *there.last().unwrap()), (0, total - 1), "the first and the last are there");
    let gaps: Vec<u64> = there.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (older, newer) = gaps.split_at(gaps.len() / 3);
    let average = older.iter().sum::<u64>() / older.len() as u64;
    assert!(*older.iter().max().unwrap() <= 4 * average, "{older:?}");
    assert!(older.iter().sum::<u64>() > newer.iter().sum::<u64>(), "the older part is the coarser one");
    assert!(gaps[gaps.len() * 3 / 4..].iter().all(|gap| *gap == 1), "the newest are complete");
}

#[test]
fn a_log_with_a_damaged_header_is_told_of_and_kept() {
    for at in [0, 3, 9, 17, 25, 31] {
        let directory = in_memory();
        let bench = Bench::half_in_the_log(directory.path());
        let damaged = in_memory();
        copy_files(directory.path(), damaged.path());
        let log = damaged.path().join("journal.db-wal");
        let mut content = fs::read(&log).unwrap();
        content[at] ^= 0x10;
        put(&log, &content);
        let mut opened = Bench::open(damaged.path(), bench.clock.clone(), BOUND, 2);
        let told = opened.health().set_aside.unwrap_or_default();
        assert!(told.starts_with("the log of the journal is damaged in its header"), "{at}: {told}");
        assert!(fs::read(damaged.path().join("journal.db.bad-1-wal")).unwrap() == content, "{at}");
        let mut there = tags(&opened.drain());
        there.sort_unstable();
        assert_eq!(there, (0..10).collect::<Vec<_>>(), "{at}");
    }
}

#[test]
fn what_lies_in_the_place_of_log_or_index_costs_no_reading_of_the_file() {
    for (part, kept) in [("-wal", 10), ("-shm", 20)] {
        let directory = in_memory();
        let bench = Bench::half_in_the_log(directory.path());
        let odd = in_memory();
        copy_files(directory.path(), odd.path());
        let path = odd.path().join(format!("journal.db{part}"));
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
        let mut opened = Bench::open(odd.path(), bench.clock.clone(), BOUND, 2);
        let told = opened.health().set_aside.unwrap_or_default();
        let words = format!("journal.db{part}: it is a directory and no file; it is set aside as ");
        assert!(told.starts_with(&words), "{told}");
        assert!(opened.health().trouble.is_none());
        let mut there = tags(&opened.drain());
        there.sort_unstable();
        assert_eq!(there, (0..kept).collect::<Vec<_>>(), "{part}");
    }
}
