//! How fast devices come: so many handshakes at a time, so many registrations a minute, and none while the service wants a rest.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// The pace of one program.
#[derive(Debug)]
pub(super) struct Pacer {
    places: Semaphore,
    /// Between two registrations.
    apart: Duration,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    /// When the next registration may begin.
    next: Instant,
    /// Nobody asks before.
    closed_until: Instant,
}

impl Pacer {
    /// So many at a time; `a_minute` is how many registrations, where that is bounded.
    pub(super) fn new(at_once: usize, a_minute: Option<f64>) -> Self {
        let now = Instant::now();
        let apart = a_minute.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(60.0 / rate.max(0.001)));
        let times = Mutex::new(Times { next: now, closed_until: now });
        Self { places: Semaphore::new(at_once.max(1)), apart, times }
    }

    /// Waits for a place for a handshake, which is free again once it is dropped.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }

    /// Waits until a registration may begin.
    pub(super) async fn registration(&self) {
        let mut turn = {
            let mut times = self.lock();
            let turn = times.next.max(times.closed_until).max(Instant::now());
            times.next = turn + self.apart;
            turn
        };
        loop {
            sleep_until(turn).await;
            let closed_until = self.lock().closed_until;
            if closed_until <= Instant::now() {
                return;
            }
            // All that waited come one after the other, as before.
            let mut times = self.lock();
            turn = times.next.max(closed_until);
            times.next = turn + self.apart;
        }
    }

    /// The service wants to be left alone so long.
    pub(super) fn hold(&self, wait: Duration) {
        let mut times = self.lock();
        times.closed_until = times.closed_until.max(Instant::now() + wait);
    }

    /// Whether it wants that now.
    pub(super) fn is_held(&self) -> bool {
        self.lock().closed_until > Instant::now()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn registrations_keep_their_distance_and_wait_while_the_service_wants_a_rest() {
        let pacer = Pacer::new(4, Some(60.0));
        let begun = Instant::now();
        for expected in [0, 1, 2] {
            pacer.registration().await;
            assert_eq!(begun.elapsed().as_secs(), expected);
        }
        pacer.hold(Duration::from_secs(10));
        assert!(pacer.is_held());
        pacer.registration().await;
        assert_eq!(begun.elapsed().as_secs(), 12);
        pacer.registration().await;
        assert_eq!((begun.elapsed().as_secs(), pacer.is_held()), (13, false));
    }
}
