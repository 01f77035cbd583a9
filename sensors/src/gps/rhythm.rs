//! How often a receiver speaks. Most do once a second; one that saves power does every ten or sixty.

use std::time::Duration;

/// A receiver that has not been heard yet may be one that speaks so seldom.
const UNHEARD: Duration = Duration::from_secs(15);
/// Epochs that come closer together belong to one report of a receiver, or were read together.
const TOGETHER: Duration = Duration::from_millis(500);
/// A longer gap is an outage.
const LONGEST: Duration = Duration::from_mins(1);

/// The gaps between the epochs of one receiver.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    last: Option<Duration>,
    /// The longest gap of late: a single long one is forgotten after some epochs.
    longest: Option<Duration>,
}

impl Rhythm {
    /// An epoch ended.
    pub(super) fn epoch(&mut self, now: Duration) {
        let Some(last) = self.last.replace(now) else { return };
        let gap = now.saturating_sub(last).min(LONGEST);
        let before = self.longest.unwrap_or_default();
        self.longest = Some(if gap < TOGETHER { before } else { gap.max(before.mul_f64(0.75)) });
    }

    /// When the last epoch ended.
    pub(super) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// `least`, or as long as two epochs and a half take where that is longer.
    pub(super) fn stretched(&self, least: Duration) -> Duration {
        least.max(self.longest.unwrap_or_default().mul_f64(2.5))
    }

    /// How long to wait before silence means something: `least` for a receiver that is known to speak more often.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        self.longest.map_or(UNHEARD.max(least), |_| self.stretched(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn patience_follows_the_receiver_and_forgets_an_outage() {
        let least = seconds(5);
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.patience(least), UNHEARD);
        for epoch in 0..5 {
            // Two epochs in each report.
            rhythm.epoch(seconds(12 * epoch));
            rhythm.epoch(seconds(12 * epoch) + Duration::from_millis(20));
        }
        assert!((seconds(29)..=seconds(30)).contains(&rhythm.patience(least)));

        let mut rhythm = Rhythm::default();
        for epoch in (0..5).chain(1000..1015) {
            rhythm.epoch(seconds(epoch));
            assert!(rhythm.patience(least) <= seconds(150));
        }
        assert_eq!(rhythm.patience(least), least);
        rhythm.epoch(seconds(1014));
        assert_eq!(rhythm.patience(least), least, "read late, with another");
    }
}
