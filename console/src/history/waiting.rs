//! What has come and is not written yet. It has a bound: where the disk takes nothing, what comes then is counted and lost.

use std::collections::HashMap;

use crate::model::StoryEntry;
use crate::telemetry::{Alarm, Reading, Trip};

/// Readings; some 8 MB.
const MOST_READINGS: usize = 50_000;
/// Of all else.
const MOST_TOLD: usize = 20_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Entry(StoryEntry),
    Alarm(String, Alarm),
    Trip(String, Trip),
}

/// Some of it, to be written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) readings: HashMap<String, Vec<Reading>>,
    pub(super) told: Vec<Told>,
}

/// What has come and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    batch: Batch,
    count: usize,
    lost: u64,
}

impl Waiting {
    pub(super) fn readings(&mut self, device: &str, readings: Vec<Reading>) {
        if self.count + readings.len() > MOST_READINGS {
            self.lost += readings.len() as u64;
            return;
        }
        self.count += readings.len();
        match self.batch.readings.get_mut(device) {
            Some(all) => all.extend(readings),
            None => drop(self.batch.readings.insert(device.to_owned(), readings)),
        }
    }

    pub(super) fn told(&mut self, told: Told) {
        if self.batch.told.len() >= MOST_TOLD {
            self.lost += 1;
            return;
        }
        self.batch.told.push(told);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn take_all(&mut self) -> Batch {
        self.count = 0;
        std::mem::take(&mut self.batch)
    }

    /// The readings of this device, and all that happened.
    pub(super) fn take_of(&mut self, device: &str) -> Batch {
        let readings: HashMap<_, _> = self.batch.readings.remove_entry(device).into_iter().collect();
        self.count -= readings.values().map(Vec::len).sum::<usize>();
        Batch { readings, told: std::mem::take(&mut self.batch.told) }
    }

    /// Takes back what could not be written.
    pub(super) fn put_back(&mut self, batch: Batch) {
        for (device, readings) in batch.readings {
            self.readings(&device, readings);
        }
        batch.told.into_iter().for_each(|told| self.told(told));
    }

    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}
