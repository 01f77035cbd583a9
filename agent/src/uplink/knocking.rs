//! How soon a server is tried again of which nothing is heard, or that takes no TCP connection. Neither costs it
//! anything: there is no TLS, and no session. So an outage ends nearly when the network is back.

use std::time::Duration;

use tracker_protocol::{Backoff, fraction};

use crate::link::dial::Probe;
use crate::link::timing::Timing;

/// A probe is sent every [`Timing::probe_every`] for so long,
const SOON: Duration = Duration::from_mins(10);
/// and ever more rarely until the silence is so old.
const SELDOM_AFTER: Duration = Duration::from_hours(1);
/// Then they are so many times as far apart.
const SELDOM: f64 = 6.25;
/// Each eighth probe waits for an answer that takes longer than a second.
const LONG: u32 = 8;
/// Instead of each of so many, everything is tried that an attempt can: all addresses, and with patience.
const THOROUGH: u32 = 64;
/// A kernel sends a SYN again when the connection has waited so long, in seconds.
const RESENT: [u64; 4] = [1, 3, 7, 15];

/// Nobody answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    since: Duration,
    /// When it was tried last.
    tried_at: Duration,
    tries: u32,
}

impl Silence {
    /// A silence that is noticed by an attempt that began then.
    pub(super) fn new(since: Duration) -> Self {
        Self { since, tried_at: since, tries: 0 }
    }

    /// When to try again after a try that was made between these times.
    pub(super) fn again(&mut self, began: Duration, now: Duration, jitter: f64, timing: &Timing) -> Duration {
        self.tried_at = began.min(now);
        self.tries = self.tries.saturating_add(1);
        let took = now.saturating_sub(self.tried_at);
        let sent = 1 + RESENT.iter().filter(|after| took >= Duration::from_secs(**after)).count() as u32;
        let every = self.every(now, timing.probe_every);
        // Spread by a fifth, the mean as it is.
        let spread = (every - every / 10).saturating_add(fraction(every / 5, jitter));
        let gap = spread.max(timing.probe_every.saturating_mul(sent));
        self.tried_at.saturating_add(gap).max(now)
    }

    /// When to try again as a link has come up.
    pub(super) fn link_is_up(&self, now: Duration, timing: &Timing) -> Duration {
        now.max(self.tried_at.saturating_add(timing.probe_every))
    }

    /// How far probes are apart.
    fn every(&self, now: Duration, at_first: Duration) -> Duration {
        let grows = SELDOM_AFTER.saturating_sub(SOON).as_secs_f64();
        let grown = now.saturating_sub(self.since).saturating_sub(SOON).as_secs_f64() / grows;
        at_first.mul_f64(1.0 + (SELDOM - 1.0) * grown.min(1.0))
    }

    /// What to try next: a probe, or everything.
    pub(super) fn probe(&self, now: Duration, timing: &Timing) -> Option<Probe> {
        let every = self.every(now, timing.probe_every);
        if self.tries.is_multiple_of(THOROUGH) {
            None
        } else {
            Some(Probe { is_long: self.tries.is_multiple_of(LONG), every })
        }
    }
}

/// Nobody listens: the machine answers, and takes no connection.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    since: Duration,
    backoff: Backoff,
}

impl Closed {
    /// Refused for the first time.
    pub(super) fn new(since: Duration, timing: &Timing) -> Self {
        Self { since, backoff: Backoff::new(timing.nobody_listens) }
    }

    /// How long to wait before the next attempt.
    pub(super) fn failed(&mut self, now: Duration, jitter: f64, timing: &Timing) -> Duration {
        if now.saturating_sub(self.since) < timing.nobody_listens_soon {
            self.backoff.reset();
        }
        self.backoff.failed(now, jitter)
    }
}
