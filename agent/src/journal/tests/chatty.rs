//! Readings that come so fast that they share a commit, and how the hub may have them before.

use std::fs;
use std::time::Duration;

use tokio::sync::oneshot;

use super::bench::{self, BOUND, Bench, ManualClock, copy_files, tags};
use crate::journal::command::Command;
use crate::journal::writer::group::GROUP;

const SECOND: Duration = Duration::from_secs(1);

/// Appends a reading and has it acknowledged, as at a hub that is reached.
fn live(bench: &mut Bench, tag: u64) -> u64 {
    bench.append(tag);
    let newest = bench.lease(1).newest.expect("it is sent at once");
    assert_eq!(bench::tag(&newest), tag);
    bench.acknowledge([newest.seq]);
    bench.advance(SECOND);
    newest.seq
}

#[test]
fn what_the_hub_has_before_its_commit_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    live(&mut bench, 0);
    live(&mut bench, 1);
    let wal = || fs::read(directory.path().join("journal.db-wal")).unwrap();
    let before = wal();
    for tag in 2..60 {
        live(&mut bench, tag);
    }
    assert!(wal() == before, "nothing was written");
    let stats = bench.stats();
    assert_eq!((stats.taken, stats.sent, stats.acknowledged, stats.backlog), (60, 60, 60, 0));
    // The link is lost.
    for tag in 60..70 {
        bench.append(tag);
        bench.advance(SECOND);
    }
    bench.advance(GROUP);
    assert_eq!((bench.stats().taken, bench.stats().backlog), (70, 10));
    let copy = tempfile::tempdir().unwrap();
    copy_files(directory.path(), copy.path());
    let mut there = tags(&Bench::open(copy.path(), ManualClock::new(), BOUND, 2).drain());
    there.sort_unstable();
    assert_eq!(there, (60..70).collect::<Vec<_>>(), "what was acknowledged does not come again");
}

#[test]
fn what_is_on_its_way_is_durable_in_time_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    live(&mut bench, 0);
    bench.append(1);
    let seq = bench.lease(1).newest.unwrap().seq;
    assert_eq!(bench.stats().taken, 1, "not taken yet");
    bench.advance(GROUP);
    assert_eq!((bench.stats().taken, bench.stats().backlog), (2, 1));
    assert!(bench.lease(9).is_empty(), "it is on its way");
    bench.acknowledge([seq]);
    assert_eq!((bench.stats().acknowledged, bench.stats().backlog), (2, 0));
}

#[test]
fn a_lost_link_brings_back_what_waits_for_its_commit_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    live(&mut bench, 0);
    bench.append(1);
    bench.append(2);
    let lease = bench.lease(9);
    assert_eq!((tags(&[lease.newest.unwrap()]), tags(&lease.backlog)), (vec![2], vec![1]));
    bench.release();
    bench.append(3);
    assert_eq!(tags(&bench.drain()), [3, 1, 2]);
}

#[test]
fn numbers_that_never_reached_the_disk_do_not_come_again_even_if_the_clock_was_ahead() {
    let directory = tempfile::tempdir().unwrap();
    let mut ahead = ManualClock::new();
    ahead.advance(86_400 * 300 * SECOND);
    let mut bench = Bench::open(directory.path(), ahead, BOUND, 1);
    let last = (0..200).map(|tag| live(&mut bench, tag)).max().unwrap();
    // Killed: only what the files hold is left.
    let copy = tempfile::tempdir().unwrap();
    copy_files(directory.path(), copy.path());
    let mut bench = Bench::open(copy.path(), ManualClock::new(), BOUND, 2);
    bench.append(200);
    let entries = bench.drain();
    assert_eq!(tags(&entries[..1]), [200]);
    assert!(entries[0].seq > last, "{} {last}", entries[0].seq);
}

#[test]
fn a_full_disk_keeps_no_reading_from_the_hub() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    live(&mut bench, 0);
    bench.set_read_only(true);
    bench.append(1);
    assert!(bench.lease(9).is_empty(), "its number could come again");
    bench.advance(GROUP);
    assert_eq!(tags(&bench.drain()), [1], "from the memory that stands in for the disk");
}

#[test]
fn who_waits_is_answered_by_the_next_reading() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    live(&mut bench, 0);
    let (reply, mut answer) = oneshot::channel();
    bench.worker.obey(Command::Await { limit: 5, now: bench.clock.stamp(), reply }, bench.now);
    assert!(answer.try_recv().is_err(), "there is nothing");
    bench.append(1);
    assert_eq!(tags(&[answer.try_recv().unwrap().newest.unwrap()]), [1]);
}
