//! What the end-to-end tests share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

pub mod openssl;
