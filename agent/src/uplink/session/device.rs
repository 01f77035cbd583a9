//! The device as its sessions with the hub see it: what outlives a connection.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracker_protocol::hub::TwinClient;

use crate::event::Events;
use crate::event::repeats::Repeats;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::link::roots::RootEnd;
use crate::platform::background::Background;
use crate::platform::heartbeat::Heartbeat;
use crate::settings::InForce;
use crate::status::Status;
use crate::uplink::diagnostics::Diagnostics;
use crate::uplink::renewal::Renewal;
use crate::uplink::session::waiting_news::WaitingNews;
use crate::uplink::trips::Trips;

/// What outlives a connection: readings, twin and settings, and who is told what.
pub struct Device {
    /// Readings to deliver.
    pub journal: Arc<Journal>,
    /// The device's side of the twin.
    pub twin: TwinClient,
    /// Settings in force.
    pub settings: InForce,
    /// For methods and reports.
    pub status: Status,
    /// Something of the status has changed that the hub is told.
    pub news: Arc<Notify>,
    /// For who looks for what is wrong.
    pub diagnostics: Diagnostics,
    /// The trip under way.
    pub trips: Trips,
    /// Who the device is, once that is known.
    pub identity: watch::Sender<Option<Identity>>,
    /// The certificates that Azure issues to it, where it wants them.
    pub renewal: Option<Renewal>,
    /// The root of servers that ends first, once the roots are in use.
    pub first_root_end: watch::Sender<Option<RootEnd>>,
    /// When the readings that wait are news.
    pub waiting: WaitingNews,
    /// Where events go.
    pub events: Events,
    /// Those that the hub can cause without end.
    pub repeats: Repeats,
    /// The moment that the twin's times count from.
    pub started: Instant,
    /// Beats with every step, and while the uplink waits.
    pub heart: Heartbeat,
    /// Writes small files, whose disk may be slow.
    pub background: Background,
}
