//! A journal, and everything it says.

use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::config::Config;
use container_tracker::event::{Event, Events};
use container_tracker::journal::{
    Entry, FileSystem, Journal, JournalHealth, JournalOptions, OsFileSystem, waiting_room,
};
use container_tracker::platform::clock::{Clock, SystemClock};
use container_tracker::reading::{Reading, Stamp};
use serde_json::json;

/// An open journal.
pub struct Recorded {
    journal: Journal,
    appended: AtomicU64,
    said: Arc<Mutex<Vec<String>>>,
}

impl Recorded {
    /// Opens the journal in a directory.
    pub fn open(directory: &Path) -> Self {
        Self::open_in_boot(directory, "boot-1")
    }

    /// Opens the journal in a directory, in this boot of the machine.
    pub fn open_in_boot(directory: &Path, boot: &str) -> Self {
        Self::open_on(Arc::new(OsFileSystem), directory, boot)
    }

    /// Opens the journal in a directory of this file system.
    pub fn open_on(files: Arc<dyn FileSystem>, directory: &Path, boot: &str) -> Self {
        Self::open_as(files, options(directory, boot))
    }

    /// Opens the journal in a directory, with this file as its waiting room.
    pub fn open_with_room(directory: &Path, room: &Path) -> Self {
        let options = JournalOptions { waiting_room: Some(room.into()), ..options(directory, "boot-1") };
        Self::open_as(Arc::new(OsFileSystem), options)
    }

    fn open_as(files: Arc<dyn FileSystem>, options: JournalOptions) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let listener = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.to_string()));
        let journal = Journal::open_on(files, options, Events::to("test", listener)).unwrap();
        Self { journal, appended: AtomicU64::new(0), said }
    }

    /// Appends, faster than any tracker, and lets the journal catch up now and then.
    pub async fn append(&self, reading: Reading) {
        self.journal.append(reading);
        if self.appended.fetch_add(1, Ordering::Relaxed) % 100 == 99 {
            self.journal.flush().await;
        }
    }

    /// How the disk takes it.
    pub fn health(&self) -> JournalHealth {
        self.journal.health().borrow().clone()
    }

    /// All it has said.
    pub fn story(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// The `n` of all readings, in the order in which they are handed out; they are acknowledged.
    pub async fn drain(&self) -> Vec<u64> {
        let mut all = Vec::new();
        loop {
            let lease = self.journal.lease(40, stamp(1_000_000)).await;
            let entries: Vec<_> = lease.newest.into_iter().chain(lease.backlog).collect();
            if entries.is_empty() {
                return all;
            }
            let number = |entry: &Entry| {
                serde_json::from_str::<serde_json::Value>(&entry.fields).unwrap()["n"].as_u64().unwrap()
            };
            all.extend(entries.iter().map(number));
            let mut seqs = entries.iter().map(|entry| entry.seq).collect();
            while let Err(again) = self.journal.acknowledge(seqs) {
                seqs = again;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

impl Deref for Recorded {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

fn options(directory: &Path, boot: &str) -> JournalOptions {
    JournalOptions {
        directory: directory.into(),
        size_bound: 64 * 1024 * 1024,
        waiting_room: None,
        boot: boot.into(),
    }
}

/// Puts readings with these numbers into the journal as a tracker would that was offline for long, and closes it.
pub async fn prefill(directory: &Path, numbers: Range<u64>) {
    std::fs::create_dir_all(directory).unwrap();
    let clock = SystemClock::new(true);
    let options = options(directory, clock.boot());
    let journal = Journal::open(options, Events::to("prefill", Arc::new(|_| {}))).unwrap();
    let count = numbers.end - numbers.start;
    for number in numbers {
        let fields = json!({"temperature": 4.0, "humidity": 80.0, "number": number});
        journal.append(Reading { stamp: Stamp::now(&clock), fields: fields.to_string(), alerts: Vec::new() });
        // Its queue is bounded.
        if number % 32 == 31 {
            journal.release().await;
        }
    }
    journal.close().await;
    let stats = journal.stats();
    assert_eq!((stats.taken, stats.dropped), (count, 0));
}

/// Puts a backlog into the journal of a tracker that is not running.
pub async fn fill(config: &Config, count: u64) {
    std::fs::create_dir_all(&config.state.directory).unwrap();
    let clock = SystemClock::new(true);
    let options = JournalOptions {
        waiting_room: waiting_room(&config.state.directory),
        directory: config.state.directory.clone(),
        size_bound: 256 * 1024 * 1024,
        boot: clock.boot().into(),
    };
    let journal = Journal::open(options, Events::to("fill", Arc::new(|_| {}))).unwrap();
    for n in 0..count {
        let fields = json!({
            "temperature": 3.87, "humidity": 84.12, "pressure": 1013.25 + (n % 100) as f64 / 100.0,
            "location": {"lat": -36.841_234_5, "lon": 174.781_234_5, "alt": 12.3},
            "speed": 29.64, "course": 312.4, "fix": "gps", "satellites": 11, "hdop": 0.87,
        });
        let back = Duration::from_secs(60 * (count - n));
        let stamp = Stamp { utc: clock.utc().map(|now| now - back), monotonic: Duration::ZERO };
        let reading = Reading { stamp, fields: fields.to_string(), alerts: Vec::new() };
        // No tracker is as fast as this; what the journal could not take is offered again.
        loop {
            let dropped = journal.stats().dropped;
            journal.append(reading.clone());
            if journal.stats().dropped == dropped {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    journal.close().await;
    assert_eq!(journal.stats().taken, count);
}

/// When the machines of these tests were booted.
pub fn booted() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

/// So many seconds after that.
pub fn stamp(seconds: u64) -> Stamp {
    let utc = booted() + TimeDelta::seconds(seconds as i64);
    Stamp { utc: Some(utc), monotonic: Duration::from_secs(seconds) }
}

/// A reading with a number to know it by, one a minute.
pub fn reading(n: u64) -> Reading {
    Reading { stamp: stamp(60 * n), fields: fields(n), alerts: Vec::new() }
}

/// Fields like those of a real one.
pub fn fields(n: u64) -> String {
    let wave = |period: f64, size: f64| ((n as f64 / period).sin() * size * 100.0).round() / 100.0;
    let place = |start: f64, step: f64| ((start + step * n as f64 % 30.0) * 1e7).round() / 1e7;
    let fields = json!({
        "n": n, "temperature": 4.0 + wave(37.0, 0.8), "humidity": 81.0 + wave(53.0, 6.0),
        "pressure": 1013.0 + wave(211.0, 12.0),
        "location": {"lat": place(51.95, 0.000_81), "lon": place(4.05, 0.001_13), "alt": 30.0 + wave(7.0, 2.0)},
        "speed": 38.0 + wave(11.0, 3.0), "course": 271.0 + wave(17.0, 5.0), "fix": "gps", "satellites": 9 + n % 4,
        "hdop": 0.9,
    });
    fields.to_string()
}
