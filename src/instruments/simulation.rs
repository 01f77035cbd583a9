//! What instruments are connected to in the laboratory.

use std::path::PathBuf;

use tracker_sensors::simulated::{SimulatedClock, SimulatedContainer};

/// A simulated container, and what takes the place of its parts.
pub struct Simulation {
    /// The container on its voyage.
    pub container: SimulatedContainer,
    /// The clock that the voyage follows.
    pub clock: SimulatedClock,
    /// A recorded NMEA log, in place of the voyage's receiver.
    pub replay: Option<PathBuf>,
}
