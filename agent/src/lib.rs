//! The device agent of a container tracker: takes readings, keeps them, and tells them to the cloud.
//!
//! ```text
//!  instruments ─▶ recorder ─▶ journal ─▶ session ─▶ link ── MQTT/TLS ──▶ assigned IoT hub
//!                    ▲          ▲ acknowledged │                │
//!                    │          └──────────────┘                │
//!                settings ◀─────── twin ◀───────────────────────┘
//!
//!  uplink: lifecycle says what is next: provisioner ──▶ DPS, or a session with the hub
//! ```
//!
//! A reading is taken, stamped, kept, sent, and forgotten only when the hub has acknowledged it.
//!
//! The rooms stand here from the ground up: a room knows those above it in this list, and none below. `tests/house`
//! holds the code to that.

/// What the program stands on: clock, files that survive a power cut, heartbeats, systemd. Knows the system, no room.
pub mod platform;

/// Who the device is: chain and private key, in files or in a token. Touches key files and PKCS#11 libraries.
pub mod identity;

/// What is measured with: sensors, and the fields that they add to a reading. Touches buses; no disk, no network.
pub mod instruments;

/// What is told to the cloud by a message of its own.
pub mod event_message;

/// When a reading is an alarm, since when, how bad, until when. Pure: time and values in, what is to be told out.
pub mod alarms;

/// What the operator gives: `tracker.toml`, checked, with a sentence for each mistake.
pub mod config;

/// The noun of the house: what the instruments said at one moment.
pub mod reading;

/// How a voyage went, in bounded memory: extremes, means, times beyond bounds. Pure functions of readings.
pub mod trip;

/// Fences on the map, and what it means to be in one, to enter it, to leave it, to pass it. Pure.
pub mod places;

/// What the device twin wishes: each desired property read, answered, kept over a restart.
pub mod settings;

/// What happens, one sentence each, for the log and whoever else listens.
pub mod event;

/// One MQTT connection over TLS, from its first byte to its last. The only room that touches sockets.
pub mod link;

/// Readings on disk until the hub has acknowledged them. The only room that touches the database.
pub mod journal;

/// Where the container is among the fences of the twin, kept over a restart.
pub mod whereabouts;

/// Takes a reading at every interval, whatever the network does.
pub mod recorder;

/// What the agent is doing, for reported properties, direct methods and `status.json`.
pub mod status;

/// Keeps the device connected: asks DPS, works with the hub, begins again, for ever.
pub mod uplink;

/// Watches over the running agent: systemd, its watchdog, the status file.
pub mod supervision;

/// Wires all of it together.
pub mod tracker;

/// Whether a record of what a hub has received is as the device has made it. Pure but for reading files.
#[cfg(feature = "lab")]
pub mod verify;

/// The commands of a tracker: `run`, `check`, `provision`, `deprovision`, `status`, without the line that they are read from.
pub mod commands;
