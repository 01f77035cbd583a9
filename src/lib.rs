//! The device agent of a container tracker, and the laboratory around it.
//!
//! ```text
//!  sensors ─▶ recorder ─▶ journal ─▶ session ─▶ link ── MQTT/TLS ──▶ assigned IoT hub
//!                ▲          ▲ acknowledged │                │
//!                │          └──────────────┘                │
//!             desired ◀──────── twin ◀──────────────────────┘
//!
//!  uplink: lifecycle says what is next: provisioner ──▶ DPS, or a session with the hub
//! ```
//!
//! A reading is taken, stamped, kept, sent, and forgotten only when the hub has acknowledged it. The program
//! `container-tracker` is a thin command line over this library.

pub mod platform;

pub mod identity;

pub mod instruments;

pub mod config;

pub mod reading;

pub mod settings;

pub mod event;

pub mod link;

pub mod journal;

pub mod recorder;

pub mod status;

pub mod uplink;

pub mod supervision;

pub mod tracker;

#[cfg(feature = "lab")]
pub mod lab;

pub mod cli;

/// How the agent names itself to DPS and hub.
pub fn user_agent() -> String {
    format!(
        "container-tracker/{} ({}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
