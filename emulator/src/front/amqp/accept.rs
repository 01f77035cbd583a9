//! The port of AMQP over TLS.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, sync::watch, time::timeout};
use tracker_tls::Accepted;

use super::AmqpReception;
use crate::{
    amqp::{House, Visit, serve},
    dps::Dps,
    events::{EventBus, EventKind},
    front::no_handshake::why_not,
    net::{
        door::{self, Listening},
        tls::Entrance,
    },
};

/// For the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(20);

/// Listens on `address` (port 0 picks a free one) and serves up to `max_connections` clients at a time.
pub(crate) async fn accept(
    address: SocketAddr,
    entrance: Entrance,
    services: Dps,
    max_connections: usize,
) -> io::Result<Listening> {
    door::listen(address, max_connections, move |stream, peer, shutdown| {
        welcome(stream, peer, entrance.clone(), services.clone(), shutdown)
    })
    .await
}

async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
    services: Dps,
    mut shutdown: watch::Receiver<bool>,
) {
    let events: EventBus = services.events().clone();
    let failed = |reason: String| {
        events.tell(EventKind::HandshakeFailed { peer: peer.to_string(), reason });
    };
    let handshake = timeout(PATIENCE, entrance.accept(stream, |name| services.host_kind(name)));
    let Accepted { stream, server_name } = tokio::select! {
        _ = shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => return failed(why_not(&error)),
            Err(_elapsed) => return failed(format!("not done within {PATIENCE:?}")),
        }
    };
    let visit = Visit {
        peer: peer.to_string(),
        server_name: server_name.map(Into::into),
        certificates: stream.state().peer_certificates().unwrap_or_default().to_vec(),
    };
    let house = House { clock: services.clock().clone(), events: events.clone(), shutdown };
    serve(stream, visit, AmqpReception::new(services), house).await;
}
