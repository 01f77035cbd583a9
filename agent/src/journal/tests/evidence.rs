//! The chain over whatever happens to a journal: kills, power cuts, boots without the time, disks that fail. What is delivered in the
//! end fits, and the trip is what was delivered.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::bench::{BOUND, Bench, ManualClock, copy_with_room, reading, room_of};
use crate::event_message::{EventMessage, Turn, When};
use crate::journal::bundle::Bundle;
use crate::journal::command::Command;
use crate::journal::entry::Entry;
use crate::reading::Reading;
use crate::trip::Terms;
use crate::verify::tests::{Authority, Signer};
use crate::verify::{Received, judge};
use tracker_evidence::Statement;

#[derive(Debug, Clone)]
enum Step {
    /// Readings, so many, so far apart.
    Measure(u8, Duration),
    /// So many events, the reading that showed them, and the state that then holds.
    Tell(u8),
    /// Where a trip begins, or where it ends, and the reading that showed it; and a kill before they are on the disk.
    Turn(bool, bool),
    /// Up to so many are sent, of which the hub gets so many.
    Send(usize, usize),
    /// The device's key signs, as far as it can.
    Sign,
    Kill,
    /// Also what waits for its commit is gone, and the time.
    PowerCut,
    LearnTime,
    Disk(bool),
}

fn step(slow: bool) -> impl Strategy<Value = Step> {
    // Those that share a commit, and those that don't.
    let (quickest, quick) = if slow { (3_000, 6_000) } else { (200, 1_500) };
    let apart = prop_oneof![quickest..quick, quickest..90_000_u64];
    prop_oneof![
        8 => (1..6_u8, apart).prop_map(|(count, ms)| Step::Measure(count, Duration::from_millis(ms))),
        2 => (0..3_u8).prop_map(Step::Tell),
        6 => (1..30_usize, 0..30_usize).prop_map(|(sent, got)| Step::Send(sent, got)),
        1 => Just(Step::Sign),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
        2 => Just(Step::LearnTime),
        1 => any::<bool>().prop_map(Step::Disk),
    ]
}

/// With places at which trips begin and end.
fn turning_step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => step(true), 1 => any::<(bool, bool)>().prop_map(|(begins, kill)| Step::Turn(begins, kill))]
}

/// Of the device.
static SIGNER: LazyLock<Signer> = LazyLock::new(|| Authority::new("Root").signer("d"));

struct Machine {
    has_evidence: bool,
    directory: TempDir,
    bench: Bench,
    starts: u32,
    tag: u64,
    /// The disk does.
    fails: bool,
    /// Readings from before the time became known have it.
    settled: bool,
    received: Vec<Received>,
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    fs::create_dir(directory.path().join("state")).unwrap();
    directory
}

fn open(directory: &TempDir, clock: ManualClock, start: u32, has_evidence: bool) -> Bench {
    let state = directory.path().join("state");
    let mut bench = Bench::open_with_room(&state, Some(&room_of(&state)), clock, BOUND, start);
    let terms = Terms { by: "provisioning".into(), gap_after: 900, ..Terms::default() };
    if has_evidence {
        bench.worker.obey(Command::Evidence(Some(Box::new(terms))), bench.now);
    }
    bench
}

impl Machine {
    fn new(has_evidence: bool) -> Self {
        let directory = directory();
        let bench = open(&directory, ManualClock::new(), 1, has_evidence);
        Self {
            has_evidence,
            directory,
            bench,
            starts: 1,
            tag: 0,
            fails: false,
            settled: false,
            received: Vec::new(),
        }
    }

    fn restart(&mut self, has_power: bool) {
        let next = directory();
        copy_with_room(&self.directory.path().join("state"), &next.path().join("state"));
        let mut clock = self.bench.clock.clone();
        if !has_power {
            let _ = fs::remove_file(room_of(&next.path().join("state")));
            clock.reboot();
        }
        (self.starts, self.fails) = (self.starts + 1, false);
        self.bench = open(&next, clock, self.starts, self.has_evidence);
        self.settled &= has_power;
        self.directory = next;
    }

    fn send(&mut self, limit: usize, got: usize) {
        let lease = self.bench.lease(limit);
        let newest: Vec<Vec<Entry>> = lease.newest.into_iter().map(|entry| vec![entry]).collect();
        // An event is a message of its own.
        let alike = |one: &Entry, other: &Entry| one.event.is_none() && other.event.is_none();
        let batches = lease.backlog.chunk_by(alike).flat_map(|run| run.chunks(7)).map(<[Entry]>::to_vec);
        for (index, batch) in newest.into_iter().chain(batches).enumerate() {
            let bodies = batch.iter().map(Entry::body).collect();
            let chain = batch.last().and_then(|entry| entry.chain).map(Ok);
            // What the device is not told of may have arrived all the same, and comes again.
            if index % 3 != 2 || index < got {
                self.received.push(Received { device: "d".into(), line: self.received.len(), bodies, chain });
            }
            if index < got {
                self.bench.acknowledge(batch.iter().map(|entry| entry.seq));
            }
        }
        self.bench.release();
    }

    fn tell(&mut self, events: u8) {
        let event = |number| {
            let fields = format!(r#"{{"state":"raised","temperature":{number}}}"#);
            let mut event = EventMessage::new("alarm", "cargo", "raised", fields);
            event.moment("begin", When::Ago(60_000));
            event
        };
        self.tell_all((0..events).map(event).collect());
        self.bench.advance(Duration::from_secs(4));
    }

    fn turn(&mut self, begins: bool, kill: bool) {
        let terms = Terms { by: "fence".into(), gap_after: 900, ..Terms::default() };
        let (state, turn) = if begins { ("exit", Turn::Begin(terms.to_map())) } else { ("enter", Turn::End) };
        let mut event = EventMessage::new("place", "yard", state, format!(r#"{{"state":"{state}"}}"#));
        event.head.turn = Some(turn);
        // What is left of a disk that fails before that may be known in another order.
        let kill = kill && self.settled;
        self.bench.set_read_only(kill);
        self.tell_all(vec![event]);
        if kill {
            self.restart(true);
        }
        self.bench.advance(Duration::from_secs(4));
    }

    fn tell_all(&mut self, events: Vec<EventMessage>) {
        let stamp = self.bench.clock.stamp();
        let bundle = Bundle {
            stamp,
            events,
            reading: Some(reading(self.tag, stamp)),
            states: vec![("alarms", self.tag.to_string())],
        };
        self.bench.take(bundle.into());
        self.tag += 1;
    }

    /// As the notary does it.
    fn sign(&mut self) {
        let head = |bench: &mut Bench| {
            let (reply, mut answer) = oneshot::channel();
            bench.worker.obey(Command::Head(reply), bench.now);
            answer.try_recv().unwrap()
        };
        let state = |bench: &mut Bench, statement: &Statement| {
            let (stamp, fields) = (bench.clock.stamp(), statement.to_fields());
            bench.take(Reading { stamp, fields, alerts: Vec::new() }.into());
        };
        if head(&mut self.bench).is_none() || !self.bench.clock.known {
            return;
        }
        state(&mut self.bench, &SIGNER.certificate());
        if let Some((up_to, head)) = head(&mut self.bench) {
            state(&mut self.bench, &SIGNER.signature(up_to, head));
        }
        self.bench.ask(Command::Commit);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Measure(count, apart) => {
                for _ in 0..*count {
                    self.bench.append(self.tag);
                    self.tag += 1;
                    self.bench.advance(*apart);
                    self.settled |= self.bench.clock.known;
                }
            }
            Step::Tell(count) => self.tell(*count),
            Step::Turn(begins, kill) => self.turn(*begins, *kill),
            Step::Send(limit, got) => self.send(*limit, *got),
            Step::Sign => self.sign(),
            Step::Kill => self.restart(true),
            Step::PowerCut => self.restart(false),
            Step::LearnTime => self.bench.clock.known = true,
            Step::Disk(fails) => {
                self.fails = *fails;
                self.bench.set_read_only(*fails);
            }
        }
    }

    /// All that is left is delivered, and signed.
    fn finish(&mut self) -> Value {
        self.bench.set_read_only(false);
        self.bench.clock.known = true;
        self.bench.append(self.tag);
        self.bench.advance(Duration::from_mins(2));
        self.sign();
        while self.bench.stats().backlog > 0 {
            self.send(1000, 1000);
        }
        judge("d", self.received.clone())
    }

    fn report(&mut self) -> Value {
        let (reply, mut answer) = oneshot::channel();
        self.bench.worker.obey(Command::TripReport(reply), self.bench.now);
        answer.try_recv().unwrap().map_or(Value::Null, Value::Object)
    }
}

/// What becomes of a machine by these steps.
fn played(steps: &[Step]) -> Value {
    let mut machine = Machine::new(true);
    for step in steps {
        machine.step(step);
    }
    machine.finish()
}

#[test]
fn what_is_stated_when_the_time_becomes_known_is_not_lost_with_the_power() {
    let second = Duration::from_secs;
    let begin = [Step::PowerCut, Step::Measure(3, second(3)), Step::Measure(1, second(3)), Step::Tell(1)];
    let end = [Step::LearnTime, Step::Send(1, 0), Step::PowerCut];
    let verdict = played(&[&begin[..], &end[..]].concat());
    assert_eq!((&verdict["fault"], &verdict["readings"]), (&Value::Null, &6.into()), "{verdict}");
    assert_eq!(verdict["trips"][0]["report"]["readings"], 6, "{verdict}");
}

#[test]
fn what_is_still_to_be_stated_when_the_power_goes_is_stated_then() {
    let mut machine = Machine::new(true);
    machine.step(&Step::PowerCut);
    machine.step(&Step::Measure(3, Duration::from_secs(3)));
    // The readings get their numbers and hashes, and before anything else is stored the power goes.
    machine.bench.clock.known = true;
    let stamp = machine.bench.clock.stamp();
    machine.bench.worker.writer_mut().learn_time(stamp, machine.bench.now);
    machine.step(&Step::PowerCut);
    let verdict = machine.finish();
    assert_eq!((&verdict["fault"], &verdict["readings"]), (&Value::Null, &4.into()), "{verdict}");
    assert_eq!(verdict["trips"][0]["report"]["readings"], 4, "{verdict}");
    let bodies = machine.received.iter().flat_map(|message| &message.bodies);
    let starts: Vec<&String> = bodies.filter(|body| body.contains("\"start\"")).collect();
    let first = verdict["trips"][0]["report"]["from"].as_u64().unwrap();
    assert!(starts.iter().any(|start| start.contains(&format!("\"from\":{first}"))), "{starts:?}");
}

#[test]
fn the_chain_goes_on_from_what_is_stored_or_delivered() {
    let ms = Duration::from_millis;
    // The numbers of those that wait for their commit are noted, and nothing else of them.
    let verdict = played(&[Step::Measure(3, ms(200)), Step::Send(1, 0), Step::PowerCut]);
    assert_eq!(verdict["fault"], Value::Null, "{verdict}");
    assert_eq!(verdict["notFollowed"].as_array().map(Vec::len), Some(1), "{verdict}");
    // All of them are delivered, and never written.
    let mut machine = Machine::new(true);
    for _ in 0..200 {
        machine.step(&Step::Measure(1, ms(900)));
        machine.step(&Step::Send(9, 9));
    }
    machine.step(&Step::PowerCut);
    let verdict = machine.finish();
    assert_eq!((&verdict["fault"], &verdict["readings"]), (&Value::Null, &201.into()), "{verdict}");
    assert!(
        verdict["notFollowed"].as_array().is_some_and(|seqs| (1..=64).contains(&seqs.len())),
        "{verdict}"
    );
}

#[test]
fn where_a_killed_program_went_on_from_is_stated() {
    let ms = Duration::from_millis;
    // What came after the cut was not sealed before the kill: the disk could not say what was there.
    let cut = [
        Step::Measure(1, ms(200)),
        Step::Send(1, 0),
        Step::Measure(3, ms(200)),
        Step::Send(1, 0),
        Step::PowerCut,
    ];
    let kill = [
        Step::Measure(1, ms(3000)),
        Step::LearnTime,
        Step::Disk(true),
        Step::Measure(1, ms(200)),
        Step::Kill,
    ];
    let without = &kill[1..];
    for kill in [&kill, without] {
        let verdict = played(&[&cut[..], kill].concat());
        assert_eq!(verdict["fault"], Value::Null, "{verdict}");
    }
}

#[test]
fn what_a_failing_disk_costs_with_the_power_is_not_left_out() {
    let ms = Duration::from_millis;
    let begin = [Step::Disk(true), Step::Measure(2, ms(200)), Step::Measure(1, ms(1800)), Step::Disk(false)];
    let verdict = played(&[&begin[..], &[Step::Send(2, 0), Step::PowerCut]].concat());
    assert_eq!(verdict["fault"], Value::Null, "{verdict}");
    assert_eq!(verdict["notFollowed"].as_array().map(Vec::len), Some(1), "{verdict}");
    // A signature that arrived, of a certificate that did not.
    let begin = [Step::Measure(1, ms(200)), Step::Disk(true), Step::Send(1, 0)];
    let verdict = played(&[&begin[..], &[Step::Sign, Step::Send(1, 0), Step::PowerCut]].concat());
    assert_eq!((&verdict["fault"], &verdict["signed"][1]), (&Value::Null, &Value::Null), "{verdict}");
}

/// The same stories each time; `EVIDENCE_SEED=7` plays others, `EVIDENCE_CASES=6000` more of them.
fn stories() -> ProptestConfig {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, cases) = (number("EVIDENCE_SEED").unwrap_or(1), number("EVIDENCE_CASES").unwrap_or(150));
    ProptestConfig { cases: cases as u32, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(stories())]
    #[test]
    fn what_is_delivered_fits_whatever_happened(steps in prop::collection::vec(step(false), 1..40)) {
        let mut machine = Machine::new(true);
        for step in &steps {
            machine.step(step);
        }
        let verdict = machine.finish();
        prop_assert_eq!(&verdict["fault"], &Value::Null, "{}", verdict);
        // What a kill leaves of a disk that failed before there was a chain is in none, and listed.
        let fails = steps.iter().any(|step| matches!(step, Step::Disk(true)));
        let none = Value::Array(Vec::new());
        prop_assert!(fails || verdict["withoutHash"] == none, "{}", verdict);
        // Nothing is lost but with the power.
        let is_cut = steps.iter().any(|step| matches!(step, Step::PowerCut));
        prop_assert!(is_cut || verdict["notFollowed"] == none, "{}", verdict);
        // The device signs for all the rest.
        prop_assert!(verdict["good"] == true, "{}", verdict);
        prop_assert!(fails || is_cut || verdict["unsigned"] == 0, "{}", verdict);
    }

    #[test]
    fn the_trip_is_what_was_delivered_whatever_happened(steps in prop::collection::vec(step(true), 1..40)) {
        // While the disk fails readings of a power cut are lost, and those that the hub has of them are not the device's any more.
        let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Disk(_))).collect();
        let mut machine = Machine::new(true);
        for step in &steps {
            machine.step(step);
        }
        let verdict = machine.finish();
        prop_assert_eq!(&verdict["fault"], &Value::Null, "{}", verdict);
        let report = machine.report();
        let made = &verdict["trips"][0]["report"];
        for (name, value) in report.as_object().unwrap() {
            prop_assert_eq!(value, &made[name], "{}", name);
        }
        prop_assert_eq!(report["readings"].as_u64(), Some(machine.tag + 1));
    }

    #[test]
    fn trips_turn_where_their_places_are_told_whatever_happened(
        steps in prop::collection::vec(turning_step(), 1..40), has_evidence in any::<bool>(),
    ) {
        let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Disk(_))).collect();
        let mut machine = Machine::new(has_evidence);
        // By whom, the first reading, and that after the last.
        let by_itself = has_evidence.then_some(("provisioning", 0, None));
        let mut trips: Vec<(&str, u64, Option<u64>)> = by_itself.into_iter().collect();
        for step in &steps {
            let here = machine.tag;
            let under_way = trips.last_mut().filter(|(.., end)| end.is_none());
            match (step, under_way) {
                (Step::Turn(true, _), Some(("fence", ..))) => {}
                (Step::Turn(true, _), under_way) => {
                    if let Some((.., end)) = under_way {
                        *end = Some(here);
                    }
                    trips.push(("fence", here, None));
                }
                (Step::Turn(false, _), Some((.., end))) => *end = Some(here + 1),
                _ => {}
            }
            machine.step(step);
        }
        let verdict = machine.finish();
        prop_assert_eq!(&verdict["fault"], &Value::Null, "{}", verdict);
        let total = machine.tag + 1;
        let expected = trips.iter().map(|(by, begin, end)| (*by, end.unwrap_or(total) - begin, end.is_some()));
        // One that was over before there was a reading may not have begun.
        let expected: Vec<_> = expected.filter(|(_, readings, _)| *readings > 0).collect();
        let found = verdict["trips"].as_array().unwrap().iter().map(|trip| {
            let readings = trip["report"]["readings"].as_u64().unwrap();
            (trip["report"]["by"].as_str().unwrap(), readings, trip["ended"].is_u64())
        });
        let found: Vec<_> = found.filter(|(_, readings, _)| *readings > 0).collect();
        prop_assert_eq!(found, expected, "{}", verdict);
        // Each is stated once.
        let stated = |what: &str, by: &str| {
            let bodies = machine.received.iter().flat_map(|message| &message.bodies);
            let bodies = bodies.filter_map(|body| serde_json::from_str::<Value>(body).ok());
            let these = bodies.filter(|body| body["evidence"] == what && body["by"] == by);
            these.filter_map(|body| body["seq"].as_u64()).collect::<BTreeSet<_>>().len()
        };
        let fence = |ended: bool| trips.iter().filter(|(by, _, end)| *by == "fence" && (!ended || end.is_some())).count();
        prop_assert_eq!((stated("tripBegin", "fence"), stated("tripEnd", "fence")), (fence(false), fence(true)));
        let differs = |trip: &&Value| trip["ended"].is_u64() && trip["differs"] != Value::Array(Vec::new());
        prop_assert_eq!(verdict["trips"].as_array().unwrap().iter().find(differs), None);
    }
}
