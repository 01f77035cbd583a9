//! Desired properties of the device twin become settings, and every one of them is answered.

pub mod desired;
pub mod in_force;

pub use desired::{Answer, Defaults, Settings};
