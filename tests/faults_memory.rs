//! An agent whose link flaps for ever stays as small as it was.
//!
//! `FAULT_FLAPS=20000` flaps longer.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use container_tracker::event::Event;
use container_tracker::link::timing::Timing;
use support::proxy::Weather;
use support::scene::{Scene, fast};
use tokio::time::sleep;
use tracker_protocol::BackoffPolicy;

/// The agent has seen everything once.
const WARM: usize = 200;
/// Flaps in a usual run.
const USUAL: usize = 2000;
/// What may be added meanwhile by the allocator's whims and the emulator. Whoever keeps a TLS connection, an MQTT
/// client or their buffers (10 KiB) for every flap needs more.
const SLACK_KIB: usize = 4 * 1024;

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Connections that ended or never came about.
fn flaps(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Lost { .. } | Event::ConnectLater { .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_while_the_link_flaps() {
    let wanted = std::env::var("FAULT_FLAPS").map_or(USUAL, |text| text.parse().expect("a number"));
    // No growing waits: as many flaps as there is time for.
    let attempts = BackoffPolicy {
        floor: Duration::from_millis(1),
        first: Duration::from_millis(2),
        cap: Duration::from_millis(2),
        stable: Duration::from_hours(1),
    };
    let scene = Scene::new(
        1,
        Timing { attempts, throttled_first: attempts.first, nobody_listens: attempts, ..fast() },
    )
    .await;
    let mut agent = scene.agent();
    agent.wait_for_words("online at").await;
    let mut warm = 0;
    let mut done = 0;
    let mut weathers = [Weather::Cut, Weather::Reset, Weather::Refuse].into_iter().cycle();
    while done < wanted + WARM {
        // Long enough for a session to begin, and for attempts to fail.
        scene.proxy.set(Weather::Fair);
        sleep(Duration::from_millis(30)).await;
        scene.proxy.set(weathers.next().unwrap());
        sleep(Duration::from_millis(20)).await;
        done += flaps(&agent.take_events());
        scene.forget();
        if warm == 0 && done >= WARM {
            warm = resident_kib();
        }
    }
    let after = resident_kib();
    println!("{done} flaps, {} connections: {warm} KiB, then {after} KiB", scene.proxy.counts().accepted());
    assert!(after <= warm + SLACK_KIB, "{done} flaps: {warm} KiB, then {after} KiB");
    scene.heal();
    agent.wait_for_words("online at").await;
    agent.stop().await;
}
