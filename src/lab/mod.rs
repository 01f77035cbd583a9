//! The laboratory: a fleet of simulated containers, and the local emulator of Azure.
//!
//! Simulation happens at the bus: chip and receiver are emulated, everything above them is what runs on a tracker.

mod clock;
mod cloud;
mod emulator;
mod fleet;
mod received;
mod scenario;
mod screen;
mod simulate;

pub use cloud::{CloudArgs, cloud};
pub use emulator::{EmulatorArgs, emulator};
pub use fleet::{Cloud, INITIAL_TWIN_TAGS, device_config};
pub use received::{Received, readings};
pub use scenario::Scenario;
pub use simulate::{SimulateArgs, simulate};
