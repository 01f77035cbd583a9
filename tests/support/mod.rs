//! What the end-to-end tests share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[cfg(feature = "lab")]
pub mod agent;
pub mod journal;
pub mod openssl;
