//! Readings, wherever they were kept: in the history of a console, at the built-in endpoint of a hub, in a file of messages.
//!
//! ```text
//!  console.sqlite ── segments ──────────────┐
//!  built-in endpoint ─┐                     ├─▶ rows: device, reading ─▶ files, a plot
//!  file of messages ──┴─ sorted, one of each┘
//! ```

mod capture;
mod message;
mod moment;
mod source;

pub(super) use message::said;
pub(super) use moment::since;
pub(super) use source::{Row, Source, SourceArgs, open_history};
