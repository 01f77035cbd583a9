//! When a hub that acknowledges nothing is given up: a dead link soon, a slow one not.

use std::time::Duration;

use tokio::time::Instant;

use crate::link::{LinkError, LinkErrorKind};

/// How long acknowledgements are waited for.
#[derive(Debug)]
pub(super) struct Acknowledgement {
    /// Nothing acknowledged for so long: the link is dead.
    any_within: Duration,
    /// A window full of readings may take a minute over a slow link, and trickles; one that never comes among others that
    /// do is not to be waited for longer than this.
    each_within: Duration,
    /// The last one, or the beginning.
    came_at: Instant,
}

impl Acknowledgement {
    pub(super) fn new(any_within: Duration, each_within: Duration) -> Self {
        Self { any_within, each_within, came_at: Instant::now() }
    }

    /// One has come.
    pub(super) fn came(&mut self) {
        self.came_at = Instant::now();
    }

    /// When the link is given up if none comes until then. `oldest`: when the oldest was sent of what waits.
    pub(super) fn due(&self, oldest: Option<Instant>) -> Option<Instant> {
        let oldest = oldest?;
        Some((oldest.max(self.came_at) + self.any_within).min(oldest + self.each_within.max(self.any_within)))
    }

    /// Whether the link is alive, as far as is known.
    pub(super) fn judge(&self, oldest: Option<Instant>) -> Result<(), LinkError> {
        let now = Instant::now();
        let Some(oldest) = oldest.filter(|oldest| self.due(Some(*oldest)).is_some_and(|due| due <= now))
        else {
            return Ok(());
        };
        let nothing_for = now.duration_since(oldest.max(self.came_at));
        let why = if nothing_for >= self.any_within {
            format!("the hub has acknowledged nothing for {} s", self.any_within.as_secs())
        } else {
            format!("the hub has left a reading without acknowledgement for {} s", self.each_within.as_secs())
        };
        Err(LinkError { kind: LinkErrorKind::Outage, why })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::time::advance;

    use super::*;
    use crate::link::timing::Timing;

    fn acknowledgement() -> Acknowledgement {
        let timing = Timing::default();
        Acknowledgement::new(timing.acknowledge_within, timing.each_acknowledged_within)
    }

    /// Sends a reading every second; `acknowledges` says whether the oldest is acknowledged in this second. Seconds until
    /// the link is given up, and why.
    async fn given_up(length: u64, mut acknowledges: impl FnMut(u64) -> bool) -> Option<(u64, String)> {
        let mut acknowledgement = acknowledgement();
        let mut waiting = VecDeque::new();
        for second in 0..length {
            waiting.push_back(Instant::now());
            if acknowledges(second) && waiting.pop_front().is_some() {
                acknowledgement.came();
            }
            advance(Duration::from_secs(1)).await;
            if let Err(error) = acknowledgement.judge(waiting.front().copied()) {
                return Some((second + 1, error.why));
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_link_is_noticed_within_twenty_seconds() {
        for dies in [0, 1, 100] {
            let (noticed, why) = given_up(1000, |second| second < dies).await.unwrap();
            assert!(noticed - dies <= 18, "dead after {dies} s, noticed after {noticed} s");
            assert_eq!(why, "the hub has acknowledged nothing for 16 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_is_not_dead() {
        // A window of 128 KB, sent at once, over 2 KB a second: the last of them is acknowledged after a minute.
        let mut acknowledgement = acknowledgement();
        let sent_at = Instant::now();
        for kilobytes in (0..128).step_by(4) {
            advance(Duration::from_secs(2)).await;
            acknowledgement.judge(Some(sent_at)).unwrap_or_else(|error| panic!("{kilobytes} KB: {error}"));
            acknowledgement.came();
        }
        assert!(sent_at.elapsed() >= Duration::from_mins(1));
        assert_eq!(acknowledgement.due(None), None, "nothing waits");
        // And after a quiet hour the time begins with what is sent.
        advance(Duration::from_hours(1)).await;
        let sent_at = Instant::now();
        assert_eq!(acknowledgement.due(Some(sent_at)), Some(sent_at + Duration::from_secs(16)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_never_acknowledged_is_not_waited_for_for_ever() {
        let mut acknowledgement = acknowledgement();
        let sent_at = Instant::now();
        let mut passed = 0;
        let error = loop {
            acknowledgement.came();
            advance(Duration::from_secs(1)).await;
            passed += 1;
            if let Err(error) = acknowledgement.judge(Some(sent_at)) {
                break error;
            }
        };
        assert_eq!(
            (passed, &*error.why),
            (75, "the hub has left a reading without acknowledgement for 75 s")
        );
    }
}
