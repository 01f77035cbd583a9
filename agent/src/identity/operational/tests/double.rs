//! A disk and a token in memory that lose power: of the disk all that was not synced may be lost, whole, in part, or not at all.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::sign::SigningKey;

use super::super::disk::Disk;
use super::super::key;
use super::super::token_keys::TokenKeys;
use super::dice::Dice;
use crate::identity::certificate::Certificate;
use crate::identity::key_file;
use crate::identity::token_error::TokenError;

/// A machine, shared by all that works on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The content of every file that ever was, by its number.
    contents: Vec<Content>,
    /// The names as the running machine sees them.
    names: BTreeMap<String, usize>,
    /// The names that a power cut leaves.
    durable: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    pending: Vec<Change>,
    is_made: bool,
    /// Keys in the token, as PEM.
    keys: BTreeMap<String, String>,
    is_token_away: bool,
    /// Changes so far, and the one in which the power goes.
    steps: u64,
    dies_at: Option<u64>,
    is_dead: bool,
    fault: Option<ErrorKind>,
    lie: Option<Lie>,
}

#[derive(Debug, Default)]
struct Content {
    now: Vec<u8>,
    is_synced: bool,
}

#[derive(Debug)]
enum Change {
    Put(String, usize),
    Gone(String),
    Moved(String, String, usize),
}

/// What a disk does that does not do what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Contents are not synced.
    Contents,
    /// Names are not synced.
    Names,
}

impl State {
    /// A change is about to be made; after an error it is not, and neither is any later one.
    fn step(&mut self) -> io::Result<()> {
        if self.is_dead {
            return Err(io::Error::other("the power is off"));
        }
        self.steps += 1;
        if self.dies_at.is_some_and(|at| self.steps >= at) {
            self.is_dead = true;
            return Err(io::Error::other("the power goes off"));
        }
        match self.fault {
            Some(ErrorKind::ReadOnlyFilesystem) => Err(ErrorKind::ReadOnlyFilesystem.into()),
            _ => Ok(()),
        }
    }

    fn number(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Machine {
    pub(super) fn new(lie: Option<Lie>) -> Self {
        let machine = Self::default();
        machine.state().lie = lie;
        machine
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The power goes in the change after so many.
    pub(super) fn dies_after(&self, changes: Option<u64>) {
        let mut state = self.state();
        state.dies_at = changes.map(|changes| state.steps + changes + 1);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Every change fails so, if it can.
    pub(super) fn set_fault(&self, fault: Option<ErrorKind>) {
        self.state().fault = fault;
    }

    pub(super) fn take_token_away(&self, is_away: bool) {
        self.state().is_token_away = is_away;
    }

    /// The program was killed, and nothing else: the machine has all that it saw.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        (state.is_dead, state.dies_at) = (false, None);
    }

    /// The power has gone, and is back.
    pub(super) fn cut_power(&self, dice: &mut Dice) {
        self.kill();
        let state = &mut *self.state();
        for change in state.pending.drain(..) {
            if dice.one_in(2) {
                continue;
            }
            match change {
                Change::Put(name, number) => drop(state.durable.insert(name, number)),
                Change::Gone(name) => drop(state.durable.remove(&name)),
                Change::Moved(from, to, number) => {
                    if state.durable.get(&from) == Some(&number) {
                        state.durable.remove(&from);
                    }
                    state.durable.insert(to, number);
                }
            }
        }
        state.names = state.durable.clone();
        for content in state.contents.iter_mut().filter(|content| !content.is_synced) {
            let kept = if dice.one_in(2) { 0 } else { dice.roll(content.now.len() as u64 + 1) as usize };
            content.now.truncate(kept);
            content.is_synced = true;
        }
    }

    /// All names of files, and all names of keys in the token.
    pub(super) fn there(&self) -> (Vec<String>, Vec<String>) {
        let state = self.state();
        (state.names.keys().cloned().collect(), state.keys.keys().cloned().collect())
    }

    /// Lays a file there, as somebody else would.
    pub(super) fn lay(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        state.is_made = true;
        let number = state.contents.len();
        state.contents.push(Content { now: content.to_vec(), is_synced: true });
        state.names.insert(name.into(), number);
        state.durable.insert(name.into(), number);
    }
}

impl Disk for Machine {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/state/operational").join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        if !state.is_made {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(state.names.keys().cloned().collect())
    }

    fn make(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.is_made {
            state.step()?;
            state.is_made = true;
        }
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        state.number(name).map(|number| state.contents[number].now.clone())
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let number = state.contents.len();
        state.contents.push(Content::default());
        state.names.insert(name.into(), number);
        state.pending.push(Change::Put(name.into(), number));
        state.step()?;
        state.contents[number].now = content[..content.len() / 2].into();
        if state.fault == Some(ErrorKind::StorageFull) {
            return Err(ErrorKind::StorageFull.into());
        }
        state.step()?;
        state.contents[number].now = content.into();
        state.step()?;
        state.contents[number].is_synced = state.lie != Some(Lie::Contents);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let number = state.number(from)?;
        state.step()?;
        state.names.remove(from);
        state.names.insert(to.into(), number);
        state.pending.push(Change::Moved(from.into(), to.into(), number));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.number(name)?;
        state.step()?;
        state.names.remove(name);
        state.pending.push(Change::Gone(name.into()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.lie != Some(Lie::Names) {
            state.pending.clear();
            state.durable = state.names.clone();
        }
        Ok(())
    }

    fn clear(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.names.clear();
        state.durable.clear();
        state.pending.clear();
        state.is_made = false;
        Ok(())
    }
}

fn away(object: &str) -> TokenError {
    TokenError::Failed { key: object.into(), why: "it is in the drawer".into() }
}

/// What is done in the token is durable at once.
impl TokenKeys for Machine {
    fn make(&self, object: &str) -> Result<Arc<dyn SigningKey>, TokenError> {
        let mut state = self.state();
        if state.is_token_away || state.step().is_err() {
            return Err(away(object));
        }
        let (pem, key) = key::make().unwrap();
        state.keys.insert(object.into(), pem);
        state.step().map_err(|_| away(object))?;
        Ok(key)
    }

    fn load(&self, object: &str, leaf: &Certificate) -> Result<Option<Arc<dyn SigningKey>>, TokenError> {
        let state = self.state();
        let pem = state.keys.get(object).filter(|_| !state.is_token_away).ok_or_else(|| away(object))?;
        Ok(key_file::of_pem(&PathBuf::from("token"), pem.as_bytes(), leaf).unwrap())
    }

    fn destroy(&self, object: &str) -> Result<(), TokenError> {
        let mut state = self.state();
        if state.is_token_away || state.step().is_err() {
            return Err(away(object));
        }
        state.keys.remove(object);
        state.step().map_err(|_| away(object))
    }
}
