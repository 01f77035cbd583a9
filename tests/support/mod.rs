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
pub mod journal;
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
