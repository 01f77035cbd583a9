//! Devices over AMQP.

use std::sync::Arc;

use tracker_amqp::{Error, condition};

use crate::{
    amqp::{Asked, Guest, Node},
    events::DisconnectReason,
    hub::Hub,
};

/// The devices of one connection.
pub(super) struct DeviceLinks {
    _hub: Hub,
}

impl DeviceLinks {
    pub(super) fn new(hub: Hub, _guest: &Arc<Guest>) -> Self {
        Self { _hub: hub }
    }

    /// The node of `devices/{id}/…`.
    pub(super) fn attach(&mut self, _asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        Err(Error::new(condition::NOT_IMPLEMENTED, "devices over AMQP are not implemented by this emulator."))
    }

    /// The connection has ended; the nodes are gone.
    pub(super) fn ended(&mut self, _reason: &DisconnectReason) {}
}
