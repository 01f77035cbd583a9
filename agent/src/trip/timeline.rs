//! How long one reading stands: until the next, told by their times.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::numbers::seconds;

/// When a reading was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum When {
    /// Milliseconds since 1970, UTC.
    Utc(i64),
    /// Milliseconds since the boot of the machine; the time will never be known.
    Uptime(i64),
}

impl When {
    pub(super) fn utc_ms(self) -> Option<i64> {
        match self {
            Self::Utc(ms) => Some(ms),
            Self::Uptime(_) => None,
        }
    }
}

/// A time during which a reading stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// When it began, in milliseconds since 1970, or where no time was ever known, since the first reading.
    pub(super) from_ms: i64,
    pub(super) ms: i64,
}

/// Where the trip is in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Timeline {
    last: Option<When>,
    now_ms: i64,
    /// `now_ms` is of UTC.
    absolute: bool,
}

/// Times of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gaps {
    count: u64,
    longest_ms: i64,
    total_ms: i64,
    /// Those of them whose length nobody knows.
    unknown: u64,
}

impl Timeline {
    /// Goes on to the next reading. How long the last one stood; `None` where there was none, or a gap, which is counted.
    pub(super) fn advance(&mut self, when: When, gap_after_ms: i64, gaps: &mut Gaps) -> Option<Held> {
        let (from_ms, was_absolute) = (self.now_ms, self.absolute);
        let last = self.last.replace(when);
        let elapsed = match (last, when) {
            (Some(When::Utc(last)), When::Utc(now)) => (now >= last).then(|| now - last),
            (Some(When::Uptime(last)), When::Uptime(now)) => (now >= last).then(|| now - last),
            _ => None,
        };
        match when {
            When::Utc(now) => (self.now_ms, self.absolute) = (now, true),
            When::Uptime(_) => self.now_ms += elapsed.unwrap_or(0),
        }
        last?;
        match elapsed {
            Some(ms) if ms <= gap_after_ms => return Some(Held { from_ms, ms }),
            Some(ms) => gaps.add(Some(ms)),
            // Time that begins to be known tells how long it was not.
            None => {
                let begins = was_absolute && matches!((last, when), (Some(When::Uptime(_)), When::Utc(_)));
                gaps.add(begins.then(|| self.now_ms - from_ms).filter(|ms| *ms >= 0));
            }
        }
        None
    }
}

impl Gaps {
    fn add(&mut self, ms: Option<i64>) {
        self.count += 1;
        self.unknown += u64::from(ms.is_none());
        let ms = ms.unwrap_or(0);
        self.longest_ms = self.longest_ms.max(ms);
        self.total_ms += ms;
    }

    pub(super) fn report(&self) -> Value {
        json!({
            "count": self.count,
            "longestSeconds": seconds(self.longest_ms),
            "totalSeconds": seconds(self.total_ms),
            "ofUnknownLength": self.unknown,
        })
    }
}
