//! What outlives a connection.

use std::sync::Arc;

use tokio::time::Instant;
use tracker_protocol::hub::TwinClient;

use crate::event::Events;
use crate::journal::Journal;
use crate::platform::heartbeat::Heartbeat;
use crate::settings::InForce;
use crate::status::Status;

/// What outlives a connection.
pub struct Kept {
    /// Readings to deliver.
    pub journal: Arc<Journal>,
    /// The device's side of the twin.
    pub twin: TwinClient,
    /// Settings in force.
    pub desired: InForce,
    /// For methods and reports.
    pub status: Status,
    /// Where events go.
    pub events: Events,
    /// The moment that the twin's times count from.
    pub started: Instant,
    /// Beats with every step, and while the uplink waits.
    pub heart: Heartbeat,
}
