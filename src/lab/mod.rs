//! The laboratory: a fleet of simulated containers, and the local emulator of Azure.
//!
//! Simulation happens at the bus: chip and receiver are emulated, everything above them is what runs on a tracker.

pub(crate) mod board;
pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod director;
pub(crate) mod hub_service;
pub(crate) mod lines;
pub mod load;
pub mod local_cloud;
pub(crate) mod notification;
pub(crate) mod received;
pub(crate) mod receiver;
pub(crate) mod record;
pub(crate) mod scenario;
pub(crate) mod screen;
pub(crate) mod text;
pub(crate) mod trip_words;

pub use crate::verify::compact;
pub use local_cloud::{Cloud, INITIAL_TWIN_TAGS, device_config};
pub use received::{Received, readings};
pub use scenario::Scenario;
