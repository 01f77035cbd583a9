//! The load of a fleet: thousands of light devices in one program, and the sum of what many programs say.
//!
//! ```text
//!  plan ─ seed and number ─▶ device ── registering ─▶ DPS
//!                              │ └──── serving ─────▶ hub
//!                              ▼
//!                            tally ─▶ summary ─▶ merge: what is missing, twice, lost
//! ```
//!
//! A device is a task with a connection and a few numbers: nothing of it is on a disk, and what it says is made of the plan again
//! when it has to be said again.

mod device;
mod dial;
mod fault;
mod fleet;
mod latency;
mod merge;
mod metrics;
mod pacer;
mod place;
mod plan;
mod reading;
mod registering;
mod resources;
mod serving;
mod shard;
mod shared;
mod sources;
mod summary;
mod tally;
mod tls;

pub use fault::FaultKind;
pub use fleet::{State, Terms, play};
pub use latency::{Latency, Times};
pub use merge::Merged;
pub use metrics::serve;
pub use place::{Leafs, Place};
pub use plan::{Happening, MOST_DEVICES, Plan, Profile};
pub use resources::{Limits, Shortages, memory_kb, processor_time};
pub use shard::{Shard, Span};
pub use shared::{Order, Shared};
pub use sources::Sources;
pub use summary::{Costs, Devices, FORMAT, HubCount, Messages, Received, Run, Summary, Traffic};
pub use tls::Trust;
