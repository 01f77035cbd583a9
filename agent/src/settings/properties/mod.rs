//! The desired properties that have a meaning, one file each.

mod alarms;
mod container_number;
mod delivery;
mod evidence;
mod firmware;
mod geofences;
mod intervals;
mod last_interval;
mod telemetry_interval;
mod trip;

use crate::settings::property::Row;

pub use alarms::Alarms;
pub use container_number::ContainerNumber;
pub use delivery::Delivery;
pub(super) use evidence::Evidence;
pub use firmware::Firmware;
pub use geofences::Geofences;
pub(super) use intervals::ByState;
pub(super) use last_interval::LastInterval;
pub use telemetry_interval::TelemetryInterval;
pub(super) use trip::Trip;
pub use trip::TripFences;

/// Every property that this version gives a meaning. A new one is a file with its [`Property`](super::Property), and a row here.
pub(super) const TABLE: &[Row] = &[
    Row::of::<TelemetryInterval>(),
    Row::of::<ByState>(),
    Row::of::<LastInterval>(),
    Row::of::<Alarms>(),
    Row::of::<Delivery>(),
    Row::of::<Evidence>(),
    Row::of::<Firmware>(),
    Row::of::<Geofences>(),
    Row::of::<ContainerNumber>(),
    Row::of::<Trip>(),
];

/// Names of the desired properties that have a meaning.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}
