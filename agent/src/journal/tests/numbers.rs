//! Numbers that never come twice, and times that are known late or never.

use std::time::Duration;

use super::bench::{BOUND, Bench, ManualClock, copy_files, tag, tags};

fn unknown_time() -> ManualClock {
    let mut clock = ManualClock::new();
    clock.known = false;
    clock
}

#[test]
fn a_lost_journal_and_an_old_image_bring_no_number_twice() {
    let directory = tempfile::tempdir().unwrap();
    let image = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), unknown_time(), BOUND, 1);
    bench.append(1);
    copy_files(directory.path(), image.path());
    let mut seqs = Vec::new();
    let mut go_on = |bench: &mut Bench| {
        bench.clock.known = true;
        for tag in 0..20 {
            bench.append(tag);
            bench.advance(Duration::from_secs(1));
        }
        bench.flush();
        seqs.extend(bench.drain().iter().map(|entry| entry.seq));
    };
    go_on(&mut bench);
    let mut clock = bench.close();

    // The journal is lost.
    let empty = tempfile::tempdir().unwrap();
    clock.advance(Duration::from_secs(1));
    let mut bench = Bench::open(empty.path(), clock, BOUND, 2);
    go_on(&mut bench);
    let mut clock = bench.close();

    // The image from before the time was known is put back.
    clock.reboot();
    let mut bench = Bench::open(image.path(), clock, BOUND, 3);
    go_on(&mut bench);

    let count = seqs.len();
    assert_eq!(count, 21 + 20 + 21);
    assert!(seqs.iter().max() < Some(&(1 << 53)), "JSON numbers hold them");
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), count);
}

#[test]
fn numbers_go_on_after_all_is_sent_even_if_the_clock_was_ahead() {
    let directory = tempfile::tempdir().unwrap();
    let mut ahead = ManualClock::new();
    ahead.advance(Duration::from_hours(7200));
    let mut bench = Bench::open(directory.path(), ahead, BOUND, 1);
    bench.append(1);
    let first = bench.drain()[0].seq;
    bench.close();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 2);
    assert_eq!(bench.stats().backlog, 0);
    bench.append(2);
    let second = bench.drain()[0].seq;
    assert!(second > first, "{second} {first}");
}

#[test]
fn readings_that_cross_processes_and_boots_get_their_time_or_say_that_they_have_none() {
    let directory = tempfile::tempdir().unwrap();
    // A boot that never learns the time.
    let mut bench = Bench::open(directory.path(), unknown_time(), BOUND, 1);
    bench.append(1);
    assert!(bench.drain().is_empty(), "nothing is sent while the time is unknown");
    let mut clock = bench.close();

    // A boot with three processes; the second learns the time, after it has taken a reading without.
    clock.reboot();
    let booted = clock.utc - clock.monotonic;
    let mut bench = Bench::open(directory.path(), clock, BOUND, 2);
    bench.append(2);
    bench.advance(Duration::from_mins(1));
    let mut bench = Bench::open(directory.path(), bench.close(), BOUND, 3);
    bench.append(3);
    bench.advance(Duration::from_mins(1));
    bench.clock.known = true;
    bench.append(4);
    let clock = bench.close();

    // The next boot, where the hub is reached at last.
    let mut clock = clock;
    clock.reboot();
    let mut bench = Bench::open(directory.path(), clock, BOUND, 4);
    bench.append(5);
    bench.clock.known = true;
    let taken_at_5 = bench.clock.utc;
    let entries = bench.drain();
    assert_eq!(tags(&entries), [5, 1, 2, 3, 4]);
    assert!(entries[1..].is_sorted_by_key(|entry| entry.seq));
    let after_boot = |seconds| Some(booted + Duration::from_secs(seconds));
    let times: Vec<_> = entries.iter().map(|entry| entry.time).collect();
    assert_eq!(times, [Some(taken_at_5), None, after_boot(8), after_boot(68), after_boot(128)]);
    assert_eq!((tag(&entries[1]), entries[1].uptime_s), (1, 20.0));
}

#[test]
fn a_time_that_the_disk_could_not_note_is_noted_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), unknown_time(), BOUND, 1);
    bench.append(1);
    bench.flush();
    let taken = bench.clock.utc;
    bench.set_read_only(true);
    bench.clock.known = true;
    bench.advance(Duration::from_mins(1));
    bench.append(2);
    assert_eq!(tags(&bench.drain()), [2], "the other has no number yet");
    bench.set_read_only(false);
    bench.advance(Duration::from_mins(2));
    let mut clock = bench.close();
    clock.reboot();
    clock.known = true;
    let entries = Bench::open(directory.path(), clock, BOUND, 2).drain();
    assert_eq!(entries.iter().map(|entry| (tag(entry), entry.time)).collect::<Vec<_>>(), [(1, Some(taken))]);
}

#[test]
fn times_that_ran_ahead_of_the_leap_seconds_are_brought_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    let mut truth = Vec::new();
    let mut take = |bench: &mut Bench, tag: u64, lead: i64| {
        bench.append(tag);
        truth.push(bench.clock.utc - chrono::TimeDelta::seconds(lead));
        bench.advance(Duration::from_mins(1));
    };
    take(&mut bench, 0, 0);
    // The receiver starts anew, and knows 18 s less of the leap seconds; two readings have not reached the disk at the end.
    bench.clock.utc += chrono::TimeDelta::seconds(18);
    for tag in 1..4 {
        take(&mut bench, tag, 18);
    }
    bench.append(4);
    truth.push(bench.clock.utc - chrono::TimeDelta::seconds(18));
    bench.clock.advance(Duration::from_secs(1));
    bench.append(5);
    truth.push(bench.clock.utc - chrono::TimeDelta::seconds(18));
    bench.advance(Duration::from_secs(1));
    bench.clock.utc -= chrono::TimeDelta::seconds(18);
    bench.append(6);
    truth.push(bench.clock.utc);
    let mut times: Vec<_> = bench.drain().iter().map(|entry| entry.time.unwrap()).collect();
    // The newest comes first.
    times.rotate_left(1);
    assert_eq!(times, truth);
}

#[test]
fn a_clock_that_was_wrong_by_more_changes_no_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path(), ManualClock::new(), BOUND, 1);
    bench.append(0);
    let first = bench.clock.utc;
    bench.advance(Duration::from_mins(1));
    bench.clock.utc -= chrono::TimeDelta::seconds(30);
    bench.append(1);
    assert_eq!(bench.drain()[1].time, Some(first));
}
