//! What the console looks at: the emulator of a simulation, in this process; and what that has in common with one elsewhere.

mod backlogs;
pub(crate) mod forms;
pub(crate) mod fault_book;
mod page;
pub(crate) mod recorder;
mod simulation;
mod stream;

pub(crate) use backlogs::Backlogs;
pub(crate) use page::{Page, open_in_browser};
pub(crate) use simulation::{Parts, Simulation};

#[cfg(test)]
mod tests;
