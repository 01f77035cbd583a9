//! The laboratory: a fleet of simulated containers, and the local emulator of Azure.
//!
//! Simulation happens at the bus: chip and receiver are emulated, everything above them is what runs on a tracker.

pub(crate) mod clock;
pub mod compact;
pub mod local_cloud;
mod received;
pub(crate) mod scenario;
pub(crate) mod screen;

pub use local_cloud::{Cloud, INITIAL_TWIN_TAGS, device_config};
pub use received::{Received, readings};
pub use scenario::Scenario;
