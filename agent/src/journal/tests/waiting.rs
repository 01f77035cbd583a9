//! The waiting room: what a kill leaves there comes, under the numbers that it had, and what else lies there does not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::bench::{BOUND, Bench, ManualClock, copy_with_room, reading, room_of, tag, tags};
use crate::journal::command::Command;
use crate::journal::entry::Entry;
use crate::journal::fresh::Fresh;
use crate::journal::shared::JournalHealth;
use crate::journal::writer::group::GROUP;

const SECOND: Duration = Duration::from_secs(1);

/// What somebody lays in the place of the room.
type Deed<'a> = &'a dyn Fn(&Path);

/// A machine, whose state directory has its waiting room beside it.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap());
        fs::create_dir(machine.state()).unwrap();
        machine
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.path().join("state")
    }

    fn start(&self, clock: ManualClock, start: u32) -> Bench {
        Bench::open_with_room(&self.state(), Some(&room_of(&self.state())), clock, BOUND, start)
    }

    /// As a kill leaves it at this moment.
    fn killed(&self) -> Self {
        let copy = Self::new();
        copy_with_room(&self.state(), &copy.state());
        copy
    }

    /// Has its journal not open until [`Machine::mend`].
    fn spoil(&self) {
        fs::create_dir_all(self.state().join("journal.aside/x")).unwrap();
    }

    fn mend(&self) {
        fs::remove_dir_all(self.state().join("journal.aside")).unwrap();
    }
}

/// Takes readings at one a second, of which the hub gets all up to `acknowledged` and none later.
fn live(bench: &mut Bench, tags: std::ops::Range<u64>, acknowledged: u64) {
    for tag in tags {
        bench.append(tag);
        let lease = bench.lease(9);
        let entries: Vec<_> = lease.newest.into_iter().chain(lease.backlog).collect();
        bench.acknowledge(entries.iter().filter(|e| super::bench::tag(e) < acknowledged).map(|e| e.seq));
        bench.advance(SECOND);
    }
}

fn in_order(mut tags: Vec<u64>) -> Vec<u64> {
    tags.sort_unstable();
    tags
}

#[test]
fn a_kill_at_one_a_second_costs_nothing_and_changes_no_number() {
    for count in 2..14 {
        let machine = Machine::new();
        let mut bench = machine.start(ManualClock::new(), 1);
        live(&mut bench, 0..count, 2);
        // Sent, and on its way when the program is killed.
        bench.append(count);
        bench.release();
        let mut sent: Vec<_> = bench.lease(99).newest.into_iter().collect();
        sent.extend(bench.lease(99).backlog);
        let killed = machine.killed();
        let mut bench = killed.start(bench.clock.clone(), 2);
        assert_eq!((bench.health(), bench.story()), (JournalHealth::default(), String::new()));
        let again = bench.drain();
        let there: Vec<u64> = in_order(tags(&again)).into_iter().filter(|tag| *tag >= 2).collect();
        assert_eq!(there, (2..=count).collect::<Vec<_>>());
        for entry in sent {
            let same = again.iter().find(|again| tag(again) == tag(&entry)).unwrap();
            assert_eq!((same.seq, &same.message_id()), (entry.seq, &entry.message_id()));
        }
        bench.advance(SECOND);
        bench.append(99);
        assert!(bench.drain()[0].seq > again.iter().map(|entry| entry.seq).max().unwrap());
    }
}

#[test]
fn without_power_only_what_waits_for_its_commit_is_lost() {
    let machine = Machine::new();
    let mut bench = machine.start(ManualClock::new(), 1);
    live(&mut bench, 0..7, 0);
    bench.append(7);
    let (killed, mut clock) = (machine.killed(), bench.clock.clone());
    fs::remove_file(room_of(&killed.state())).unwrap();
    clock.reboot();
    clock.known = true;
    let mut bench = killed.start(clock, 2);
    let there = in_order(tags(&bench.drain()));
    assert_eq!((there, bench.story()), ((0..7).collect(), String::new()));
}

#[test]
fn readings_that_the_thread_had_not_numbered_come_once() {
    let machine = Machine::new();
    let bench = machine.start(ManualClock::new(), 1);
    for tag in 0..3 {
        let fresh = Fresh::from(reading(tag, bench.clock.stamp()));
        bench.room.announce(fresh.row()).unwrap();
    }
    // Killed again before anything is sent: the numbers that the second start gave are kept.
    let killed = machine.killed();
    let second = killed.start(bench.clock.clone(), 2);
    let killed_again = killed.killed();
    drop(second);
    let mut third = killed_again.start(bench.clock.clone(), 9);
    third.clock.known = true;
    assert_eq!((tags(&third.drain()), third.stats().backlog), (vec![2, 0, 1], 0));
}

#[test]
fn a_second_start_keeps_the_numbers_that_the_first_gave_while_the_disk_failed() {
    let machine = Machine::new();
    let bench = machine.start(ManualClock::new(), 1);
    let unnumbered = Fresh::from(reading(0, bench.clock.stamp()));
    bench.room.announce(unnumbered.row()).unwrap();
    let killed = machine.killed();
    killed.spoil();
    let mut second = killed.start(bench.clock.clone(), 2);
    second.append(1);
    second.advance(GROUP);
    let sent = second.lease(9);
    assert_eq!((tag(sent.newest.as_ref().unwrap()), tags(&sent.backlog)), (1, vec![0]));
    let again = killed.killed();
    again.spoil();
    let mut third = again.start(second.clock.clone(), 9);
    third.append(2);
    third.advance(GROUP);
    again.mend();
    third.advance(Duration::from_mins(1));
    let ids = |entries: &[Entry]| -> Vec<String> { entries.iter().map(Entry::message_id).collect() };
    let there = third.drain();
    assert_eq!(tags(&there), [2, 0, 1]);
    assert_eq!(ids(&there[1..]), ids(&[sent.backlog[0].clone(), sent.newest.unwrap()]));
}

#[test]
fn numbers_that_become_final_do_so_in_the_room_and_what_has_none_yet_gets_its_own() {
    let machine = Machine::new();
    let mut clock = ManualClock::new();
    clock.known = false;
    let mut bench = machine.start(clock, 1);
    bench.append(0);
    bench.advance(SECOND);
    bench.append(1);
    let mut fresh = Fresh::from(reading(2, bench.clock.stamp()));
    fresh.ticket = bench.room.announce(fresh.row());
    // The room is written anew; the thread comes to the third only then.
    bench.clock.known = true;
    assert_eq!(tags(&bench.lease(9).newest.into_iter().collect::<Vec<_>>()), [1]);
    let before = machine.killed();
    bench.worker.obey(Command::Append(fresh), bench.now);
    bench.release();
    let sent = bench.lease(9);
    let ids = |entries: &mut dyn Iterator<Item = Entry>| -> Vec<_> {
        entries.map(|entry| (tag(&entry), entry.message_id())).collect()
    };
    let sent = ids(&mut sent.newest.into_iter().chain(sent.backlog));
    assert_eq!(sent.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [2, 0, 1]);
    let clock = bench.clock.clone();
    assert_eq!(ids(&mut machine.killed().start(clock.clone(), 5).drain().into_iter()), sent);
    let there = ids(&mut before.start(clock, 5).drain().into_iter());
    assert_eq!((there[0].0, &there[1..]), (2, &sent[1..]));
}

#[test]
fn what_the_disk_has_under_a_provisional_number_does_not_come_again_under_another() {
    let machine = Machine::new();
    let mut clock = ManualClock::new();
    clock.known = false;
    let mut bench = machine.start(clock, 1);
    let take = |bench: &Bench, tag| {
        let mut fresh = Fresh::from(reading(tag, bench.clock.stamp()));
        fresh.ticket = bench.room.announce(fresh.row());
        fresh
    };
    let first = take(&bench, 0);
    bench.clock.known = true;
    let second = take(&bench, 1);
    // The second waits while the first is committed, and then tells the time.
    bench.worker.obey(Command::Append(first), bench.now);
    bench.worker.obey(Command::Append(second), bench.now);
    let there = machine.killed().start(bench.clock.clone(), 5).drain();
    assert_eq!(tags(&there), [1, 0]);
}

#[test]
fn torn_at_its_end_it_gives_what_is_whole() {
    let machine = Machine::new();
    let mut bench = machine.start(ManualClock::new(), 1);
    live(&mut bench, 0..2, 2);
    bench.append(2);
    bench.append(3);
    let killed = machine.killed();
    let file = fs::File::options().write(true).open(room_of(&killed.state())).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 1).unwrap();
    let mut bench = killed.start(bench.clock.clone(), 2);
    bench.append(4);
    assert_eq!((tags(&bench.drain()), bench.story()), (vec![4, 2], String::new()));
}

#[test]
fn the_room_of_another_journal_is_not_taken_for_its_own() {
    let (one, other) = (Machine::new(), Machine::new());
    let mut bench = one.start(ManualClock::new(), 1);
    live(&mut bench, 0..3, 0);
    fs::copy(room_of(&one.state()), room_of(&other.state())).unwrap();
    let mut bench = other.start(ManualClock::new(), 2);
    assert_eq!((bench.stats().backlog, bench.story()), (0, String::new()));
    live(&mut bench, 3..5, 0);
    let there = other.killed().start(bench.clock.clone(), 3).drain();
    assert_eq!(in_order(tags(&there)), [3, 4]);
}

#[test]
fn what_is_not_the_agents_own_file_is_left_alone_and_told() {
    let others: [(&str, Deed<'_>); 4] = [
        ("is no file", &|path| {
            fs::copy("/proc/self/comm", path.with_extension("precious")).unwrap();
            symlink(path.with_extension("precious"), path).unwrap();
        }),
        ("is no file", &|path| fs::create_dir(path).unwrap()),
        ("is not the agent's alone", &|path| {
            fs::File::create(path).unwrap().set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("is not the agent's alone", &|path| {
            let file = fs::File::create(path.with_extension("linked")).unwrap();
            file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
            fs::hard_link(path.with_extension("linked"), path).unwrap();
        }),
    ];
    for (says, lay) in others {
        let machine = Machine::new();
        lay(&room_of(&machine.state()));
        let mut bench = machine.start(ManualClock::new(), 1);
        live(&mut bench, 0..9, 5);
        let story = bench.story();
        assert!(story.contains(says) && story.lines().count() == 1, "{story}");
        assert!(story.starts_with("readings can't be kept in "), "{story}");
        bench.release();
        assert_eq!(in_order(tags(&bench.drain())), [5, 6, 7, 8]);
        if let Ok(precious) = fs::read(room_of(&machine.state()).with_extension("precious")) {
            assert_eq!(precious, fs::read("/proc/self/comm").unwrap());
        }
    }
}

#[test]
fn another_users_file_is_not_read_not_even_by_root() {
    let machine = Machine::new();
    let mut bench = machine.start(ManualClock::new(), 1);
    live(&mut bench, 0..3, 0);
    bench.append(3);
    let killed = machine.killed();
    // Only root can give files away, and only root could read them then.
    if chown(room_of(&killed.state()), Some(65_534), None).is_err() {
        return;
    }
    let bench = killed.start(bench.clock.clone(), 2);
    assert!(bench.story().contains(" belongs to "), "{}", bench.story());
    assert_eq!(bench.stats().backlog, 3, "what was durable");
    // Unless it is that user's state directory: then root only puts in order what is his.
    chown(killed.state(), Some(65_534), None).unwrap();
    let mut bench = killed.start(bench.clock.clone(), 3);
    assert_eq!((in_order(tags(&bench.drain())), bench.story()), (vec![0, 1, 2, 3], String::new()));
}

#[test]
fn of_another_boot_the_times_that_were_known_hold_and_the_others_stay_unknown() {
    let machine = Machine::new();
    let mut bench = machine.start(ManualClock::new(), 1);
    live(&mut bench, 0..1, 1);
    bench.append(1);
    bench.clock.known = false;
    bench.append(2);
    let (taken, mut clock) = (bench.clock.utc, bench.clock.clone());
    clock.reboot();
    clock.known = true;
    let there = machine.killed().start(clock, 2).drain();
    // The hub has the first, and the file has not forgotten it yet.
    let there = there.iter().filter(|entry| tag(entry) > 0);
    let times: Vec<_> = there.map(|entry| (tag(entry), entry.time)).collect();
    assert_eq!(times, [(2, None), (1, Some(taken))]);
}

#[test]
fn what_is_durable_needs_no_room_and_at_the_end_there_is_none() {
    let machine = Machine::new();
    let length = || fs::metadata(room_of(&machine.state())).unwrap().len();
    let mut bench = machine.start(ManualClock::new(), 1);
    let empty = length();
    for tag in 0..50 {
        bench.append(tag);
        assert!(length() > empty || tag == 0, "{tag}");
        bench.advance(SECOND);
    }
    bench.flush();
    assert_eq!(length(), empty);
    assert_eq!(fs::metadata(room_of(&machine.state())).unwrap().permissions().mode() & 0o777, 0o600);
    // Online it is one record that is written over.
    live(&mut bench, 50..500, 500);
    assert!(length() < 9000, "{}", length());
    bench.close();
    assert!(!room_of(&machine.state()).exists());
}

#[test]
fn while_the_disk_fails_the_newest_are_there_also_after_a_stop() {
    let machine = Machine::new();
    machine.spoil();
    let mut bench = machine.start(ManualClock::new(), 1);
    let count = 6000;
    for tag in 0..count {
        bench.append(tag);
        bench.advance(SECOND);
    }
    let file = room_of(&machine.state());
    let length = fs::metadata(&file).unwrap().len();
    assert!((128 * 1024..600 * 1024).contains(&length), "{length}");
    let clock = bench.close();
    assert!(file.exists(), "it is all that is left of them");
    // They are delivered also where the disk goes on failing.
    let mut bench = machine.start(clock, 2);
    bench.append(count);
    bench.advance(GROUP);
    let there = in_order(tags(&bench.drain()));
    assert!(there.len() > 400, "{}", there.len());
    assert_eq!(there, (count + 1 - there.len() as u64..=count).collect::<Vec<_>>(), "the newest");
}
