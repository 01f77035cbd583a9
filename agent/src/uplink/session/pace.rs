//! How often something may be done that others ask for.

use std::time::Duration;

use tokio::time::Instant;

/// So many times at once.
const BURST: u32 = 5;
/// And then so often.
const EVERY: Duration = Duration::from_secs(1);
/// The burst is over when so much of the future is used up.
const AHEAD: Duration = Duration::from_secs(EVERY.as_secs() * (BURST as u64 - 1));

/// A few times at once, then at intervals; what was not used is saved up to those few.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the whole burst is free again.
    full: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { full: Instant::now() }
    }

    /// Whether it may be done now; then it counts as done.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let may = self.full <= now + AHEAD;
        if may {
            self.full = self.full.max(now) + EVERY;
        }
        may
    }

    /// When it may be done.
    pub(super) fn next(&self) -> Instant {
        let now = Instant::now();
        // Nothing is taken away from a clock that may be at its beginning.
        now + self.full.saturating_duration_since(now + AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_at_once_and_then_one_a_second() {
        let mut pace = Pace::new();
        let mut taken = 0;
        for _ in 0..1000 {
            taken += u32::from(pace.take());
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert!((14..=15).contains(&taken), "{taken}");
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!((0..10).filter(|_| pace.take()).count(), 5);
        assert_eq!(pace.next() - Instant::now(), Duration::from_secs(1));
    }
}
