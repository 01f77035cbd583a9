//! A disk that takes no end: measuring, connecting and the twin's settings do not wait for it.
//!
//! What is proven is that nothing waits, and not how fast a computer is: the disk's threads are held, and let go at the end.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use container_tracker::event::{Event, Events};
use container_tracker::instruments::fields::Fields;
use container_tracker::instruments::health::SensorHealth;
use container_tracker::instruments::instrument::{Instrument, Start};
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::SystemClock;
use container_tracker::tracker::Tracker;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tracker_sensors::health::Health;

use crate::support::agent::PATIENCE;

const DEVICE: &str = "sensor-thl-001";

/// An instrument that counts readings.
struct Counter(Arc<AtomicU64>, watch::Sender<Health>);

impl Instrument for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn start(&mut self, _: &mut Start<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn health(&self) -> SensorHealth {
        SensorHealth::of(self.1.subscribe())
    }

    fn read(&mut self, _: &mut Fields) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until it is as wanted.
async fn wait_until(what: &str, story: &Mutex<Vec<String>>, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", story.lock().unwrap());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_up_neither_measuring_nor_the_twin() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let state = config.state.directory.clone();
    fs::create_dir_all(&state).unwrap();
    // Each thread that works with the disk has something to say, and is held when it does.
    fs::write(state.join("journal.db"), "no database, ".repeat(100)).unwrap();
    fs::create_dir_all(state.join("assignment.new")).unwrap();
    let (held, story) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let (hold, heard) = (held.clone(), story.clone());
    let disk = move |event: &Event| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        heard.lock().unwrap().push(format!("{name}: {event}"));
        while ["journal", "files"].contains(&name.as_str()) && hold.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(10));
        }
    };
    let measured = Arc::new(AtomicU64::new(0));
    let tracker = Tracker {
        config,
        instruments: vec![Box::new(Counter(measured.clone(), watch::Sender::new(Health::default())))],
        clock: Arc::new(SystemClock::new(true)),
        events: Events::to("test", Arc::new(disk)),
        first_wait: Duration::ZERO,
        timing: Timing { stop_within: PATIENCE, ..Timing::default() },
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let agent = tokio::spawn(tracker.run(async move { drop(stopped.await) }));

    let says = |words: &str| story.lock().unwrap().iter().any(|sentence| sentence.contains(words));
    wait_until("online", &story, || says("online at")).await;
    wait_until("twin", &story, || says("twin: telemetryInterval = 1")).await;
    cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 2})).unwrap();
    wait_until("setting", &story, || says("twin: telemetryInterval = 2")).await;
    wait_until("held", &story, || {
        says("journal: the journal could not be used") && says("files: the assignment")
    })
    .await;
    // A connection is no worse than the one before.
    let count = |words: &str| story.lock().unwrap().iter().filter(|said| said.contains(words)).count();
    cloud.hub.drop_connection(DEVICE).unwrap();
    wait_until("online again", &story, || count("online at") >= 2).await;
    cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 1})).unwrap();
    wait_until("setting of the next connection", &story, || count("telemetryInterval = 1") >= 2).await;
    let before = measured.load(Ordering::Relaxed);
    wait_until("readings", &story, || measured.load(Ordering::Relaxed) >= before + 2).await;
    assert!(!state.join("settings.json").exists(), "the disk hangs");

    held.store(false, Ordering::Relaxed);
    stop.send(()).unwrap();
    let stats = timeout(PATIENCE, agent).await.unwrap().unwrap().unwrap();
    assert_eq!((stats.taken, stats.dropped), (measured.load(Ordering::Relaxed), 0));
    let stored = fs::read_to_string(state.join("settings.json")).unwrap();
    assert!(stored.contains("\"telemetryInterval\": 1"), "what is set last is stored: {stored}");
}
