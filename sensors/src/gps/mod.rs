//! A GNSS receiver that speaks NMEA 0183: from bytes to one fix a second.

mod decoder;
mod epoch;
mod fields;
mod fix;
mod framer;
mod sentence;

pub use decoder::{Counts, Decoder, EPOCH_PAUSE, Event};
pub use epoch::NoFix;
pub use fix::{Fix, Position};
pub use framer::{Framer, LONGEST_SENTENCE, LineCounts};
pub use sentence::Kind;
