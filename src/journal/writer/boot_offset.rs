//! What UTC less monotonic time is in this boot, from which readings get their time that were taken before it was known.

use crate::reading::Stamp;

/// An offset that moves by less is jitter.
const TOLERANCE_MS: u64 = 2000;

/// This boot's offset.
#[derive(Debug, Default)]
pub(crate) struct BootOffset {
    /// In milliseconds; `None` while it is not known.
    ms: Option<i64>,
    /// The file has it.
    stored: bool,
}

/// The offset at this moment, in milliseconds; `None` where the time is not known.
fn offset_ms(stamp: Stamp) -> Option<i64> {
    let monotonic_ms = i64::try_from(stamp.monotonic.as_millis()).unwrap_or(i64::MAX);
    stamp.utc.map(|utc| utc.timestamp_millis().saturating_sub(monotonic_ms))
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
                *self = Self { ms: Some(offset), stored: false };
                true
            }
            _ => false,
        }
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
