//! The command line of a container tracker, and the laboratory around its agent.
//!
//! The agent is a crate of its own, `tracker-agent` in `agent/`; its rooms are handed on here. The program `container-tracker` is a thin
//! command line over this library.
//!
//! The rooms stand here from the ground up: a room knows those above it in this list, and none below. `tests/house`
//! holds the code to that.

#[cfg(feature = "lab")]
pub use tracker_agent::verify;
pub use tracker_agent::{
    alarms, commands, config, event, event_message, identity, instruments, journal, link, places, platform,
    reading, recorder, settings, status, supervision, tracker, trip, uplink, whereabouts,
};

/// A local cloud, voyages and stories, for `simulate` and for tests. Not in the firmware.
#[cfg(feature = "lab")]
pub mod lab;

/// The commands, one file or folder each.
pub mod cli;
