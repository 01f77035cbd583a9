//! Slow and narrow lines, as faults ask for them.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::faults::{FaultKind, Faults, Place};

/// Packets on a slow line; more are not read until some have arrived.
const MAX_UNDER_WAY: usize = 1024;

/// The packets of one client, or messages of one link, that take their time.
#[derive(Debug)]
pub(crate) struct SlowLine<T> {
    under_way: VecDeque<(Instant, T)>,
}

impl<T> Default for SlowLine<T> {
    fn default() -> Self {
        Self { under_way: VecDeque::new() }
    }
}

impl<T> SlowLine<T> {
    /// Gives back a packet that arrives at once; one that is delayed, or behind one that is, comes by
    /// [`Self::arrived`].
    pub(crate) fn send(&mut self, now: Instant, packet: T, faults: &Faults, place: Place<'_>) -> Option<T> {
        let latency = faults.take(place, |kind| match kind {
            FaultKind::Latency { delay: latency } => Some(*latency),
            _ => None,
        });
        if latency.is_none() && self.under_way.is_empty() {
            return Some(packet);
        }
        let due = now + latency.unwrap_or_default();
        let last = self.under_way.back().map_or(due, |(last, _)| *last);
        self.under_way.push_back((due.max(last), packet));
        None
    }

    /// Whether further packets may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way.len() < MAX_UNDER_WAY
    }

    /// When the next packet arrives.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, _)| *due)
    }

    /// The next packet whose time has come.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<T> {
        if self.due()? > now {
            return None;
        }
        self.under_way.pop_front().map(|(_, packet)| packet)
    }
}

/// Counts the publishes of one client for [`FaultKind::Throttle`].
#[derive(Debug, Default)]
pub(crate) struct Throttle(VecDeque<Instant>);

impl Throttle {
    /// Counts one; tells whether it is too many.
    pub(crate) fn exceeded(&mut self, now: Instant, faults: &Faults, place: Place<'_>) -> bool {
        let allowed = faults.take(place, |kind| match kind {
            FaultKind::Throttle { per_second } => Some(*per_second as usize),
            _ => None,
        });
        let Some(allowed) = allowed else {
            self.0.clear();
            return false;
        };
        let second = Duration::from_secs(1);
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= second) {
            self.0.pop_front();
        }
        if self.0.len() >= allowed {
            return true;
        }
        self.0.push_back(now);
        false
    }
}
