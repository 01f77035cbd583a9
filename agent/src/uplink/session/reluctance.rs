//! What becomes of a message that the hub does not take, although the connection stands: a pure function of (time, refusal).
//!
//! | the hub says | this message | the others |
//! |---|---|---|
//! | it is busy, or its quota is used up | is sent again after a wait, from a second to a minute | wait too |
//! | it is not wanted (topic, rights) | is sent again after five minutes, up to an hour | go on; after three refusals in a row they wait too |
//! | it is too large, or not well-formed | its readings are sent each for itself | go on, one by one |
//! | the same of a reading by itself | is given up, and told | go on |
//!
//! What is sent again is asked of the journal anew, once nothing is in flight.

use std::time::Duration;

use tokio::time::Instant;
use tracker_protocol::{Backoff, BackoffPolicy};

use crate::link::RefusalKind;

/// So many messages in a row that are not wanted: none is.
const IN_A_ROW: u32 = 3;
/// Waits while the hub takes nothing,
const BUSY: BackoffPolicy = BackoffPolicy {
    floor: Duration::from_secs(1),
    first: Duration::from_secs(2),
    cap: Duration::from_mins(1),
    stable: Duration::from_mins(1),
};
/// and while it does not want a message.
const UNWANTED: BackoffPolicy = BackoffPolicy {
    floor: Duration::from_mins(5),
    first: Duration::from_mins(10),
    cap: Duration::from_hours(1),
    stable: Duration::from_mins(1),
};

/// What becomes of a refused message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is sent again, as it is.
    Again,
    /// Its readings are sent one by one.
    OneByOne,
    /// It can never be taken.
    GivenUp,
}

/// How far the hub takes messages.
#[derive(Debug)]
pub(super) struct Reluctance {
    begun: Instant,
    busy: Backoff,
    unwanted: Backoff,
    in_a_row: u32,
    /// What was put off is sent again then, with all that has come meanwhile.
    again: Option<Instant>,
    /// Nothing is sent until then.
    pauses: bool,
    /// No two readings share a message.
    one_by_one: bool,
}

impl Reluctance {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            busy: Backoff::new(BUSY),
            unwanted: Backoff::new(UNWANTED),
            in_a_row: 0,
            again: None,
            pauses: false,
            one_by_one: false,
        }
    }

    /// The hub has not taken a message with so many readings.
    pub(super) fn refused(&mut self, kind: RefusalKind, readings: usize, jitter: f64) -> Fate {
        let now = Instant::now();
        let since = now.duration_since(self.begun);
        match kind {
            RefusalKind::Busy => {
                // Messages that were under way together are refused together, and are one refusal.
                if !self.pauses {
                    self.pauses = true;
                    let wait = self.busy.failed(since, jitter);
                    self.put_off(now + wait);
                }
                Fate::Again
            }
            RefusalKind::Unwanted => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                if self.again.is_none() {
                    self.again = Some(now + self.unwanted.failed(since, jitter));
                }
                self.pauses |= self.in_a_row >= IN_A_ROW;
                Fate::Again
            }
            RefusalKind::TooLarge | RefusalKind::Impossible if readings > 1 => {
                self.one_by_one = true;
                self.put_off(now);
                Fate::OneByOne
            }
            RefusalKind::TooLarge | RefusalKind::Impossible => Fate::GivenUp,
        }
    }

    fn put_off(&mut self, until: Instant) {
        self.again = Some(self.again.map_or(until, |again| again.min(until)));
    }

    /// The hub has taken a message.
    pub(super) fn taken(&mut self) {
        self.in_a_row = 0;
        if self.again.is_none() {
            self.busy.reset();
            self.unwanted.reset();
        }
    }

    /// Whether messages may be sent now. None may while what was put off is due, until nothing is in flight.
    pub(super) fn sends(&self) -> bool {
        !self.pauses && !self.is_due()
    }

    /// Whether what was put off is to be sent again.
    pub(super) fn is_due(&self) -> bool {
        self.again.is_some_and(|again| again <= Instant::now())
    }

    /// When it is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.again.filter(|_| !self.is_due())
    }

    /// It is asked of the journal anew.
    pub(super) fn renewed(&mut self) {
        self.again = None;
        self.pauses = false;
        self.in_a_row = 0;
    }

    /// Whether each reading has to be a message of its own.
    pub(super) fn one_by_one(&self) -> bool {
        self.one_by_one
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_hub_is_given_time_and_ever_more_of_it() {
        let mut reluctance = Reluctance::new();
        let mut waits = Vec::new();
        for _ in 0..8 {
            // All that was under way together is refused.
            for _ in 0..32 {
                assert_eq!(reluctance.refused(RefusalKind::Busy, 9, 1.0), Fate::Again);
            }
            assert!(!reluctance.sends());
            let wait = reluctance.due().unwrap() - Instant::now();
            waits.push(wait.as_secs());
            advance(wait).await;
            assert!(reluctance.is_due() && !reluctance.sends() && reluctance.due().is_none());
            reluctance.renewed();
            assert!(reluctance.sends() && !reluctance.one_by_one());
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        reluctance.taken();
        reluctance.refused(RefusalKind::Busy, 1, 1.0);
        assert_eq!(reluctance.due().unwrap() - Instant::now(), Duration::from_secs(2), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_that_is_not_wanted_does_not_hold_up_the_rest_and_three_do() {
        let mut reluctance = Reluctance::new();
        for _ in 0..10 {
            assert_eq!(reluctance.refused(RefusalKind::Unwanted, 1, 0.0), Fate::Again);
            assert!(reluctance.sends());
            reluctance.taken();
        }
        let due = reluctance.due().unwrap();
        assert_eq!(due - Instant::now(), Duration::from_mins(5), "the first of them is not put off again");
        for _ in 0..3 {
            assert_eq!(reluctance.refused(RefusalKind::Unwanted, 1, 0.0), Fate::Again);
        }
        assert!(!reluctance.sends());
        assert_eq!(reluctance.due(), Some(due));
        // A busy hub is asked sooner.
        reluctance.renewed();
        reluctance.refused(RefusalKind::Unwanted, 1, 0.0);
        reluctance.refused(RefusalKind::Busy, 1, 0.0);
        assert!(reluctance.due().unwrap() < due);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_large_shrinks_before_it_is_given_up() {
        for kind in [RefusalKind::TooLarge, RefusalKind::Impossible] {
            let mut reluctance = Reluctance::new();
            assert_eq!(reluctance.refused(kind, 1, 0.5), Fate::GivenUp);
            assert!(reluctance.sends() && !reluctance.one_by_one());
            assert_eq!(reluctance.refused(kind, 2, 0.5), Fate::OneByOne);
            assert!(reluctance.is_due() && reluctance.one_by_one());
            reluctance.renewed();
            assert!(reluctance.sends() && reluctance.one_by_one(), "for as long as the connection stands");
        }
    }
}
