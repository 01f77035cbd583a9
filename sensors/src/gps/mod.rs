//! A GNSS receiver that speaks NMEA 0183: from bytes to one fix a second.

mod condition;
mod decoder;
mod epoch;
mod fields;
mod fix;
mod framer;
mod gps_time;
#[cfg(target_os = "linux")]
mod other_reader;
mod plausibility;
mod receiver;
mod rhythm;
mod rollover;
mod sentence;
mod serial;
mod source;

#[cfg(feature = "simulated")]
pub(crate) use decoder::epoch_starts;
pub use decoder::{Counts, Decoder, EPOCH_PAUSE, Event};
pub use epoch::NoFix;
pub use fix::{Fix, Position};
pub use framer::{Framer, LONGEST_SENTENCE, LineCounts};
pub use gps_time::GpsTime;
pub use plausibility::{Judgement, Known, Plausibility, PlausibilitySettings};
pub use receiver::{GpsState, Receiver, ReceiverSettings};
pub use rollover::{DateRefused, KnownDates, repair_date};
pub use sentence::Kind;
pub use serial::SerialSource;
pub use source::{ByteSource, ByteStream, Opening};
