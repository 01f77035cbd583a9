//! What has been taken and has no number yet.

use super::bundle::{Bundle, States, pack};
use super::row::Row;
use crate::reading::{Reading, Stamp};

/// A reading on its way to its number, with what is stored together with it.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) stamp: Stamp,
    /// As the waiting room keeps it.
    row: Row,
    /// Of a bundle: its parts.
    pub(super) parts: Option<Box<Parts>>,
    /// Where the waiting room has it.
    pub(super) ticket: Option<Ticket>,
}

/// The parts of a bundle.
#[derive(Debug)]
pub(super) struct Parts {
    /// As they are stored, in their order, without numbers.
    pub(super) rows: Vec<Row>,
    pub(super) states: States,
}

/// Names a reading in the waiting room that has no number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(pub(super) u32);

impl Fresh {
    /// As the waiting room keeps it, without a number.
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
        Self { stamp: reading.stamp, row: Row::new(reading), parts: None, ticket: None }
    }
}

impl From<Bundle> for Fresh {
    fn from(bundle: Bundle) -> Self {
        let Bundle { stamp, events, reading, states } = bundle;
        let events = events.into_iter().map(|event| Row::of_event(stamp, event));
        let rows: Vec<Row> = events.chain(reading.map(Row::new)).collect();
        let states = states.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        let row = pack(&Row::at(stamp, Vec::new()), &rows, &states);
        Self { stamp, row, parts: Some(Box::new(Parts { rows, states })), ticket: None }
    }
}
