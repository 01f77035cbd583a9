//! Simulation at the bus: emulated chips, an emulated receiver and an emulated switch, driven by a voyage. The drivers
//! on top are the real ones.

mod air;
mod bursts;
mod chip;
mod clock;
mod container;
mod gps_receiver;
mod light_chip;
mod nmea_writer;
mod reed_switch;
mod registers;
mod replay;
mod voyage;

pub use air::Air;
pub use chip::{Bme280Chip, ChipDelay, ChipError, ChipFault, published_calibration};
pub use clock::SimulatedClock;
pub use container::SimulatedContainer;
pub use gps_receiver::{ColdClock, GpsReceiver, GpsReceiverSettings, Situation};
pub use light_chip::{LightChipDelay, Veml7700Chip};
pub use reed_switch::ReedSwitch;
pub use replay::{AtEnd, Replay};
pub use voyage::{Conditions, Mode, Stowage, UnknownVoyage, Voyage};
