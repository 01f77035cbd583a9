//! The agent ends within the promised time, whatever hangs. The time is a virtual one: what is proven is that no step
//! waits for longer than it may, and not how fast a computer is.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use container_tracker::config::{Config, Endpoint};
use container_tracker::event::{Event, Events};
use container_tracker::link::timing::{ABANDON_WITHIN, STOP_WITHIN, Timing};
use container_tracker::platform::clock::SystemClock;
use container_tracker::tracker::Tracker;
use support::service::Installation;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Where the thread of the journal tells of a damaged file, it never comes back, as from a disk that hangs.
fn stuck_disk(_: &Event) {
    while thread::current().name() == Some("journal") {
        thread::park();
    }
}

#[tokio::test(start_paused = true)]
async fn neither_a_stuck_disk_nor_a_black_hole_in_the_network_holds_up_the_end() {
    let installation = Installation::new();
    // Takes connections, and says nothing.
    let black_hole = TcpListener::bind("localhost:0").unwrap();
    let port = black_hole.local_addr().unwrap().port();
    let mut config = Config::load(&installation.config).unwrap();
    config.connection.gateway = Some(Endpoint::local(port));
    fs::create_dir_all(&config.state.directory).unwrap();
    fs::write(config.state.directory.join("journal.db"), "no database, ".repeat(100)).unwrap();

    let (stop, stopped) = oneshot::channel();
    let tracker = Tracker {
        config,
        instruments: Vec::new(),
        clock: Arc::new(SystemClock::new(true)),
        events: Events::to("test", Arc::new(stuck_disk)),
        first_wait: Duration::ZERO,
        timing: Timing::default(),
    };
    let agent = tokio::spawn(tracker.run(async move {
        let _ = stopped.await;
    }));
    sleep(Duration::from_secs(100)).await;
    assert!(!agent.is_finished());

    let asked = Instant::now();
    stop.send(()).unwrap();
    let error = agent.await.unwrap().unwrap_err().to_string();
    let took = asked.elapsed();
    assert!(took + ABANDON_WITHIN <= STOP_WITHIN, "it took {took:?}");
    assert!(
        error.starts_with("the journal in ") && error.contains(" was not flushed within 1.8s"),
        "{error}"
    );
}

#[test]
fn systemd_waits_for_longer_than_that() {
    let unit = include_str!("../systemd/container-tracker.service");
    let seconds = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s'));
    let limit = Duration::from_secs(seconds.unwrap().parse().unwrap());
    assert!(limit >= STOP_WITHIN * 2, "{limit:?}");
}
