//! What UTC less monotonic time is in this boot, from which readings get their time that were taken before it was known.

use crate::journal::row::Row;
use crate::reading::Stamp;

/// An offset that moves by less is jitter.
const TOLERANCE_MS: u64 = 2000;
/// A receiver that has not heard yet how many leap seconds there are runs ahead by no more than this.
const LONGEST_LEAD_MS: i64 = 20_000;

/// Times that ran ahead: those of readings taken from then on, by so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) from_monotonic_ms: i64,
    pub(crate) ms: i64,
}

impl Lead {
    /// Brings back the time of a reading of this boot.
    pub(crate) fn mend(self, row: &mut Row) {
        // What is in the chain stays as it is.
        if row.boot.is_none() && row.monotonic_ms >= self.from_monotonic_ms && row.chain().is_none() {
            row.utc_ms = row.utc_ms.map(|utc| utc.saturating_sub(self.ms));
        }
    }
}

/// This boot's offset.
#[derive(Debug, Default)]
pub(crate) struct BootOffset {
    /// In milliseconds; `None` while it is not known.
    ms: Option<i64>,
    /// Monotonic time since when it is so.
    since_ms: i64,
    /// The file has it.
    stored: bool,
}

/// The offset at this moment, in milliseconds; `None` where the time is not known.
fn offset_ms(stamp: Stamp) -> Option<i64> {
    stamp.utc.map(|utc| utc.timestamp_millis().saturating_sub(monotonic_ms(stamp)))
}

fn monotonic_ms(stamp: Stamp) -> i64 {
    i64::try_from(stamp.monotonic.as_millis()).unwrap_or(i64::MAX)
}

impl BootOffset {
    pub(crate) fn ms(&self) -> Option<i64> {
        self.ms
    }

    /// Whether [`BootOffset::learn`] would learn nothing, and the file has it.
    pub(crate) fn is_settled(&self, stamp: Stamp) -> bool {
        offset_ms(stamp).is_none_or(|offset| self.stored && self.is_near(offset))
    }

    /// Takes note of the time; whether the offset is another than before.
    pub(crate) fn learn(&mut self, stamp: Stamp) -> bool {
        match offset_ms(stamp) {
            Some(offset) if !self.is_near(offset) => {
                *self = Self { ms: Some(offset), since_ms: monotonic_ms(stamp), stored: false };
                true
            }
            _ => false,
        }
    }

    /// By how much, and since when, times were ahead of what this stamp says. A step back that is longer is no lead.
    pub(crate) fn lead(&self, stamp: Stamp) -> Option<Lead> {
        let ms = self.ms? - offset_ms(stamp)?;
        let is_lead = (TOLERANCE_MS as i64 + 1..=LONGEST_LEAD_MS).contains(&ms);
        is_lead.then_some(Lead { from_monotonic_ms: self.since_ms, ms })
    }

    /// The offset, where the file has not got it yet.
    pub(crate) fn to_store(&self) -> Option<i64> {
        self.ms.filter(|_| !self.stored)
    }

    pub(crate) fn set_stored(&mut self, stored: bool) {
        self.stored = stored;
    }

    fn is_near(&self, offset: i64) -> bool {
        self.ms.is_some_and(|known| known.abs_diff(offset) <= TOLERANCE_MS)
    }
}
