//! Where a client is until it is known which service it means, and from where it goes on to that: `$cbs` is here, whatever the
//! service.

use std::sync::Arc;

use tracker_amqp::{Error, condition};

use super::{
    cbs::CbsNode,
    meant::{Meant, Seat, by_address},
};
use crate::{
    amqp::{Asked, Guest, Node, Place, Replies},
    dps::{Dps, DpsPlace},
    events::DisconnectReason,
    hub::HubPlace,
    id::hexadecimal_of_chance,
};

/// The place of every connection.
pub(super) struct Lobby {
    services: Dps,
    seat: Seat,
    replies: Replies,
    service: Option<Box<dyn Place>>,
}

impl Lobby {
    pub(super) fn new(services: Dps, guest: &Arc<Guest>, seat: Seat) -> Self {
        let mut lobby = Self { services, seat, replies: Replies::default(), service: None };
        lobby.enter(guest);
        lobby
    }

    /// Goes to the service as soon as it is known.
    fn enter(&mut self, guest: &Arc<Guest>) {
        if self.service.is_some() {
            return;
        }
        self.service = self.seat.get().map(|meant| -> Box<dyn Place> {
            match meant {
                Meant::Dps => Box::new(DpsPlace::new(self.services.clone(), guest, None)),
                Meant::DpsByTpm(proved) => {
                    Box::new(DpsPlace::new(self.services.clone(), guest, Some(*proved)))
                }
                Meant::Hub(hub) => Box::new(HubPlace::new(hub, guest, false)),
                Meant::EventHub(hub) => Box::new(HubPlace::new(hub, guest, true)),
            }
        });
    }
}

impl Place for Lobby {
    fn name(&self) -> &str {
        self.service.as_ref().map_or("AMQP", |service| service.name())
    }

    fn identity(&self) -> (String, Option<String>) {
        self.service.as_ref().map_or_else(
            || (format!("DeviceGateway_{}", hexadecimal_of_chance()), Some("localhost".into())),
            |service| service.identity(),
        )
    }

    fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        if asked.path.eq_ignore_ascii_case("$cbs") {
            if asked.is_sender {
                return Ok(Box::new(CbsNode {
                    services: self.services.clone(),
                    guest: Arc::clone(asked.guest),
                    seat: self.seat.clone(),
                    replies: self.replies.clone(),
                }));
            }
            let outlet = self.replies.outlet(asked).ok_or_else(|| {
                Error::new(condition::RESOURCE_LIMIT_EXCEEDED, "there are too many links from '$cbs'.")
            })?;
            return Ok(Box::new(outlet));
        }
        if self.seat.get().is_none()
            && let Some(meant) = by_address(&self.services, asked.path)
        {
            self.seat.take(meant);
        }
        self.enter(asked.guest);
        match &mut self.service {
            Some(service) => service.attach(asked),
            None => Err(Error::new(
                condition::NOT_FOUND,
                "The messaging entity could not be found: neither the host name nor a token says which service is meant; \
                 use the service's own name.",
            )),
        }
    }

    fn ended(&mut self, reason: &DisconnectReason) {
        if let Some(service) = &mut self.service {
            service.ended(reason);
        }
    }
}
