//! How much the built-in endpoint keeps.

use std::time::Duration;

/// How long, and how many bytes of, messages are kept for readers of a hub's built-in endpoint, over all its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A message that is older is gone. Azure's is a day to seven.
    pub time: Duration,
    /// The oldest go when all take more than this of memory, what a message takes beside its content included. One message is
    /// kept in any case.
    pub bytes: u64,
}

impl Default for Retention {
    /// A day, and 256 MiB.
    fn default() -> Self {
        Self { time: Duration::from_hours(24), bytes: 256 * 1024 * 1024 }
    }
}
