//! Sequence numbers and offsets that never go back, not over a restart either: a consumer keeps the last one that it has dealt
//! with, and would wait for ever if that were in the future.
//!
//! The state is not written for every message. While an emulator runs, marks far ahead are kept in its place; only when it
//! ends in order are they exact. After a kill numbers go on there, with a gap.

use serde::{Deserialize, Serialize};

/// Where the numbers of a partition go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct Mark {
    /// The next sequence number.
    pub sequence_number: i64,
    /// The next offset.
    pub offset: i64,
}

/// Marks are this far ahead.
const AHEAD: Mark = Mark { sequence_number: 100_000, offset: 256 * 1024 * 1024 };

impl Mark {
    /// A mark behind which numbers may be given for a while.
    pub(super) fn ahead(self) -> Self {
        Self {
            sequence_number: self.sequence_number.saturating_add(AHEAD.sequence_number),
            offset: self.offset.saturating_add(AHEAD.offset),
        }
    }

    /// Whether numbers have come so near to a mark that it has to be moved.
    pub(super) fn nears(self, mark: Self) -> bool {
        mark.sequence_number - self.sequence_number < AHEAD.sequence_number / 2
            || mark.offset - self.offset < AHEAD.offset / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_moved_in_good_time() {
        let begin = Mark { sequence_number: 7, offset: 4_000 };
        let mark = begin.ahead();
        assert!(!begin.nears(mark));
        assert!(begin.nears(begin), "nothing is kept yet");
        let many = Mark { sequence_number: 60_000, ..begin };
        assert!(many.nears(mark) && !many.nears(many.ahead()));
        let large = Mark { offset: 200_000_000, ..begin };
        assert!(large.nears(mark) && !large.nears(large.ahead()));
    }
}
