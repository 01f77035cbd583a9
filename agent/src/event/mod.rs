//! What happens to a tracker, one sentence each: for the log, and for whoever else listens.

pub mod lines;
mod model;
pub mod recent;
pub mod repeats;
mod sentence;
mod severity;
mod sink;

pub use model::{Event, Loss};
pub use sentence::Readings;
pub use severity::Severity;
pub use sink::{Events, Listener};
