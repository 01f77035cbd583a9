//! A device whose certificate for the hub is issued by Azure, from its first registration to the day on which it was lost.

#![cfg(all(feature = "lab", unix))]
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../support/mod.rs"]
mod support;

mod ground;
mod kill;
mod ladder;
mod story;
