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
pub mod openssl;
