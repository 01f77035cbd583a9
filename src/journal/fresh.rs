//! A reading that has been taken and has no number yet.

use super::row::Row;
use crate::reading::{Reading, Stamp};

/// A reading on its way to its number.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) stamp: Stamp,
    /// As it will be stored, but for its number.
    row: Row,
    /// Where the waiting room has it.
    pub(super) ticket: Option<Ticket>,
}

/// Names a reading in the waiting room that has no number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(pub(super) u32);

impl Fresh {
    /// As it is stored, without a number.
    pub(super) fn row(&self) -> &Row {
        &self.row
    }

    /// As it is stored under the number that it was given by this start of the program.
    pub(super) fn numbered(self, seq: u64, start: u32) -> Row {
        Row { seq, start, ..self.row }
    }
}

impl From<Reading> for Fresh {
    fn from(reading: Reading) -> Self {
        Self { stamp: reading.stamp, row: Row::new(reading), ticket: None }
    }
}
