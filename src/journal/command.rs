//! What the handles of a journal ask of it.

use tokio::sync::oneshot;

use super::bundle::States;
use super::entry::Lease;
use super::fresh::Fresh;
use crate::reading::Stamp;

/// What handles ask of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Append(Fresh),
    Lease {
        limit: usize,
        now: Stamp,
        reply: oneshot::Sender<Lease>,
    },
    /// As `Lease`, but answered only when there is something.
    Await {
        limit: usize,
        now: Stamp,
        reply: oneshot::Sender<Lease>,
    },
    Acknowledge(Vec<u64>),
    /// What was kept in bundles, by name.
    States(oneshot::Sender<States>),
    Release(oneshot::Sender<()>),
    Commit(oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}
