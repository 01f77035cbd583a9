//! What is kept beside readings, by name, and what of it the disk has not got.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::journal::bundle::States;

/// The states kept last.
#[derive(Debug, Default)]
pub(crate) struct KeptStates {
    all: States,
    /// Names of those that the disk has not got.
    unwritten: BTreeSet<String>,
    /// When they must be on the disk.
    due: Option<Instant>,
}

impl KeptStates {
    /// Takes new ones, which must be on the disk by `due`.
    pub(crate) fn take(&mut self, states: States, due: Instant) {
        if states.is_empty() {
            return;
        }
        self.unwritten.extend(states.keys().cloned());
        self.all.extend(states);
        self.due = self.due.into_iter().chain([due]).min();
    }

    /// Takes those of the disk, as far as there are no newer ones.
    pub(crate) fn learn(&mut self, states: States) {
        for (name, value) in states {
            self.all.entry(name).or_insert(value);
        }
    }

    /// The disk may be another one, and have none of them.
    pub(crate) fn distrust_disk(&mut self) {
        self.unwritten = self.all.keys().cloned().collect();
    }

    pub(crate) fn all(&self) -> &States {
        &self.all
    }

    /// When they must be on the disk.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// They were tried to be written. What failed is tried again when the disk is.
    pub(crate) fn tried(&mut self) {
        self.due = None;
    }

    pub(crate) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// What the disk has not got.
    pub(crate) fn to_write(&self) -> Vec<(&str, &str)> {
        let named = self.unwritten.iter().filter_map(|name| self.all.get_key_value(name));
        named.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The same, to be kept elsewhere.
    pub(crate) fn unwritten(&self) -> States {
        let pairs: BTreeMap<_, _> = self.to_write().into_iter().collect();
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The disk has all of them.
    pub(crate) fn written(&mut self) {
        self.unwritten.clear();
    }
}
