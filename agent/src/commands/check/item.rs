//! One thing that is looked at.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;

/// One thing that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Check {
    /// Names it for scripts, and for [`Check::needs`].
    pub(super) id: &'static str,
    /// What holds when it passes.
    pub(super) sentence: &'static str,
    /// Checks that must not have failed before.
    pub(super) needs: &'static [&'static str],
    /// It takes no longer than this.
    pub(super) within: Duration,
    /// How it is looked at.
    pub(super) look: Look,
}

/// A way to look. An error is a finding too, that ends the look early.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// This one.
    By(fn(&Context) -> Result<Finding, Finding>),
    /// As at any instrument: the one that the check is named after.
    Instrument,
}
