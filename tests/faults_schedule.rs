//! Random troubles of network and cloud, from a seed: at the end every reading has arrived, and nothing leaked.
//!
//! `FAULT_SEEDS=200` plays more seeds, `FAULT_FIRST_SEED=17` begins with another one.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use container_tracker::config::DeliveryMode;
use support::proxy::Weather;
use support::scene::{Scene, Tally, fast};
use support::schedule::{Chance, play, steps};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Troubles in a schedule.
const STEPS: usize = 8;
/// Schedules played side by side.
const AT_ONCE: usize = 12;
/// Seeds in a usual run.
const USUAL: u64 = 12;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

async fn seed(seed: u64) -> Tally {
    let mut chance = Chance::new(!seed);
    let mut scene = Scene::new(1, fast()).await;
    // With and without batches the window holds different numbers of readings.
    scene.config.delivery = DeliveryMode {
        batch_backlog: chance.below(2) == 0,
        gzip: chance.below(2) == 0,
        full_properties: false,
        compact: false,
    };
    scene.prefill(chance.one_of(&[0, 400, 2000])).await;
    // A round trip keeps the window full, so that troubles meet readings under way.
    let latency = chance.between_ms(1, 100);
    let usual = Weather::Slow { latency, stall_every: 0, stall: Duration::ZERO };
    let agent = scene.agent();
    if chance.below(4) > 0 {
        scene.recovered(Duration::from_secs(10)).await;
    }
    play(&scene, usual, &steps(seed, STEPS)).await;
    let tally = scene.finish(agent).await;
    println!("seed {seed}: {tally:?}");
    tally
}

/// File descriptors and tasks of this process.
fn holdings() -> (usize, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    (descriptors, Handle::current().metrics().num_alive_tasks())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_every_reading_arrives_and_nothing_leaks() {
    let first = number("FAULT_FIRST_SEED", 1);
    let count = number("FAULT_SEEDS", USUAL);
    let before = holdings();
    let mut running = JoinSet::new();
    let mut total = Tally::default();
    for next in first..first + count {
        if running.len() == AT_ONCE {
            total += running.join_next().await.unwrap().unwrap();
        }
        running.spawn(async move {
            println!("seed {next} begins");
            seed(next).await
        });
    }
    while let Some(tally) = running.join_next().await {
        total += tally.unwrap();
    }
    println!("{count} seeds, {} troubles: {total:?}", count * STEPS as u64);

    let start = Instant::now();
    while holdings().0 > before.0 || holdings().1 > before.1 {
        let (now, patience) = (holdings(), Duration::from_mins(1));
        assert!(start.elapsed() < patience, "descriptors and tasks: {before:?} before, {now:?} after");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(total.lost_connections > 0, "no trouble was any trouble: {total:?}");
}
