//! The device's state machines against the emulator's services in simulated time: no sockets, no runtime, one clock.
//!
//! ```text
//!  Device ───────────── Network ───────────── CloudEnd
//!   Lifecycle            latency, jitter       tracker_emulator::pair
//!   Registration         loss, reordering      DPS, hubs, twins
//!   TwinClient           duplicates, outages
//!         └──────────── Pair: one clock ────────────┘
//! ```
//!
//! `Pair::step` moves the clock to the next moment at which anything is due, and does it. Chance comes from a seed.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod cloud;
mod device;
mod dps;
mod log;
mod month;
mod moves;
mod network;
mod operator;
mod session;
mod simulation;
mod twin;
mod wire;
