//! Waits on the kernel's timer. One process has one, so all that is tried stands in one test.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracker_timers::{Elapsed, sleep, sleep_about, sleep_until, timeout, timeout_at, use_the_kernel};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_hours(1);

/// How often this thread has slept.
fn wakes() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn waits_end_in_their_order_and_wake_once() {
    use_the_kernel().unwrap();
    use_the_kernel().unwrap();
    let begun = Instant::now();
    sleep(SHORT).await;
    assert!(begun.elapsed() >= SHORT);
    sleep(Duration::ZERO).await;
    sleep_until(begun).await;

    // The later one is asked for first.
    let order = Arc::new(AtomicU32::new(0));
    let place = |after| {
        let order = order.clone();
        async move {
            sleep(after).await;
            order.fetch_add(1, Ordering::Relaxed)
        }
    };
    let (third, first, second) = tokio::join!(place(3 * SHORT), place(SHORT), place(2 * SHORT));
    assert_eq!([first, second, third], [0, 1, 2]);

    // Given up, set back and set forth.
    assert_eq!(timeout(SHORT, sleep(LONG)).await, Err(Elapsed));
    assert_eq!(timeout_at(Instant::now() + LONG, async { 7 }).await, Ok(7));
    assert_eq!(timeout(Duration::MAX, async { 7 }).await, Ok(7));
    let mut wait = sleep(LONG);
    assert_eq!(timeout(SHORT, &mut wait).await, Err(Elapsed));
    wait.reset(Instant::now() + SHORT);
    (&mut wait).await;
    (&mut wait).await;
    let moved = Instant::now() + SHORT;
    wait.reset(Instant::now() + Duration::from_millis(1));
    assert_eq!(timeout(Duration::ZERO, &mut wait).await, Err(Elapsed));
    wait.reset(moved);
    wait.await;
    assert!(Instant::now() >= moved);

    // Another task may take a wait over: the last who asked is woken.
    let notify = Arc::new(Notify::new());
    let mut wait = Box::pin(sleep(3 * SHORT));
    assert_eq!(timeout(SHORT, &mut wait).await, Err(Elapsed));
    let told = notify.clone();
    tokio::spawn(async move {
        wait.await;
        told.notify_one();
    });
    notify.notified().await;

    // What has time comes along with what has none, and all in one wake. tokio's own timers take two for each.
    let before = wakes();
    let about = Duration::from_millis(400);
    let all = async {
        tokio::join!(sleep_about(about), sleep_about(about), sleep(about + Duration::from_millis(10)));
    };
    all.await;
    assert!(wakes() - before <= 1);
}
