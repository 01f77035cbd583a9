//! Who keeps the history: takes what comes, writes it now and then, and lets who asks see all of it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::gather;
use super::options::HistoryOptions;
use super::shelf::Shelf;
use super::waiting::{Told, Waiting};
use crate::lock::lock;
use crate::model::StoryEntry;
use crate::telemetry::{Alarm, Reading, Trip};

/// Why the history has no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HistoryError {
    /// Charts have no such field.
    #[error("charts show no field \"{0}\"; they show temperature, humidity, pressure, light and speed")]
    NoSuchField(String),
    /// The file can't be read.
    #[error("the history can't be read: {0}")]
    Disk(String),
}

/// What was. Clones are the same history. Every call may take some milliseconds of disk and processor: not for an async task.
#[derive(Clone)]
pub struct History {
    pub(super) waiting: Arc<Mutex<Waiting>>,
    pub(super) shelf: Arc<Mutex<Shelf>>,
}

impl History {
    /// Opens or makes it. It can't fail: what can't be used is set aside, and without a file it is kept in memory;
    /// [`History::notices`] says so.
    pub fn open(options: HistoryOptions) -> Self {
        Self { waiting: Arc::default(), shelf: Arc::new(Mutex::new(Shelf::open(options))) }
    }

    /// What people should know of it, a sentence each, each told once.
    pub fn notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shelf).notices)
    }

    /// From now on its file may not grow.
    #[cfg(test)]
    pub(crate) fn let_nothing_grow(&self) {
        let shelf = lock(&self.shelf);
        let connection = shelf.connection();
        let count: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {count}"), [], |_| Ok(())).unwrap();
    }

    /// What is wrong with it now, in a sentence, if anything is.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shelf).trouble.clone()
    }

    /// Takes readings of a device. Costs no disk.
    pub(crate) fn take(&self, device: &str, readings: Vec<Reading>) {
        lock(&self.waiting).readings(device, readings);
    }

    /// Takes an entry of the story.
    pub(crate) fn tell(&self, entry: StoryEntry) {
        lock(&self.waiting).told(Told::Entry(entry));
    }

    /// Takes what was told of an alarm.
    pub(crate) fn alarm(&self, device: &str, alarm: Alarm) {
        lock(&self.waiting).told(Told::Alarm(device.to_owned(), alarm));
    }

    /// Takes what was told of a trip.
    pub(crate) fn trip(&self, device: &str, trip: Trip) {
        lock(&self.waiting).told(Told::Trip(device.to_owned(), trip));
    }

    /// How many readings wait to be written.
    pub(crate) fn waits(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Writes what waits, and how devices do, `(name, state)`; keeps the bounds. `now` is the fleet's time.
    pub(crate) fn flush(&self, states: &[(String, String)], now: DateTime<Utc>) {
        let mut shelf = lock(&self.shelf);
        if !shelf.may_try(Instant::now()) {
            return;
        }
        let batch = lock(&self.waiting).take_all();
        if let Err(batch) = shelf.write(batch, states) {
            lock(&self.waiting).put_back(batch);
            return;
        }
        let lost = lock(&self.waiting).take_lost();
        shelf.works(lost);
        shelf.keep_bounds(now.timestamp_millis());
    }

    /// Whether it outlives the process.
    pub(crate) fn is_kept(&self) -> bool {
        lock(&self.shelf).is_kept()
    }

    /// How devices did when it was last written.
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        lock(&self.shelf).read(gather::states).unwrap_or_default()
    }

    /// Asks the file, in which all is that has come of this device, or of all.
    pub(super) fn ask<T>(
        &self,
        device: Option<&str>,
        question: impl Fn(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let mut shelf = lock(&self.shelf);
        if shelf.may_try(Instant::now()) {
            let batch = {
                let mut waiting = lock(&self.waiting);
                match device {
                    Some(device) => waiting.take_of(device),
                    None => waiting.take_all(),
                }
            };
            if let Err(batch) = shelf.write(batch, &[]) {
                lock(&self.waiting).put_back(batch);
            }
        }
        shelf.read(question).map_err(HistoryError::Disk)
    }
}
