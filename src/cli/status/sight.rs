//! One look at the agent. All of its texts are printable.

use std::time::Duration;

use crate::status::report::StatusReport;

/// What was seen.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    /// Exit code of a look that sees this.
    pub(super) code: u8,
    /// What the agent wrote last.
    pub(super) status: Option<StatusReport>,
    /// Why that is not the present.
    pub(super) absent: Option<String>,
    /// What is wrong, one sentence each.
    pub(super) troubles: Vec<String>,
    /// How old it is.
    pub(super) age: Option<Duration>,
}
