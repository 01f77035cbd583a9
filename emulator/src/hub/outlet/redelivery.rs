//! When something is tried again, and when given up.

use std::time::Duration;

use chrono::TimeDelta;

/// How long the waits between attempts are, as parts of the first: Event Grid has 10 s, 30 s, 1, 5, 10, 30 and 60 minutes, and
/// an hour from then on.
const STEPS: [u32; 7] = [1, 3, 6, 30, 60, 180, 360];

/// When something is tried again, and when given up.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Redelivery {
    /// The wait after the first attempt.
    pub first_wait: Duration,
    pub max_attempts: u32,
    pub time_to_live: TimeDelta,
}

impl Redelivery {
    /// The wait after so many attempts, with up to a tenth of chance.
    pub(super) fn wait(&self, attempts: u32) -> Duration {
        let step = STEPS.get(attempts.saturating_sub(1) as usize).or(STEPS.last()).copied().unwrap_or(1);
        (self.first_wait * step).mul_f64(rand::random_range(1.0..1.1))
    }
}
