//! What the handles of a journal ask of it.

use tokio::sync::oneshot;

use super::bundle::States;
use super::entry::Lease;
use super::fresh::Fresh;
use crate::reading::Stamp;
use crate::trip::Terms;
use tracker_evidence::Hash;

/// The report of a trip.
pub(super) type Report = serde_json::Map<String, serde_json::Value>;

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
    /// There is to be a chain of evidence, with a first trip by these terms; or none.
    Evidence(Option<Box<Terms>>),
    Head(oneshot::Sender<Option<(u64, Hash)>>),
    BeginTrip {
        terms: Box<Terms>,
        now: Stamp,
        reply: oneshot::Sender<bool>,
    },
    EndTrip {
        now: Stamp,
        /// The trip of an owner before.
        earlier: bool,
        reply: oneshot::Sender<Option<Report>>,
    },
    TripReport(oneshot::Sender<Option<Report>>),
    /// What was kept in bundles, by name.
    States(oneshot::Sender<States>),
    Release(oneshot::Sender<()>),
    Commit(oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}
