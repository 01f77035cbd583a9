//! Bouncing told from opening, with the time as a parameter.

use std::time::Duration;

/// The door is open or closed, and stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whether it is open now.
    pub open: bool,
    /// When the level that lasted began.
    pub at: Duration,
}

/// Lets a level count once it has lasted for a period.
///
/// It goes by the times of the edges alone, so it is all the same how late they are read: a level that lasted is seen
/// even if the edge that ended it is read together with the one that began it. Times must not go backwards.
#[derive(Debug, Clone)]
pub struct Debouncer {
    period: Duration,
    settled: bool,
    level: bool,
    since: Duration,
}

impl Debouncer {
    /// Begins with a level that counts already. With no period every edge counts.
    pub fn new(period: Duration, open: bool) -> Self {
        Self { period, settled: open, level: open, since: Duration::ZERO }
    }

    /// Takes an edge, and says what settled before it or, without a period, by it.
    pub fn edge(&mut self, open: bool, at: Duration) -> Option<Change> {
        let before = self.tick(at);
        // An edge to the level that was there already: it was away in between, and has lasted since now only.
        self.level = open;
        self.since = at;
        before.or_else(|| if self.period.is_zero() { self.tick(at) } else { None })
    }

    /// Takes an edge before which others were lost: how long the level before it lasted nobody knows, so that counts as
    /// bouncing.
    pub fn edge_after_gap(&mut self, open: bool, at: Duration) -> Option<Change> {
        self.since = at;
        self.edge(open, at)
    }

    /// Says what has settled by `now`.
    pub fn tick(&mut self, now: Duration) -> Option<Change> {
        if self.deadline()? > now {
            return None;
        }
        self.settled = self.level;
        Some(Change { open: self.level, at: self.since })
    }

    /// When the level will count, if nothing comes in between.
    pub fn deadline(&self) -> Option<Duration> {
        (self.level != self.settled).then(|| self.since + self.period)
    }

    /// The level that counts.
    pub fn settled(&self) -> bool {
        self.settled
    }

    /// The level after the last edge.
    pub fn level(&self) -> bool {
        self.level
    }
}
