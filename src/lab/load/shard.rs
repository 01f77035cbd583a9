//! Which part of a fleet one program plays.

use serde::{Deserialize, Serialize};

/// A part of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// Devices that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The number of the first, from 0.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Its part of so many devices: every device is in one part, and parts differ by one device at the most.
    pub fn span(self, devices: u32) -> Span {
        let bound = |index: u32| (u64::from(devices) * u64::from(index) / u64::from(self.of.max(1))) as u32;
        let first = bound(self.index.saturating_sub(1));
        Span { first, count: bound(self.index).saturating_sub(first) }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl Span {
    /// The numbers.
    pub fn numbers(self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}
