//! Attempts that fail alike are made every few seconds, and told ever more rarely.

use std::time::Duration;

use crate::link::{LinkError, LinkErrorKind};

/// The second time after so long, and each time after twice as long as before,
const FIRST: Duration = Duration::from_mins(1);
/// up to this.
const RAREST: Duration = Duration::from_hours(1);

/// What was told of failures, and when something is to be told again.
#[derive(Debug, Default)]
pub(super) struct Told {
    kind: Option<LinkErrorKind>,
    next: Duration,
    gap: Duration,
}

impl Told {
    /// Whether to tell of this failure.
    pub(super) fn tells(&mut self, now: Duration, error: &LinkError) -> bool {
        let repeats = matches!(error.kind, LinkErrorKind::Silent | LinkErrorKind::NobodyListens);
        if !repeats || self.kind != Some(error.kind) {
            self.kind = repeats.then_some(error.kind);
            self.gap = FIRST;
        } else if now < self.next {
            return false;
        }
        self.next = now.saturating_add(self.gap);
        self.gap = (self.gap * 2).min(RAREST);
        true
    }

    /// Whether the next attempt is one of many.
    pub(super) fn is_quiet(&self) -> bool {
        self.kind.is_some()
    }

    /// Something else has happened.
    pub(super) fn end(&mut self) {
        self.kind = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_changes_are_told_and_the_rest_ever_more_rarely() {
        let mut told = Told::default();
        let error = |kind| LinkError { kind, why: String::new() };
        let mut minutes = Vec::new();
        for second in (0..6 * 3600).step_by(2) {
            if told.tells(Duration::from_secs(second), &error(LinkErrorKind::Silent)) {
                minutes.push(second / 60);
            }
        }
        assert_eq!(minutes, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303]);
        assert!(told.tells(Duration::from_hours(6), &error(LinkErrorKind::NobodyListens)), "a change");
        for _ in 0..3 {
            assert!(
                told.tells(Duration::from_hours(6), &error(LinkErrorKind::Answered)),
                "these have their waits"
            );
        }
        assert!(!told.is_quiet());
    }
}
