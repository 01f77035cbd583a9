//! The answer of what works without the disk to what can't be done so.

/// It can't be done without the disk; what was to be done comes back, and nothing has changed.
#[derive(Debug)]
pub(super) struct NeedsDisk<T>(pub(super) T);
