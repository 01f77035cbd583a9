//! Drivers for the two sensors of a container tracker.

pub mod bme280;
pub mod gps;
pub mod health;
#[cfg(feature = "simulated")]
pub mod simulated;
