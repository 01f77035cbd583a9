//! Bundles: events, the reading that showed them and the state that then holds are there together, or none of them is; events
//! go first.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::bench::{BOUND, Bench, ManualClock, copy_files, copy_with_room, reading, room_of, tag};
use crate::event::Events;
use crate::event_message::{EventMessage, When};
use crate::journal::bundle::{Bundle, States};
use crate::journal::command::Command;
use crate::journal::entry::Entry;
use crate::journal::forget_states;
use crate::journal::options::JournalOptions;

const SECOND: Duration = Duration::from_secs(1);

fn event(number: u64) -> EventMessage {
    let mut event = EventMessage::new("alarm", "cargo", "raised", format!("{{\"n\":{number}}}"));
    event.moment("begin", When::Ago(60_000));
    event
}

fn bundle(bench: &Bench, events: &[u64], with_reading: Option<u64>, state: Option<u64>) -> Bundle {
    let stamp = bench.clock.stamp();
    Bundle {
        stamp,
        events: events.iter().map(|number| event(*number)).collect(),
        reading: with_reading.map(|tag| reading(tag, stamp)),
        states: state.map(|state| ("alarms", state.to_string())).into_iter().collect(),
    }
}

fn append(bench: &mut Bench, bundle: Bundle) {
    bench.take(bundle.into());
}

fn states(bench: &mut Bench) -> States {
    let (reply, mut answer) = oneshot::channel();
    bench.worker.obey(Command::States(reply), bench.now);
    answer.try_recv().unwrap()
}

fn kept(bench: &mut Bench) -> Option<u64> {
    states(bench).get("alarms").map(|text| text.parse().unwrap())
}

fn is_event(entry: &Entry) -> bool {
    entry.event.is_some()
}

/// A machine, with its waiting room beside the state directory.
fn machine() -> TempDir {
    let machine = tempfile::tempdir().unwrap();
    std::fs::create_dir(machine.path().join("state")).unwrap();
    machine
}

fn open(machine: &TempDir, clock: ManualClock, start: u32) -> Bench {
    let state = machine.path().join("state");
    Bench::open_with_room(&state, Some(&room_of(&state)), clock, BOUND, start)
}

#[test]
fn events_go_before_all_that_waits_and_are_told_as_what_they_are() {
    let machine = machine();
    let mut bench = open(&machine, ManualClock::new(), 1);
    for tag in 0..40 {
        bench.append(tag);
        bench.advance(SECOND * 60);
    }
    let given = bundle(&bench, &[100, 101], Some(40), Some(1));
    append(&mut bench, given);
    assert!(bench.worker.writer().nothing_pending(), "it waits for no commit");
    bench.advance(SECOND * 60);
    bench.append(41);
    let first = bench.lease(1);
    assert!(first.newest.is_none() && tag(&first.backlog[0]) == 100, "{first:?}");
    let then = bench.lease(4);
    assert_eq!(tag(then.newest.as_ref().unwrap()), 41);
    assert_eq!(then.backlog.iter().map(tag).collect::<Vec<_>>(), [101, 0, 1]);
    let head = then.backlog[0].event.as_ref().unwrap();
    assert_eq!((head.properties["state"].as_str(), head.moments["begin"]), ("raised", 60_000));
    assert!(
        then.backlog[0].seq < bench.stats().taken + then.newest.unwrap().seq,
        "numbered before its reading"
    );
    // Another connection, another start: they go first again until the hub has them.
    bench.release();
    bench.acknowledge([first.backlog[0].seq]);
    let clock = bench.close();
    let mut bench = open(&machine, clock, 2);
    assert_eq!(tag(&bench.lease(1).backlog[0]), 101);
    assert_eq!(kept(&mut bench), Some(1));
    let rest: Vec<u64> = bench.drain().iter().map(tag).collect();
    assert_eq!(rest.len(), 42, "and nothing comes twice");
}

#[test]
fn taken_before_the_time_is_known_an_event_goes_first_once_it_is() {
    let machine = machine();
    let mut clock = ManualClock::new();
    clock.known = false;
    let mut bench = open(&machine, clock, 1);
    for tag in 0..5 {
        let given = bundle(&bench, if tag == 2 { &[100] } else { &[] }, Some(tag), Some(tag));
        append(&mut bench, given);
        bench.advance(SECOND * 60);
    }
    assert!(bench.lease(9).is_empty());
    let clock = bench.close();
    let mut bench = open(&machine, clock, 2);
    assert!(bench.lease(9).is_empty());
    bench.clock.known = true;
    let lease = bench.lease(2);
    assert_eq!((tag(&lease.backlog[0]), lease.newest.map(|entry| tag(&entry))), (100, Some(4)));
}

#[test]
fn a_state_alone_is_on_the_disk_within_two_seconds_and_the_last_one_counts() {
    let machine = machine();
    let mut bench = open(&machine, ManualClock::new(), 1);
    for state in 1..=20 {
        let given = bundle(&bench, &[], Some(state), Some(state));
        append(&mut bench, given);
        let seq = bench.lease(9).newest.unwrap().seq;
        // The reading needs no commit any more, the state does.
        bench.acknowledge([seq]);
        bench.advance(SECOND / 2);
    }
    bench.advance(SECOND * 2);
    let copy = machine.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    copy_files(&machine.path().join("state"), &copy);
    let mut bench = Bench::open(&copy, ManualClock::new(), BOUND, 2);
    assert_eq!(kept(&mut bench), Some(20));
}

#[test]
fn a_journal_that_is_replaced_gets_the_states_too() {
    let machine = machine();
    let state = machine.path().join("state");
    let mut bench = open(&machine, ManualClock::new(), 1);
    let given = bundle(&bench, &[7], Some(0), Some(5));
    append(&mut bench, given);
    assert_eq!(kept(&mut bench), Some(5));
    bench.advance(SECOND * 60);
    std::fs::rename(state.join("journal.db"), state.join("gone.db")).unwrap();
    bench.append(1);
    bench.advance(SECOND * 60);
    bench.append(2);
    bench.flush();
    let copy = machine.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    copy_files(&state, &copy);
    let mut bench = Bench::open(&copy, ManualClock::new(), BOUND, 2);
    assert_eq!(kept(&mut bench), Some(5));
    assert_eq!(tag(&bench.lease(1).backlog[0]), 7, "an event is one there, too");
}

#[test]
fn states_are_forgotten_and_readings_and_events_are_not() {
    let machine = machine();
    let mut bench = open(&machine, ManualClock::new(), 1);
    let given = bundle(&bench, &[7], Some(0), Some(5));
    append(&mut bench, given);
    bench.advance(SECOND * 60);
    let clock = bench.close();
    let options = JournalOptions {
        directory: machine.path().join("state"),
        size_bound: BOUND,
        waiting_room: None,
        boot: "boot-1".into(),
    };
    assert!(forget_states(options, Events::to("test", Arc::new(|_| {}))));
    let mut bench = open(&machine, clock, 2);
    assert_eq!((kept(&mut bench), bench.drain().iter().map(tag).collect()), (None, vec![0, 7]));
}

#[derive(Debug, Clone)]
enum Step {
    Reading,
    Bundle { events: u64, with_reading: bool },
    Advance(u64),
    Acknowledge(usize),
    Release,
    ReadOnly(bool),
    Kill,
    PowerCut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Reading),
        6 => (0..3_u64, any::<bool>()).prop_map(|(events, with_reading)| Step::Bundle { events, with_reading }),
        6 => (0..5_u64).prop_map(Step::Advance),
        4 => (0..6_usize).prop_map(Step::Acknowledge),
        1 => Just(Step::Release),
        1 => any::<bool>().prop_map(Step::ReadOnly),
        2 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
    ];
    prop::collection::vec(step, 0..80)
}

/// What the hub has: numbers and contents.
#[derive(Default)]
struct Hub(BTreeSet<(u64, u64)>);

impl Hub {
    fn take(&mut self, bench: &mut Bench, limit: usize) {
        let lease = bench.lease(limit);
        for entry in lease.newest.iter().chain(&lease.backlog).filter(|entry| is_event(entry)) {
            self.0.insert((entry.seq, tag(entry)));
        }
        bench.acknowledge(lease.newest.iter().chain(&lease.backlog).map(|entry| entry.seq));
    }
}

fn restart(from: &Path, clock: ManualClock, start: u32, with_room: bool) -> (TempDir, Bench) {
    let next = machine();
    let state = next.path().join("state");
    if with_room {
        copy_with_room(from, &state);
    } else {
        copy_files(from, &state);
    }
    let bench = open(&next, clock, start);
    (next, bench)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Each bundle's state says how many events there have been: what is found after a kill is all of it, after a power cut
    /// what was durable, and both times state and events agree.
    #[test]
    fn state_and_events_agree_whatever_happens(steps in steps()) {
        let mut at = machine();
        let mut bench = open(&at, ManualClock::new(), 1);
        let (mut hub, mut events, mut number, mut start) = (Hub::default(), 0, 1000, 1);
        let mut was_read_only = false;
        for step in steps {
            let mut cut = None;
            match step {
                Step::Reading => { bench.append(number); number += 1; }
                Step::Bundle { events: count, with_reading } => {
                    let new: Vec<u64> = (events + 1..=events + count).collect();
                    events += count;
                    let given = bundle(&bench, &new, with_reading.then_some(number), Some(events));
                    number += 1;
                    append(&mut bench, given);
                }
                Step::Advance(seconds) => bench.advance(SECOND * u32::try_from(seconds).unwrap()),
                Step::Acknowledge(limit) => hub.take(&mut bench, limit),
                Step::Release => bench.release(),
                Step::ReadOnly(read_only) => { was_read_only |= read_only; bench.set_read_only(read_only); }
                Step::Kill => cut = Some(true),
                Step::PowerCut => cut = Some(false),
            }
            if let Some(with_room) = cut {
                start += 10;
                let mut clock = bench.clock.clone();
                if !with_room {
                    clock.reboot();
                    clock.known = true;
                }
                let (next, opened) = restart(&at.path().join("state"), clock, start, with_room);
                (at, bench) = (next, opened);
                let found = kept(&mut bench).unwrap_or(0);
                prop_assert!(found == events || (!with_room && was_read_only && found < events), "{} of {}", found, events);
                events = found;
                was_read_only = false;
            }
        }
        for entry in bench.drain() {
            if is_event(&entry) {
                hub.0.insert((entry.seq, tag(&entry)));
            }
        }
        let numbers: BTreeSet<u64> = hub.0.iter().map(|(_, number)| *number).collect();
        prop_assert!((1..=events).all(|event| numbers.contains(&event)), "{:?} of {}", numbers, events);
        let seqs: BTreeSet<u64> = hub.0.iter().map(|(seq, _)| *seq).collect();
        prop_assert_eq!(seqs.len(), hub.0.len(), "a number is one event's");
    }
}
