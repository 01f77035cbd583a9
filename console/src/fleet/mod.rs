//! The fleet as it is: what is known of each container now, and what has changed since somebody last looked. Pure: messages and
//! events go in, rows and deltas come out; whoever holds it has the clock.

mod alarms;
mod device;
mod entry;
mod events;
mod live;
mod members;
mod recent;
mod spark;
mod twin;

pub(crate) use device::Device;
pub(crate) use live::{Fleet, Taken};
pub(crate) use spark::Spark;

#[cfg(test)]
mod tests;
