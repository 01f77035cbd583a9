//! Random lives of a journal against a plain model: nothing lost, nothing invented, no number twice, the order right,
//! the counts right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::bench::{BOUND, Bench, ManualClock, copy_files, copy_with_room, reading, room_of, tag};
use crate::journal::command::Command;
use crate::journal::entry::Entry;
use crate::journal::fresh::Fresh;
use crate::journal::shared::JournalHealth;

#[derive(Debug, Clone)]
enum Step {
    Append {
        after_s: u64,
    },
    /// Another comes while the thread is busy with the first, and waits until something else is asked of it.
    AppendTwo {
        after_s: u64,
        learns: bool,
    },
    Wait {
        seconds: u64,
    },
    Lease {
        limit: usize,
    },
    /// Of what is on its way, every reading whose turn it is.
    Acknowledge {
        every: usize,
    },
    Release,
    Reopen {
        reboot: bool,
    },
    /// With a reading that the thread has not even numbered.
    Crash {
        reboot: bool,
        unnumbered: bool,
    },
    ReadOnly(bool),
    Full(bool),
    LearnTime,
    KeepImage,
    RestoreImage,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1..90_u64).prop_map(|after_s| Step::Append { after_s }),
        6 => Just(Step::Append { after_s: 1 }),
        4 => (1..9_u64, any::<bool>()).prop_map(|(after_s, learns)| Step::AppendTwo { after_s, learns }),
        3 => (0..70_u64).prop_map(|seconds| Step::Wait { seconds }),
        8 => (0..12_usize).prop_map(|limit| Step::Lease { limit }),
        6 => (1..4_usize).prop_map(|every| Step::Acknowledge { every }),
        2 => Just(Step::Release),
        1 => any::<bool>().prop_map(|reboot| Step::Reopen { reboot }),
        2 => any::<(bool, bool)>().prop_map(|(reboot, unnumbered)| Step::Crash { reboot, unnumbered }),
        2 => any::<bool>().prop_map(Step::ReadOnly),
        2 => any::<bool>().prop_map(Step::Full),
        3 => Just(Step::LearnTime),
        1 => Just(Step::KeepImage),
        1 => Just(Step::RestoreImage),
    ]
}

/// What must be true of a journal.
#[derive(Default, Clone)]
struct Model {
    /// Taken, by tag, oldest first; whether it is known to be in the file.
    live: BTreeMap<u64, bool>,
    /// Not taken yet: they wait for a commit, and may be sent meanwhile.
    pending: BTreeSet<u64>,
    in_flight: BTreeMap<u64, u64>,
    /// Acknowledged, but perhaps not deleted when the process was killed: they may come again.
    ghosts: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

struct Life {
    bench: Bench,
    directory: TempDir,
    model: Model,
    next_tag: u64,
    starts: u32,
    /// Waits for the thread.
    busy: Option<(u64, Fresh)>,
    /// Under which number and message ID a reading was sent.
    sent: BTreeMap<u64, (u64, String)>,
    tag_of_seq: BTreeMap<u64, u64>,
    image: Option<(TempDir, Model)>,
    /// Restored images may send the same reading under another number, as it had none when the image was made.
    restored: bool,
    /// Some readings have got numbers that are not in the order in which they were taken.
    disordered: bool,
}

impl Life {
    fn new() -> Self {
        let directory = directory();
        let mut clock = ManualClock::new();
        clock.known = false;
        let bench = open(&directory, clock, 1);
        Self {
            bench,
            directory,
            model: Model::default(),
            next_tag: 0,
            starts: 1,
            busy: None,
            sent: BTreeMap::new(),
            tag_of_seq: BTreeMap::new(),
            image: None,
            restored: false,
            disordered: false,
        }
    }

    fn play(&mut self, step: &Step) {
        if !matches!(
            step,
            Step::Wait { .. } | Step::Crash { .. } | Step::LearnTime | Step::ReadOnly(_) | Step::Full(_)
        ) {
            self.no_longer_busy();
        }
        match *step {
            Step::Append { after_s } => {
                self.bench.advance(Duration::from_secs(after_s));
                self.settle();
                self.next_tag += 1;
                self.model.pending.insert(self.next_tag);
                self.bench.append(self.next_tag);
            }
            Step::AppendTwo { after_s, learns } => self.append_two(after_s, learns),
            Step::Wait { seconds } => self.bench.advance(Duration::from_secs(seconds)),
            Step::Lease { limit } => self.lease(limit),
            Step::Acknowledge { every } => {
                let chosen: Vec<(u64, u64)> =
                    self.model.in_flight.iter().step_by(every).map(|(tag, seq)| (*tag, *seq)).collect();
                self.bench.acknowledge(chosen.iter().map(|(_, seq)| *seq));
                for (tag, _) in chosen {
                    self.acknowledged(tag);
                }
            }
            Step::Release => {
                self.bench.release();
                self.model.in_flight.clear();
            }
            Step::Reopen { reboot } => {
                self.bench.set_read_only(false);
                self.bench.set_full(false);
                self.bench.flush();
                self.settle();
                self.restart(reboot);
            }
            Step::Crash { reboot, unnumbered } => {
                self.settle();
                let busy = self.busy.take();
                let announced = unnumbered.then(|| self.announce());
                self.model.pending.extend(busy.into_iter().chain(announced).map(|(tag, _)| tag));
                let copy = directory();
                copy_with_room(&state(&self.directory), &state(&copy));
                if reboot {
                    let _ = std::fs::remove_file(room_of(&state(&copy)));
                    self.power_cut();
                } else {
                    // What the disk could not number is numbered after what was taken later.
                    self.disordered |= self.bench.worker.writer().is_unnumbered();
                    self.killed();
                }
                let old = std::mem::replace(&mut self.directory, copy);
                self.restart(reboot);
                drop(old);
            }
            Step::ReadOnly(on) => self.bench.set_read_only(on),
            Step::Full(on) => self.bench.set_full(on),
            Step::LearnTime => self.bench.clock.known = true,
            Step::KeepImage => {
                self.settle();
                let image = directory();
                copy_files(&state(&self.directory), &state(&image));
                self.image = Some((image, self.model.clone()));
            }
            Step::RestoreImage => {
                if let Some((image, model)) = self.image.take() {
                    self.directory = image;
                    self.model = model;
                    self.power_cut();
                    self.restored = true;
                    self.bench.advance(Duration::from_mins(1));
                    self.restart(true);
                }
            }
        }
        self.settle();
    }

    /// A reading that the thread has not seen yet.
    fn announce(&mut self) -> (u64, Fresh) {
        self.next_tag += 1;
        let mut fresh = Fresh::from(reading(self.next_tag, self.bench.clock.stamp()));
        fresh.ticket = self.bench.room.announce(fresh.row());
        assert!(fresh.ticket.is_some());
        (self.next_tag, fresh)
    }

    fn take(&mut self, (tag, fresh): (u64, Fresh)) {
        self.model.pending.insert(tag);
        self.bench.worker.obey(Command::Append(fresh), self.bench.now);
    }

    fn append_two(&mut self, after_s: u64, learns: bool) {
        self.bench.advance(Duration::from_secs(after_s));
        self.settle();
        let first = self.announce();
        self.bench.clock.known |= learns;
        self.busy = Some(self.announce());
        self.take(first);
    }

    fn no_longer_busy(&mut self) {
        if let Some(waiting) = self.busy.take() {
            self.take(waiting);
            self.settle();
        }
    }

    /// What the worker has taken meanwhile is no longer pending; and where the file is well, all is in it.
    fn settle(&mut self) {
        if self.bench.worker.writer().nothing_pending() {
            self.model
                .live
                .extend(std::mem::take(&mut self.model.pending).into_iter().map(|tag| (tag, false)));
        }
        if self.bench.worker.writer().nothing_in_memory() {
            self.model.live.values_mut().for_each(|durable| *durable = true);
        }
        assert_eq!(self.bench.stats().dropped, 0);
        if self.model.ghosts.is_empty() {
            let there = self.model.live.len() + self.model.pending.len();
            assert_eq!(self.bench.stats().backlog, there as u64, "{:?}", self.bench.stats());
        }
    }

    /// What only memory had is gone.
    fn power_cut(&mut self) {
        self.model.pending.clear();
        self.model.live.retain(|_, durable| *durable);
        self.killed();
    }

    /// Nothing is gone, and what was acknowledged may come again.
    fn killed(&mut self) {
        let model = &mut self.model;
        model.live.extend(std::mem::take(&mut model.pending).into_iter().map(|tag| (tag, false)));
        model.ghosts.extend(std::mem::take(&mut model.acknowledged));
    }

    fn restart(&mut self, reboot: bool) {
        self.starts += 1;
        let mut clock = self.bench.clock.clone();
        if reboot {
            clock.reboot();
        } else {
            clock.advance(Duration::from_secs(2));
        }
        self.model.in_flight.clear();
        // Opened before the old one is dropped, which would tidy up files that are not its any more.
        self.bench.room.close(false);
        let bench = open(&self.directory, clock, self.starts);
        self.bench = bench;
        assert_eq!(self.bench.health(), JournalHealth::default(), "{}", self.bench.story());
    }

    fn acknowledged(&mut self, tag: u64) {
        self.model.in_flight.remove(&tag);
        self.model.live.remove(&tag);
        self.model.pending.remove(&tag);
        self.model.ghosts.remove(&tag);
        self.model.acknowledged.insert(tag);
    }

    fn lease(&mut self, limit: usize) {
        let lease = self.bench.lease(limit);
        self.settle();
        if !self.bench.clock.known {
            assert!(lease.newest.is_none() && lease.backlog.is_empty());
            return;
        }
        let newest = lease.newest.as_ref().map(tag);
        let backlog: Vec<u64> = lease.backlog.iter().map(tag).collect();
        let ghosts = &self.model.ghosts;
        let mut there: BTreeSet<u64> = self.model.live.keys().copied().collect();
        if self.bench.worker.writer().may_send_pending() {
            there.extend(&self.model.pending);
        }
        let free: Vec<u64> =
            there.into_iter().filter(|tag| !self.model.in_flight.contains_key(tag)).collect();
        assert!(usize::from(newest.is_some()) + backlog.len() <= limit);
        assert!(self.disordered || backlog.is_sorted(), "{backlog:?}");
        if self.disordered || self.bench.worker.writer().is_unnumbered() {
            return lease.newest.iter().chain(&lease.backlog).for_each(|entry| self.note_sent(entry));
        }
        let real: Vec<u64> = backlog.iter().copied().filter(|tag| !ghosts.contains(tag)).collect();
        if let Some(newest) = newest {
            assert!(free.iter().chain(&backlog).all(|tag| *tag <= newest));
            assert!(ghosts.contains(&newest) || free.last() == Some(&newest), "{newest} {free:?}");
        }
        // Of those that are there for sure, the oldest, without a gap; and all, where there was room.
        let rest: Vec<u64> = free.into_iter().filter(|tag| Some(*tag) != newest).collect();
        assert!(rest.starts_with(&real), "{rest:?} {real:?}");
        if usize::from(newest.is_some()) + backlog.len() < limit {
            assert_eq!(rest, real);
        }
        for entry in lease.newest.iter().chain(&lease.backlog) {
            self.note_sent(entry);
        }
    }

    fn note_sent(&mut self, entry: &Entry) {
        let tag = tag(entry);
        self.model.in_flight.insert(tag, entry.seq);
        assert!(entry.time.is_some() || !self.bench.clock.known || self.bench.clock.boot > 1);
        if let Some(other) = self.tag_of_seq.insert(entry.seq, tag) {
            assert_eq!(other, tag, "the number {} was used before", entry.seq);
        }
        let now = (entry.seq, entry.message_id());
        let before = self.sent.insert(tag, now.clone()).unwrap_or(now.clone());
        if !self.restored {
            assert_eq!(before, now, "the message ID of {tag} changed");
        }
    }

    /// In the end all that was taken is delivered.
    fn end(mut self) {
        self.no_longer_busy();
        self.bench.set_read_only(false);
        self.bench.set_full(false);
        self.bench.clock.known = true;
        self.bench.flush();
        self.settle();
        self.bench.release();
        self.model.in_flight.clear();
        let before = self.bench.stats().backlog;
        let mut count = 0;
        loop {
            self.lease(7);
            let sent: Vec<(u64, u64)> = self.model.in_flight.iter().map(|(tag, seq)| (*tag, *seq)).collect();
            if sent.is_empty() {
                break;
            }
            count += sent.len() as u64;
            self.bench.acknowledge(sent.iter().map(|(_, seq)| *seq));
            for (tag, _) in sent {
                self.acknowledged(tag);
            }
        }
        assert_eq!((count, self.bench.stats().backlog), (before, 0));
        assert!(self.model.live.is_empty(), "lost: {:?}", self.model.live);
    }
}

/// Holds a state directory, and its waiting room beside it; in memory, as nothing here outlives the machine.
fn directory() -> TempDir {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    std::fs::create_dir(state(&directory)).unwrap();
    directory
}

fn state(directory: &TempDir) -> PathBuf {
    directory.path().join("state")
}

fn open(directory: &TempDir, clock: ManualClock, start: u32) -> Bench {
    let state = state(directory);
    // Far apart: what a start has numbered for another counts as of a start of its own.
    Bench::open_with_room(&state, Some(&room_of(&state)), clock, BOUND, 10 * start)
}

/// Few every day; `PROPTEST_CASES=20000` for a long night.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn a_journal_keeps_its_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut life = Life::new();
        for step in &steps {
            life.play(step);
        }
        life.end();
    }
}
