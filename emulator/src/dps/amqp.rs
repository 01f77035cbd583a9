//! The provisioning service over AMQP.

use std::sync::Arc;

use tracker_amqp::{Error, condition};

use super::Dps;
use crate::{
    amqp::{Asked, Guest, Node, Place},
    id::hexadecimal_of_chance,
};

/// The provisioning service as one connection sees it.
pub(crate) struct DpsPlace {
    _dps: Dps,
}

impl DpsPlace {
    pub(crate) fn new(dps: Dps, _guest: &Arc<Guest>) -> Self {
        Self { _dps: dps }
    }
}

impl Place for DpsPlace {
    fn name(&self) -> &str {
        "DPS"
    }

    fn identity(&self) -> (String, Option<String>) {
        (format!("DeviceGateway_{}", hexadecimal_of_chance()), Some("localhost".into()))
    }

    /// The node of `{scope}/registrations/{id}`.
    fn attach(&mut self, _asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        Err(Error::new(
            condition::NOT_IMPLEMENTED,
            "registration over AMQP is not implemented by this emulator.",
        ))
    }
}
