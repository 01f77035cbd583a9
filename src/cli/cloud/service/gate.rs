//! A service that is asked too often (429) says how long to wait: all its callers then wait before one gate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A call is made so many times more, before it fails.
pub(super) const MOST_WAITS: u32 = 8;

/// What a service may ask for at the most.
const LONGEST: Duration = Duration::from_mins(2);

/// How often who waits looks whether it is of use.
const LOOK: Duration = Duration::from_millis(100);

/// Open, or closed until a time.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: Mutex<Option<Instant>>,
    is_left: AtomicBool,
}

impl Gate {
    /// Waits until it is open. Whether it is: nobody waits any more once it is left.
    pub(super) fn pass(&self) -> bool {
        while let Some(left) = self.left() {
            if self.is_left.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(left.min(LOOK));
        }
        true
    }

    /// Who waits goes away.
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// Closes it as long as the service has asked for, else twice as long each time that it has asked before.
    pub(super) fn close(&self, asked_before: u32, retry_after: Option<Duration>) {
        let time = retry_after.unwrap_or(Duration::from_secs(1 << asked_before.min(6))).min(LONGEST);
        let until = Instant::now() + time;
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |known| known.max(until)));
    }

    /// Whether callers wait.
    pub(super) fn is_closed(&self) -> bool {
        self.left().is_some()
    }

    fn left(&self) -> Option<Duration> {
        let closed = *self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed_as_long_as_was_asked_and_never_for_ever() {
        let gate = Gate::default();
        assert!(gate.pass());
        gate.close(0, Some(Duration::ZERO));
        assert!(!gate.is_closed());
        gate.close(0, Some(Duration::from_millis(20)));
        assert!(gate.pass() && !gate.is_closed());
        gate.close(0, Some(Duration::MAX));
        gate.close(40, None);
        assert!(gate.left().is_some_and(|left| left <= LONGEST));
        gate.leave();
        assert!(!gate.pass(), "and who is told to go does not wait");
    }
}
