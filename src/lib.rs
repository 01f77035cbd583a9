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

pub mod assignment;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod desired;
pub mod event;
pub mod heartbeat;
pub mod identity;
pub mod journal;
#[cfg(feature = "lab")]
pub mod lab;
pub mod lifecycle;
pub mod link;
pub mod methods;
pub mod network;
pub mod notify;
pub mod provisioner;
pub mod reading;
pub mod recent;
pub mod recorder;
pub mod sampler;
pub mod session;
pub mod settings;
pub mod stage;
pub mod state_file;
pub mod status;
pub mod status_file;
pub mod supervisor;
pub mod timing;
pub mod tls;
pub mod tracker;
pub mod uplink;

/// How the agent names itself to DPS and hub.
pub fn user_agent() -> String {
    format!(
        "container-tracker/{} ({}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
