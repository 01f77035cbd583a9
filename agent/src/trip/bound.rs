//! One bound over a trip: how long beyond it, how long without a break, and how long not beyond it without a break.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::numbers::seconds;
use super::spread::Spread;
use super::timeline::Held;
use crate::platform::clock::rfc3339;

/// On which side is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Side {
    Below,
    Above,
}

/// A time without a break: how long the present one is, and the longest, with its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Unbroken {
    from_ms: i64,
    ms: i64,
    longest_from_ms: i64,
    longest_ms: i64,
}

impl Unbroken {
    fn hold(&mut self, held: Option<Held>) {
        let Some(Held { from_ms, ms }) = held else {
            self.ms = 0;
            return;
        };
        if self.ms == 0 {
            self.from_ms = from_ms;
        }
        self.ms += ms;
        if self.ms > self.longest_ms {
            (self.longest_from_ms, self.longest_ms) = (self.from_ms, self.ms);
        }
    }

    /// Its beginning as text; `None` where there was none.
    fn from(&self) -> Option<String> {
        let from = (self.longest_ms > 0).then_some(self.longest_from_ms)?;
        DateTime::from_timestamp_millis(from).map(rfc3339)
    }
}

/// What is known of one bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bound {
    side: Side,
    limit: f64,
    beyond_ms: i64,
    beyond: Unbroken,
    within: Unbroken,
    /// Of readings that were beyond at times: nobody knows for how long.
    #[serde(default, skip_serializing_if = "is_zero")]
    partly_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

impl Bound {
    pub(super) fn new(side: Side, limit: f64) -> Self {
        Self {
            side,
            limit,
            beyond_ms: 0,
            beyond: Unbroken::default(),
            within: Unbroken::default(),
            partly_ms: 0,
        }
    }

    /// It was between these values for so long; `None`: it is not known, or not how long.
    pub(super) fn hold(&mut self, held: Option<(Spread, Held)>) {
        let is_beyond = |value: f64| match self.side {
            Side::Below => value < self.limit,
            Side::Above => value > self.limit,
        };
        let beyond = held.map(|(Spread { min, max, .. }, _)| [is_beyond(min), is_beyond(max)]);
        let held_while =
            |beyond_is: [bool; 2]| held.filter(|_| beyond == Some(beyond_is)).map(|(_, held)| held);
        let (beyond, within) = (held_while([true; 2]), held_while([false; 2]));
        if beyond.or(within).is_none() {
            self.partly_ms += held.map_or(0, |(_, held)| held.ms);
        }
        self.beyond_ms += beyond.map_or(0, |held| held.ms);
        self.beyond.hold(beyond);
        self.within.hold(within);
    }

    pub(super) fn report(&self) -> Value {
        let mut report = json!({
            "limit": self.limit,
            "beyondSeconds": seconds(self.beyond_ms),
            "longestBeyondSeconds": seconds(self.beyond.longest_ms),
            "longestBeyondFrom": self.beyond.from(),
            "longestWithinSeconds": seconds(self.within.longest_ms),
            "longestWithinFrom": self.within.from(),
        });
        if self.partly_ms > 0 {
            report["partlyBeyondSeconds"] = seconds(self.partly_ms);
        }
        report
    }
}
