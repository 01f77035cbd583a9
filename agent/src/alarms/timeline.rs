//! The time that alarms live by: it never jumps, and is tied over boots by what is known.
//!
//! Within a boot it is the monotonic time since that boot, moved by a constant. A restart of the program alone changes
//! nothing, also while the boot is not tied to the one before. A new boot goes on where the last one was when its state was last kept, and as much later as UTC says, if that
//! is known of both; else as much as has passed since the boot, which is the least that can have passed. Becomes UTC known
//! only then, the time does not jump: what happened before the boot is moved into the past instead, to where it was.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event_message::When;

/// A moment, as it is kept over a restart. Milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The machine's boot, by its name.
    boot: String,
    /// On this clock.
    at: i64,
    /// On the monotonic clock of that boot.
    monotonic: i64,
    /// UTC, where it was known.
    utc: Option<i64>,
    /// The end of the boot before, on this clock and in UTC, while it is not known how long ago that is.
    #[serde(rename = "last", default, skip_serializing_if = "Option::is_none")]
    last_boot: Option<(i64, Option<i64>)>,
}

/// The clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    boot: String,
    /// This time less the monotonic one.
    offset: i64,
    /// The last moment that is known of an earlier boot, while it is not known how long ago it was.
    last_boot: Option<i64>,
    /// Its UTC, from which that can become known.
    last_utc: Option<i64>,
}

/// What happened up to a moment happened earlier than was thought, by so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// The moment.
    pub before: i64,
    /// By so much.
    pub by: i64,
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Timeline {
    /// A clock that begins with this boot.
    pub fn new(boot: &str) -> Self {
        Self { boot: boot.into(), offset: 0, last_boot: None, last_utc: None }
    }

    /// A clock that goes on from a moment that was kept.
    pub fn after(kept: &Kept, boot: &str) -> Self {
        if kept.boot == boot {
            let (last_boot, last_utc) = kept.last_boot.unzip();
            let offset = kept.at - kept.monotonic;
            return Self { offset, last_boot, last_utc: last_utc.flatten(), ..Self::new(boot) };
        }
        Self { boot: boot.into(), offset: kept.at, last_boot: Some(kept.at), last_utc: kept.utc }
    }

    /// The time, and what is now known better of earlier boots.
    pub fn now(&mut self, monotonic: Duration, utc: Option<DateTime<Utc>>) -> (i64, Option<Shift>) {
        let known = self.last_boot.zip(self.last_utc).zip(utc);
        let shift = known.and_then(|((before, then), utc)| {
            (self.last_boot, self.last_utc) = (None, None);
            // UTC at the boot, less UTC then; a clock that was wrong in either may say anything.
            let by = utc.timestamp_millis() - ms(monotonic) - then;
            (by > 0).then_some(Shift { before, by })
        });
        (self.offset + ms(monotonic), shift)
    }

    /// When a moment was, as seen from `now`.
    pub fn when(&self, moment: i64, now: i64) -> When {
        let known = self.last_boot.zip(self.last_utc).filter(|(last, _)| moment <= *last);
        known.map_or(When::Ago(now - moment), |(last, utc)| When::Utc(utc - (last - moment)))
    }

    /// Whether it is not known how long ago a moment was.
    pub fn is_untied(&self, moment: i64) -> bool {
        self.last_boot.is_some_and(|last| moment <= last)
    }

    /// This moment, to be kept.
    pub fn keep(&self, monotonic: Duration, utc: Option<DateTime<Utc>>) -> Kept {
        let at = self.offset + ms(monotonic);
        // While the last boot is not tied, this one counts as its end.
        let by_last_boot = || Some(self.last_utc? + at - self.last_boot?);
        let utc = utc.map(|utc| utc.timestamp_millis()).or_else(by_last_boot);
        let last_boot = self.last_boot.map(|last| (last, self.last_utc));
        Kept { boot: self.boot.clone(), at, monotonic: ms(monotonic), utc, last_boot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn utc(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0)
    }

    #[test]
    fn it_does_not_jump_when_utc_becomes_known_or_changes() {
        let mut time = Timeline::new("a");
        assert_eq!(time.now(SECOND, None), (1000, None));
        assert_eq!(time.now(2 * SECOND, utc(0)), (2000, None));
        assert_eq!(time.now(3 * SECOND, utc(-900)), (3000, None));
    }

    #[test]
    fn a_restart_of_the_program_changes_nothing() {
        let mut time = Timeline::after(&Timeline::new("a").keep(5 * SECOND, None), "a");
        assert_eq!(time.now(65 * SECOND, None), (65_000, None));
    }

    #[test]
    fn a_boot_goes_on_and_what_was_before_it_moves_into_the_past_once_that_is_known() {
        let kept = Timeline::new("a").keep(100 * SECOND, utc(100));
        let mut time = Timeline::after(&kept, "b");
        assert_eq!(time.now(10 * SECOND, None), (110_000, None), "no less than since the boot");
        assert!(time.is_untied(100_000) && !time.is_untied(100_001));
        // An hour without power.
        let shift = Shift { before: 100_000, by: 3_600_000 };
        assert_eq!(time.now(20 * SECOND, utc(100 + 3600 + 20)), (120_000, Some(shift)));
        assert_eq!(time.now(21 * SECOND, utc(9999)), (121_000, None), "once");
    }

    #[test]
    fn a_restart_of_the_program_in_a_boot_without_utc_forgets_nothing_of_the_boot_before() {
        let kept = Timeline::new("a").keep(100 * SECOND, utc(100));
        let between = Timeline::after(&kept, "b").keep(10 * SECOND, None);
        let mut time = Timeline::after(&between, "b");
        assert!(time.is_untied(100_000) && !time.is_untied(100_001));
        let shift = Shift { before: 100_000, by: 3_600_000 };
        assert_eq!(time.now(20 * SECOND, utc(100 + 3600 + 20)), (120_000, Some(shift)));
        assert_eq!(time.keep(21 * SECOND, utc(100 + 3600 + 21)).last_boot, None);
    }

    #[test]
    fn what_an_earlier_version_has_kept_is_read() {
        let kept = r#"{"boot":"a","at":5000,"monotonic":4000,"utc":null}"#;
        assert_eq!(Timeline::after(&serde_json::from_str(kept).unwrap(), "a").offset, 1000);
    }

    #[test]
    fn a_boot_without_utc_between_two_with_it_costs_what_passed_before_it_and_no_more() {
        let first = Timeline::new("a").keep(100 * SECOND, utc(100));
        let between = Timeline::after(&first, "b").keep(50 * SECOND, None);
        let mut time = Timeline::after(&between, "c");
        // Seven minutes without power before b, which lasted 50 s, and ten before c.
        let shift = Shift { before: 150_000, by: (420 + 600) * 1000 };
        assert_eq!(time.now(SECOND, utc(100 + 420 + 50 + 600 + 1)), (151_000, Some(shift)));
    }

    #[test]
    fn a_clock_that_was_wrong_moves_nothing_into_the_future() {
        let kept = Timeline::new("a").keep(100 * SECOND, utc(9_999_999));
        assert_eq!(Timeline::after(&kept, "b").now(SECOND, utc(0)), (101_000, None));
    }
}
