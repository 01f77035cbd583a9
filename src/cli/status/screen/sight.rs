//! One look at the agent. All of its texts are printable.

use std::time::Duration;

use crate::status::report::StatusReport;

/// What was seen.
#[derive(Debug, Clone)]
pub(in crate::cli::status) struct Sight {
    /// Exit code of a look that sees this.
    pub(in crate::cli::status) code: u8,
    /// What the agent wrote last.
    pub(in crate::cli::status) status: Option<StatusReport>,
    /// Why that is not the present.
    pub(in crate::cli::status) absent: Option<String>,
    /// What is wrong, one sentence each.
    pub(in crate::cli::status) troubles: Vec<String>,
    /// How old it is.
    pub(in crate::cli::status) age: Option<Duration>,
}
