//! Desired properties of the device twin become settings, and every one of them is answered.
//!
//! `desired` has the table of properties, one file each; `property` answers them all alike: set, bad, gone or never set.
//! `in_force` keeps what came of it on disk and tells whoever follows a setting.

mod answer;
mod defaults;
mod delivery;
mod desired;
mod firmware;
mod in_force;
mod property;
mod telemetry_interval;

pub use answer::Answer;
pub use defaults::Defaults;
pub use delivery::Delivery;
pub use desired::{Settings, names};
pub use firmware::Firmware;
pub use in_force::{Applied, InForce};
pub use property::Property;
pub use telemetry_interval::TelemetryInterval;
