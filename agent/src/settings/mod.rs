//! Desired properties of the device twin become settings, and every one of them is answered.
//!
//! `properties` has a file for each, and their table; `property` answers them all alike: set, bad, gone or never set.
//! `without_meaning` acknowledges the others, within a bound.
//! `in_force` keeps what came of it on disk and tells whoever follows a setting; `trip_terms` makes of several what a trip is
//! measured by.

mod answer;
mod defaults;
mod desired;
mod in_force;
mod properties;
mod property;
mod trip_terms;
mod without_meaning;

pub use answer::{Answer, Standing};
pub use defaults::Defaults;
pub use desired::Settings;
pub use in_force::{Applied, InForce};
pub use properties::{
    Alarms, ContainerNumber, Delivery, Firmware, Geofences, TelemetryInterval, TripFences, names,
};
pub use property::Property;
pub use trip_terms::TripTerms;
