//! Random operations against a plain model, with the power cut in the middle of any step: no pair that the hub has taken is ever
//! lost, nor a key that a certificate was stored for, nor a request that was made.
//!
//! `PAIRS_SEEDS=2000` plays more seeds, `PAIRS_FIRST_SEED=17` begins with another one.

use std::env;
use std::io::ErrorKind;

use super::super::pairs::Pairs;
use super::super::request::CertificateRequest;
use super::super::slot::Slot;
use super::super::token_keys::TokenKeys;
use super::authority::{Authority, NAME, now};
use super::dice::Dice;
use super::double::{Lie, Machine};

/// Seeds, unless the environment says otherwise.
const USUAL: u64 = 30;
/// Operations a seed.
const LENGTH: usize = 50;

/// What must be there.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    /// Thumbprint and refusals.
    next: Option<(String, u8)>,
    current: Option<(String, u8)>,
    asked: Option<CertificateRequest>,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Request,
    Take,
    TakeOther,
    Prove(Slot),
    Refuse(Slot),
    Forget,
    Restart,
}

struct Game<'a> {
    authority: &'a Authority,
    machine: Machine,
    has_token: bool,
    dice: Dice,
    pairs: Pairs,
    model: Model,
    /// A refusal may be known in memory alone, because it could not be written.
    is_unsure: bool,
    /// What was done, for whoever reads why it went wrong.
    story: Vec<String>,
}

fn open(machine: &Machine, has_token: bool) -> Pairs {
    let token = has_token.then(|| Box::new(machine.clone()) as Box<dyn TokenKeys>);
    Pairs::over(Box::new(machine.clone()), token, 0.8).unwrap()
}

impl<'a> Game<'a> {
    fn new(authority: &'a Authority, seed: u64, has_token: bool, lie: Option<Lie>) -> Self {
        let machine = Machine::new(lie);
        let pairs = open(&machine, has_token);
        let (model, is_unsure) = (Model { next: None, current: None, asked: None }, false);
        Self {
            authority,
            machine,
            has_token,
            dice: Dice::new(seed),
            pairs,
            model,
            is_unsure,
            story: Vec::new(),
        }
    }

    fn play(&mut self) -> Result<(), String> {
        for _ in 0..LENGTH {
            self.turn().map_err(|why| format!("{why}\n{}", self.story.join("\n")))?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), String> {
        let operation = match self.dice.roll(12) {
            0..3 => Operation::Request,
            3..6 => Operation::Take,
            6 => Operation::TakeOther,
            7 | 8 => Operation::Prove(Slot::Next),
            9 => Operation::Prove(Slot::Current),
            10 => Operation::Refuse(if self.dice.one_in(2) { Slot::Next } else { Slot::Current }),
            _ if self.dice.one_in(2) => Operation::Forget,
            _ => Operation::Restart,
        };
        let trouble = self.dice.roll(8);
        match trouble {
            0..3 => self.machine.dies_after(Some(self.dice.roll(20))),
            3 => self.machine.set_fault(Some(ErrorKind::StorageFull)),
            4 => self.machine.set_fault(Some(ErrorKind::ReadOnlyFilesystem)),
            5 => self.machine.take_token_away(true),
            _ => {}
        }
        let before = self.model.clone();
        let (done, mut after) = self.operate(operation);
        self.story.push(format!("{operation:?} with trouble {trouble}: {done:?}"));
        self.machine.set_fault(None);
        self.machine.take_token_away(false);
        let is_new = self.machine.is_dead() || matches!(operation, Operation::Restart);
        if is_new {
            self.start_again();
        }
        self.machine.dies_after(None);
        let found = self.look();
        if done.is_err() && matches!(operation, Operation::Request) && before.asked.is_none() {
            // What nobody was told may have been made or not.
            after.asked.clone_from(&found.asked);
        }
        let is_excused = done.is_err() || is_new && self.is_unsure;
        let fits = found == after || is_excused && (found == before || found.fits(&after, &before));
        self.is_unsure = !is_new && (self.is_unsure || done.is_err());
        if !fits {
            return Err(format!("before {before:#?}\nshould be {after:#?}\nis {found:#?}"));
        }
        self.model = found;
        let news = self.pairs.news();
        // A full disk, or a token that was away, may be told; nothing is ever damaged.
        if news.iter().any(|text| text.contains("put aside")) {
            return Err(format!("{news:?}"));
        }
        self.litter()
    }

    /// After a kill or a power cut, in which it may be cut again.
    fn start_again(&mut self) {
        loop {
            if self.dice.one_in(4) {
                self.machine.kill();
            } else {
                self.machine.cut_power(&mut self.dice);
            }
            self.machine.dies_after(Some(self.dice.roll(20)));
            self.pairs = open(&self.machine, self.has_token);
            if !self.machine.is_dead() {
                return;
            }
        }
    }

    /// Does it; and what must be there if it is done.
    fn operate(&mut self, operation: Operation) -> (Result<(), String>, Model) {
        let mut after = self.model.clone();
        let slot = |slot, model: &Model| match slot {
            Slot::Next => model.next.clone(),
            Slot::Current => model.current.clone(),
        };
        let done = match operation {
            Operation::Request => self.pairs.request(&NAME.parse().unwrap(), Some(now())).map(|request| {
                after.asked.get_or_insert(request);
            }),
            Operation::Take => match &self.model.asked {
                None => return (Ok(()), after),
                Some(request) => {
                    let chain = self.authority.issue(&request.csr);
                    let leaf = crate::identity::certificate::thumbprint(&chain[0].clone().into());
                    after.next = Some((leaf, 0));
                    after.asked = None;
                    self.pairs.take(&chain, Some(now()))
                }
            },
            Operation::TakeOther => {
                let key = super::super::key::make().unwrap().1;
                let csr = super::super::csr::request(&NAME.parse().unwrap(), &*key).unwrap();
                let chain = self.authority.issue(&super::super::csr::base64(&csr));
                assert!(self.pairs.take(&chain, Some(now())).is_err());
                return (Ok(()), after);
            }
            Operation::Prove(which) => match slot(which, &self.model) {
                None => return (Ok(()), after),
                Some((thumbprint, _)) => {
                    if which == Slot::Next {
                        after.next = None;
                    }
                    after.current = Some((thumbprint.clone(), 0));
                    self.pairs.proved(&thumbprint)
                }
            },
            Operation::Refuse(which) => match slot(which, &self.model) {
                None => return (Ok(()), after),
                Some((thumbprint, refusals)) => {
                    let refused = Some((thumbprint.clone(), 3.min(refusals + 1)));
                    match which {
                        Slot::Next => after.next = refused,
                        Slot::Current => after.current = refused,
                    }
                    self.pairs.refused(&thumbprint)
                }
            },
            Operation::Forget => {
                after.asked = None;
                self.pairs.forget_request()
            }
            Operation::Restart => Ok(()),
        };
        (done.map_err(|error| error.to_string()), after)
    }

    /// What is there.
    fn look(&mut self) -> Model {
        let pairs = self.pairs.candidates();
        assert!(pairs.is_sorted_by_key(|pair| pair.refusals));
        let of = |slot| {
            let pair = pairs.iter().find(|pair| pair.slot == slot)?;
            Some((pair.identity.thumbprint.clone(), pair.refusals))
        };
        Model { next: of(Slot::Next), current: of(Slot::Current), asked: self.pairs.under_way() }
    }

    /// Whether something is left that nobody needs, once nothing is in the way.
    fn litter(&mut self) -> Result<(), String> {
        if !self.dice.one_in(4) {
            return Ok(());
        }
        self.pairs = open(&self.machine, self.has_token);
        let found = self.look();
        if found != self.model && !(self.is_unsure && found.fits(&self.model, &self.model)) {
            return Err(format!("after a restart {found:#?} in place of {:#?}", self.model));
        }
        (self.model, self.is_unsure) = (found, false);
        let (files, keys) = self.machine.there();
        let known = ["next.pem", "current.pem", "request.json", "request.key", "record.json"];
        let in_slots = [&self.model.next, &self.model.current].into_iter().flatten().count();
        let asked = usize::from(self.model.asked.is_some());
        let file_keys = usize::from(files.contains(&"request.key".to_owned()));
        let (wanted_files, wanted_keys) = if self.has_token { (0, in_slots + asked) } else { (asked, 0) };
        if files.iter().all(|name| known.contains(&&**name))
            && file_keys == wanted_files
            && keys.len() == wanted_keys
        {
            return Ok(());
        }
        Err(format!("litter: {files:?}, in the token {keys:?}, but {:#?}", self.model))
    }
}

impl Model {
    /// Whether this is `after`, but for how often the hub refused what: between two steps the old count may stand beside the new
    /// slot.
    fn fits(&self, after: &Self, before: &Self) -> bool {
        let names = |model: &Self| {
            [&model.next, &model.current].map(|slot| slot.as_ref().map(|(thumbprint, _)| thumbprint.clone()))
        };
        let asked = self.asked == after.asked || self.asked == before.asked && names(self) == names(before);
        asked && (names(self) == names(after) || names(self) == names(before))
    }
}

fn number(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn play(seeds: impl Iterator<Item = u64>, lie: Option<Lie>) -> Result<(), String> {
    let authority = Authority::new();
    for seed in seeds {
        for has_token in [false, true] {
            let played = Game::new(&authority, seed, has_token, lie).play();
            played.map_err(|why| format!("seed {seed}, token {has_token}: {why}"))?;
        }
    }
    Ok(())
}

#[test]
fn no_power_cut_loses_what_was_taken_or_asked_for() {
    let first = number("PAIRS_FIRST_SEED", 1);
    if let Err(why) = play(first..first + number("PAIRS_SEEDS", USUAL), None) {
        panic!("{why}");
    }
}

#[test]
fn what_was_there_after_a_kill_is_there_after_a_power_cut() {
    for (changes, seed) in (0..16).flat_map(|changes| (0..8).map(move |seed| (changes, seed))) {
        let machine = Machine::new(None);
        machine.dies_after(Some(changes));
        let _ = open(&machine, false).request(&NAME.parse().unwrap(), None);
        machine.kill();
        let seen = open(&machine, false).under_way();
        machine.cut_power(&mut Dice::new(seed));
        assert_eq!(open(&machine, false).under_way(), seen, "after {changes} changes");
    }
}

#[test]
fn a_disk_that_lies_about_what_is_durable_is_found_out() {
    for lie in [Lie::Contents, Lie::Names] {
        assert!(play(1..200, Some(lie)).is_err(), "{lie:?} makes no difference");
    }
}
