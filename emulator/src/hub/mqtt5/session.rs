//! What a hub keeps of a connected device.

use std::collections::HashMap;

use tokio::time::Instant;
use tracker_protocol::hub_v5::Correlation;

use super::call::Call;
use crate::{
    events::DisconnectReason,
    faults::Place,
    hub::{
        Hub,
        broker::{Filters, Outbox},
        connection::Mailbox,
    },
    mqtt::Will,
};

/// A hub of MQTT 5 as it serves one device.
pub(crate) struct FiveSession {
    pub(super) hub: Hub,
    pub(super) device_id: String,
    pub(super) connection_id: u64,
    pub(super) session_present: bool,
    /// Seconds that the session outlives the connection, as granted and as asked for.
    pub(super) session_expiry: (u32, u32),
    /// Of its CONNECT, in seconds.
    pub(super) keep_alive: u16,
    /// The largest packet that the client takes, in bytes.
    pub(super) maximum_packet: Option<u32>,
    pub(super) will: Option<Will>,
    /// Of the user name: the birth has the same.
    pub(super) nonce: Correlation,
    pub(super) is_born: bool,
    /// The version of desired properties that the device has been told.
    pub(super) desired_version: u64,
    pub(super) filters: Filters,
    pub(super) outbox: Outbox,
    /// The client's numbers for topics.
    pub(super) aliases: HashMap<u16, String>,
    pub(super) calls: HashMap<Correlation, Call>,
    pub(super) mailbox: Mailbox,
    /// The reason code of the DISCONNECT that ends the connection, where the reason does not say it.
    pub(super) ends_with: Option<u8>,
}

impl FiveSession {
    pub(super) fn place(&self) -> Place<'_> {
        Place { hub: Some(&self.hub.0.name), device: &self.device_id }
    }

    /// The end of the connection, with this reason code.
    pub(super) fn end(&mut self, code: u8, why: &str) -> DisconnectReason {
        self.ends_with = Some(code);
        crate::session::violation(why)
    }

    /// What came is passed over; says so in the log.
    pub(super) fn ignore(&self, what: &str) {
        tracing::warn!(hub = %self.hub.0.name, device = %self.device_id, "ignored: {what}");
    }

    /// When the next call is over.
    pub(super) fn next_end_of_call(&self) -> Option<Instant> {
        self.calls.values().map(|call| call.due).min()
    }
}
