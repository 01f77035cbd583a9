//! What the end-to-end tests share.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods
)]

#[cfg(feature = "lab")]
pub mod agent;
#[cfg(feature = "lab")]
pub mod http_proxy;
pub mod issuer;
pub mod journal;
#[cfg(feature = "lab")]
pub mod log;
#[cfg(feature = "lab")]
pub mod odd_hub;
#[cfg(all(feature = "lab", feature = "mqtt5"))]
pub mod odd_hub_v5;
pub mod openssl;
#[cfg(feature = "lab")]
pub mod proxy;
#[cfg(feature = "lab")]
pub mod scene;
#[cfg(feature = "lab")]
pub mod schedule;
#[cfg(unix)]
pub mod service;
#[cfg(feature = "pkcs11")]
pub mod softhsm;
#[cfg(feature = "lab")]
pub mod stage;
#[cfg(all(feature = "lab", target_os = "linux"))]
pub mod terminal;

/// A pseudo-terminal: the end a receiver would be wired to, and the path of the other.
#[cfg(target_os = "linux")]
pub fn pseudo_terminal() -> (std::fs::File, std::path::PathBuf) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let receiver = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&receiver).unwrap();
    unlockpt(&receiver).unwrap();
    let port = ptsname(&receiver, Vec::new()).unwrap();
    (std::fs::File::from(receiver), port.into_string().unwrap().into())
}
