//! A task that hangs gets the agent restarted: the watchdog is fed only while every essential task makes progress.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use container_tracker::config::{Config, Interval};
use container_tracker::event::Events;
use container_tracker::instruments::gps::{GPS_READER, Gps};
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::SystemClock;
use container_tracker::platform::heartbeat::{Pace, Vitals};
use container_tracker::platform::notify::Notify;
use container_tracker::supervision::Supervision;
use container_tracker::tracker::{RECORDER, Tracker, UPLINK};
use tokio::io::DuplexStream;
use tracker_sensors::gps::{ByteSource, Opening, PlausibilitySettings, Receiver, ReceiverSettings};

use crate::support::service::{Installation, Manager, PATIENCE};

/// A receiver that is plugged in and says nothing.
struct Silent(Option<DuplexStream>);

impl ByteSource for Silent {
    fn open(&mut self) -> Opening<'_> {
        let (ours, theirs) = tokio::io::duplex(64);
        self.0 = Some(ours);
        Box::pin(std::future::ready(Ok(Box::new(theirs) as _)))
    }

    fn name(&self) -> String {
        "a silent receiver".into()
    }
}

/// Runs an agent with an interval of a day until `task` hangs and nobody feeds the watchdog any more.
fn hang(task: &'static str) {
    let installation = Installation::new();
    let manager = Manager::listen(installation.directory.path());
    let mut config = Config::load(&installation.config).unwrap();
    config.telemetry.interval = Interval::from_seconds(86_400).unwrap();
    let sentences = Arc::new(Mutex::new(Vec::new()));
    let heard = sentences.clone();
    let plausibility = PlausibilitySettings { build_date: None, time_scale: 1.0 };
    let vitals = Vitals::new(Pace { every: Duration::from_millis(100), patience: Duration::from_secs(4) });
    let notify = Notify::new(manager.path.to_str(), Some(Duration::from_millis(300)));
    let supervision = Supervision { notify, vitals: vitals.clone(), ..Supervision::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = ReceiverSettings::new(plausibility, tokio::time::Instant::now());
        let short = Duration::from_millis(500);
        let tracker = Tracker {
            config,
            instruments: vec![Box::new(Gps::new(Receiver::new(Silent(None), settings)))],
            clock: Arc::new(SystemClock::new(true)),
            events: Events::to("test", Arc::new(move |event| heard.lock().unwrap().push(event.to_string()))),
            first_wait: Duration::ZERO,
            timing: Timing { connect_within: short, dps_answer_within: short, ..Timing::default() },
        };
        tokio::spawn(tracker.run_supervised(std::future::pending(), supervision));
        let everything = tokio::task::spawn_blocking(move || {
            manager.hear("READY=1");
            for _ in 0..20 {
                manager.hear("WATCHDOG=1");
            }
            vitals.hang(task);
            manager.hear("STATUS=hung: ");
            // What was on its way when it was noticed.
            while manager.next().is_some() {}
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(2) {
                assert_eq!(manager.next(), None, "nobody feeds the watchdog of an agent that hangs");
            }
        });
        tokio::time::timeout(PATIENCE * 2, everything).await.unwrap().unwrap();
    });
    runtime.shutdown_background();
    let sentences = sentences.lock().unwrap();
    let told: Vec<_> = sentences.iter().filter(|text| text.contains("has made no progress")).collect();
    assert_eq!(told.len(), 1, "it is told once: {sentences:?}");
    assert!(told[0].starts_with(task) && told[0].ends_with("so that systemd restarts the agent"), "{told:?}");
}

#[test]
fn a_recorder_that_hangs_is_noticed() {
    hang(RECORDER);
}

#[test]
fn a_gps_reader_that_hangs_is_noticed() {
    // Its longest step, a rest of 30 s, is allowed for.
    hang(GPS_READER);
}

#[test]
fn an_uplink_that_hangs_is_noticed() {
    hang(UPLINK);
}
