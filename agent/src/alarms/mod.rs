//! Alarms that are not noise: a bound must be crossed for a while, and the value be back by a margin for a while.
//!
//! ```text
//!                     beyond for `delay`                beyond critical bounds for their `delay`
//!  (rest) ─▶ pending ───────────────────▶ raised ────────────────────────────────▶ escalated
//!     ▲         │ back within                │ back by `hysteresis` for `clear`          │
//!     └─────────┘                            └──────────────▶ cleared ◀──────────────────┘
//! ```
//!
//! All of it is a pure function of (time, reading): no clock, no disk, no network. `life` is one alarm, `watch` all of a
//! device, `timeline` the time they live by; `schema` reads how they are set, `profiles` what
//! goods stand.

mod built_in;
pub mod life;
pub(crate) mod members;
#[cfg(test)]
pub(crate) mod plain_model;
pub mod profiles;
pub mod rule;
pub mod schema;
pub mod signal;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod watch;
