//! One thing that is looked at.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;

/// One thing that is looked at.
pub(super) struct Check {
    /// Names it for scripts, and for [`Check::needs`].
    pub(super) id: &'static str,
    /// What holds when it passes.
    pub(super) sentence: &'static str,
    /// Checks that must not have failed before.
    pub(super) needs: &'static [&'static str],
    /// It takes no longer than this.
    pub(super) within: Duration,
    /// What is found; an error is a finding too, that ends the look early.
    pub(super) look: fn(&Context) -> Result<Finding, Finding>,
}
