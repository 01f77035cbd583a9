//! A fleet of which nobody can read every line: a line a second.

use std::time::{Duration, Instant};

/// From so many devices on.
pub(super) const FROM: usize = 20;
/// So often.
const EVERY: Duration = Duration::from_secs(1);
/// What is loud is told one by one, so often in a second.
const LOUD: u64 = 5;

/// What has come since the last line.
#[derive(Debug, Default)]
pub(super) struct Summary {
    since: Option<Instant>,
    pub(super) readings: u64,
    loud: u64,
}

/// What a line has to tell of that time.
pub(super) struct Told {
    pub(super) per_second: f64,
    /// Warnings that were not shown.
    pub(super) held_back: u64,
}

impl Summary {
    /// Whether something loud is told by itself.
    pub(super) fn tells(&mut self) -> bool {
        self.loud += 1;
        self.loud <= LOUD
    }

    /// What is to be told now, where it is time.
    pub(super) fn due(&mut self, now: Instant, is_last: bool) -> Option<Told> {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        let is_due = passed >= EVERY || (is_last && self.readings > 0);
        is_due.then(|| {
            // What came in less than a second is told as what came in one.
            let seconds = passed.max(EVERY).as_secs_f64();
            let told = Told {
                per_second: self.readings as f64 / seconds,
                held_back: self.loud.saturating_sub(LOUD),
            };
            *self = Self { since: Some(now), ..Self::default() };
            told
        })
    }
}
