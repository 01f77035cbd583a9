//! How long to wait before the next attempt, as a pure function of (time, failures, chance).

use std::time::Duration;

/// The bounds of a [`Backoff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// No wait is shorter.
    pub floor: Duration,
    /// The longest wait after the first failure; it doubles with every further one.
    pub first: Duration,
    /// No wait is longer.
    pub cap: Duration,
    /// A connection that lasted this long was a good one: the next failure counts as the first again.
    pub stable: Duration,
}

/// Exponential backoff with full jitter that forgets only after a stable spell.
///
/// A connection that breaks soon after it was made goes on where the backoff stood, so a link that flaps is not
/// hammered.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
    online_since: Option<Duration>,
}

impl Backoff {
    /// A backoff that has seen no failure.
    pub fn new(policy: BackoffPolicy) -> Self {
        Self { policy, failures: 0, online_since: None }
    }

    /// The connection stands since `now`.
    pub fn connected(&mut self, now: Duration) {
        self.online_since = Some(now);
    }

    /// An attempt failed or the connection broke at `now`: how long to wait before the next attempt, drawn evenly
    /// between the floor and the doubled bound. `jitter` is a random number in `0.0..1.0`.
    pub fn failed(&mut self, now: Duration, jitter: f64) -> Duration {
        self.failed_from(self.policy.first, now, jitter)
    }

    /// As [`Self::failed`], where the longest wait after a first failure is another one.
    pub fn failed_from(&mut self, first: Duration, now: Duration, jitter: f64) -> Duration {
        if let Some(since) = self.online_since.take()
            && now.saturating_sub(since) >= self.policy.stable
        {
            self.failures = 0;
        }
        let bound = first.saturating_mul(1 << self.failures.min(20)).min(self.policy.cap);
        self.failures = self.failures.saturating_add(1);
        let floor = self.policy.floor.min(bound);
        floor.saturating_add(fraction(bound - floor, jitter))
    }

    /// Failures since the last stable spell.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets all failures: there is news (a changed certificate, an operator's word) that makes the next attempt
    /// a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
        self.online_since = None;
    }
}

/// So much of `wait`: `part` is a number in `0.0..1.0`; anything else is no fraction, and the whole wait is given.
pub fn fraction(wait: Duration, part: f64) -> Duration {
    // By hand, as `mul_f64` panics where a rounded product does not fit.
    Duration::try_from_secs_f64(wait.as_secs_f64() * part).map_or(wait, |fraction| fraction.min(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BackoffPolicy = BackoffPolicy {
        floor: Duration::from_secs(1),
        first: Duration::from_secs(5),
        cap: Duration::from_mins(5),
        stable: Duration::from_mins(1),
    };

    fn longest(backoff: &mut Backoff, now: u64) -> u64 {
        backoff.failed(Duration::from_secs(now), 1.0).as_secs()
    }

    #[test]
    fn doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(POLICY);
        let waits: Vec<u64> = (0..9).map(|_| longest(&mut backoff, 0)).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn jitter_spans_the_whole_range_above_the_floor() {
        let mut backoff = Backoff::new(POLICY);
        assert_eq!(backoff.failed(Duration::ZERO, 0.0), POLICY.floor);
        assert_eq!(backoff.clone().failed(Duration::ZERO, 0.5), Duration::from_millis(5500));
    }

    #[test]
    fn no_fraction_is_longer_than_the_whole() {
        assert_eq!(fraction(Duration::from_secs(8), 0.25), Duration::from_secs(2));
        for part in [0.0, 0.3, 1.0 - f64::EPSILON, 1.0, 7.0, f64::NAN, f64::INFINITY, -1.0] {
            for whole in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                assert!(fraction(whole, part) <= whole, "{part} of {whole:?}");
            }
        }
    }

    #[test]
    fn forgets_only_after_a_stable_spell() {
        let mut backoff = Backoff::new(POLICY);
        for _ in 0..4 {
            backoff.failed(Duration::ZERO, 0.5);
        }
        backoff.connected(Duration::from_secs(100));
        assert_eq!(longest(&mut backoff, 159), 80, "59 s are not stable");
        backoff.connected(Duration::from_secs(200));
        assert_eq!(longest(&mut backoff, 260), 5, "60 s are");
    }
}
