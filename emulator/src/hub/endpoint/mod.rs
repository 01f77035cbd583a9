//! The built-in endpoint of a hub: what routes lead to `events`, as an event hub keeps it for its readers.
//!
//! ```text
//!  receive ─▶ Store ─▶ partition 0 ─▶ Reader, from a Position on
//!               │      partition 1 …
//!               └ retention: the oldest of all partitions go, by time and by bytes
//! ```
//!
//! The messages of a device stand in one partition, in the order in which the hub has received them. Sequence numbers and
//! offsets go on over a restart, messages do not survive one.

mod hash;
mod namespace;
mod retention;
mod origin;
mod record;
mod position;
mod partition;
mod numbering;
mod placing;
mod store;
mod reader;
mod groups;
mod receivers;

pub use groups::ConsumerGroup;
pub(in crate::hub) use groups::{Groups, KeptGroup};
pub(in crate::hub) use namespace::endpoint_host;
pub(in crate::hub) use numbering::Mark;
pub(in crate::hub) use origin::Origin;
pub(in crate::hub) use partition::StoredEvent;
pub(in crate::hub) use position::Position;
pub(in crate::hub) use reader::Reader;
pub(in crate::hub) use receivers::{NotAttached, Receiver, Receivers};
pub(in crate::hub) use record::message_of;
pub use retention::Retention;
pub(in crate::hub) use store::{PartitionState, Store, StoreParts};
