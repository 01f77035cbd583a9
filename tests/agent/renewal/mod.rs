//! A device whose certificate for the hub is issued by Azure, from its first registration to the day on which it was lost.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::disallowed_methods)]

mod ground;
mod kill;
mod ladder;
mod story;
