//! What was: readings, what they roll up to, what happened, in an SQLite file or in memory.
//!
//! ```text
//!  ingest ── readings, entries, alarms, trips ──▶ waiting (memory) ── every ten seconds ──▶ shelf (the file)
//!  web ◀── series, track, story, alarms, export, the fleet at a time ─────────────────────────────┘
//! ```
//!
//! Invariants:
//!
//! 1. A reading is kept once, whenever and however often it comes: what makes it itself are its device, its time and its number.
//! 2. What charts show is the same in whatever order readings came. Full segments are in the buckets of their level, once; all
//!    other readings are looked at one by one.
//! 3. The file stays below its bounds in bytes and age. Readings go first, the oldest of all devices, and leave their buckets;
//!    these, and what happened, go by age, or where readings were not enough.
//! 4. A file that is damaged, foreign or of a newer version is set aside under another name; one that another console has is left
//!    alone. Then, and where the disk takes nothing, the console goes on and says so.
//! 5. Whoever asks sees all that has come: what waits for the device in question is written first. Other programs may read the file
//!    beside the console (`archive.rs`); they see what was written, which is all but the last ten seconds.

mod archive;
mod bucket;
mod columns;
mod decimal;
mod export;
mod gather;
mod keeper;
mod key;
mod lock;
mod options;
mod past;
mod queries;
mod retention;
mod rollup;
mod schema;
mod segment;
mod series;
mod shelf;
mod steps;
mod store;
mod told;
mod waiting;

pub use archive::{Archive, ArchiveError, Kept};
pub use decimal::{Decimal, put_time};
pub use export::{Cell, Exported, Key, Mark};
pub use keeper::{History, HistoryError};
pub use options::HistoryOptions;
pub use queries::Extent;

#[cfg(test)]
mod tests;
