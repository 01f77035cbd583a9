//! The built-in endpoint: `$management`, partitions, and the way to them from the hub's name.

use std::sync::Arc;

use tracker_amqp::{Error, condition};

use crate::{
    amqp::{Asked, Guest, Node},
    hub::Hub,
};

/// The built-in endpoint as one connection sees it.
pub(super) struct EndpointLinks {
    _hub: Hub,
}

impl EndpointLinks {
    /// `is_event_hub`: whether the client has come by the endpoint's own name.
    pub(super) fn new(hub: Hub, _guest: &Arc<Guest>, _is_event_hub: bool) -> Self {
        Self { _hub: hub }
    }

    /// The node of `messages/events…`, `$management`, or `{event hub}/ConsumerGroups/…`.
    pub(super) fn attach(&mut self, _asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        Err(Error::new(
            condition::NOT_IMPLEMENTED,
            "the built-in endpoint is not implemented by this emulator.",
        ))
    }
}

impl Hub {
    /// Whether this is the first label of the built-in endpoint's host name.
    pub(super) fn is_namespace(&self, label: &str) -> bool {
        label.eq_ignore_ascii_case(&format!("iothub-ns-{}", self.label()))
    }
}
