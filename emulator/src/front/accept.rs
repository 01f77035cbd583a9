//! The port of the devices.

use std::{io, net::SocketAddr};

use super::connection::{self, Reception};
use crate::{
    dps::Dps,
    events::EventBus,
    net::{
        door::{self, Listening},
        tls::Entrance,
    },
};

/// Listens on `address` (port 0 picks a free one) and serves up to `max_connections` devices at a time.
pub(crate) async fn accept(
    address: SocketAddr,
    entrance: Entrance,
    dps: Dps,
    events: EventBus,
    max_connections: usize,
) -> io::Result<Listening> {
    door::listen(address, max_connections, move |stream, peer, shutdown| {
        let reception = Reception { dps: dps.clone(), events: events.clone(), shutdown };
        connection::serve(stream, peer, entrance.clone(), reception)
    })
    .await
}
