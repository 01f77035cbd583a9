//! One connection until it is known whose it is.

use std::{net::SocketAddr, time::Duration};

use rustls::pki_types::CertificateDer;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::server::TlsStream;
use tracker_protocol::hub_v5::MAX_KEEP_ALIVE;

use super::{
    dispatch::{Client, MAX_CHAIN, five_hub, open},
    no_handshake::why_not,
};
use crate::{
    dps::Dps,
    events::{EventBus, EventKind},
    hub::{Hub, open_five},
    mqtt::{Connect, Link, Packet},
    net::tls::Entrance,
    session::{PeerCertificates, refuse, serve as serve_session},
};

/// For the TLS handshake, and then for CONNECT to arrive. Microsoft's SDKs wait up to a minute under load; a client
/// that sends nothing is not to hold its place for longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the last bytes and the closing of TLS.
const FAREWELL: Duration = Duration::from_millis(500);

/// CONNECT carries client identifier, user name, password, and a will of at most one message.
const CONNECT_LIMIT: usize = 400 * 1024;

/// What every connection needs.
pub(super) struct Shared {
    pub dps: Dps,
    pub events: EventBus,
    pub entrance: Entrance,
    pub shutdown: watch::Receiver<bool>,
}

/// Serves a connection from TLS to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, mut shared: Shared) {
    let failed = |reason: String| {
        shared.events.tell(EventKind::HandshakeFailed { peer: peer.to_string(), reason });
    };
    let handshake = timeout(PATIENCE, shared.entrance.accept(stream, |name| shared.dps.host_kind(name)));
    let stream = tokio::select! {
        _ = shared.shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return failed(why_not(&error)),
            Err(_elapsed) => return failed(format!("not done within {PATIENCE:?}")),
        }
    };
    let presented = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    if let Some(name) = stream.get_ref().1.server_name() {
        tracing::trace!(target: "tracker_emulator::wire", connection = %peer, "TLS, server name {name}");
    }
    let server_name = stream.get_ref().1.server_name().map(str::to_owned);
    let mut link = Link::new(peer.to_string(), stream, CONNECT_LIMIT);
    let first = tokio::select! {
        _ = shared.shutdown.changed() => return,
        first = timeout(PATIENCE, link.next()) => first,
    };
    let refused = |reason: String| {
        shared.events.tell(EventKind::ConnectionRefused {
            service: String::new(),
            client_id: String::new(),
            code: None,
            reason,
        });
    };
    match first {
        Ok(Ok(Packet::Connect(connect))) => {
            dispatch(&mut link, *connect, server_name.as_deref(), &presented, &shared).await;
        }
        Ok(Ok(other)) => refused(format!("the first packet is {other}, not CONNECT")),
        Ok(Err(error)) => refused(format!("before CONNECT: {error}")),
        Err(_elapsed) => refused(format!("no CONNECT within {PATIENCE:?}")),
    }
    link.close(FAREWELL).await;
}

/// Hands the client to its service, or refuses it.
async fn dispatch(
    link: &mut Link<TlsStream<TcpStream>>,
    connect: Connect,
    server_name: Option<&str>,
    presented: &[CertificateDer<'static>],
    shared: &Shared,
) {
    if let Some(hub) = five_hub(&shared.dps, &connect, server_name) {
        return serve_five(link, &hub, connect, presented, shared).await;
    }
    let keep_alive = connect.keep_alive;
    let shutdown = shared.shutdown.clone();
    match open(&shared.dps, connect, presented) {
        Ok(Client::Dps(service)) => serve_session(link, service, keep_alive, shutdown).await,
        Ok(Client::Hub(service)) => serve_session(link, service, keep_alive, shutdown).await,
        Err(refused) => refuse(link, refused, &shared.events),
    }
}

/// The same at a hub of MQTT 5.
async fn serve_five(
    link: &mut Link<TlsStream<TcpStream>>,
    hub: &Hub,
    connect: Connect,
    presented: &[CertificateDer<'static>],
    shared: &Shared,
) {
    let keep_alive = match connect.keep_alive {
        0 => MAX_KEEP_ALIVE,
        seconds => seconds.min(MAX_KEEP_ALIVE),
    };
    let certificates = PeerCertificates::readable(presented, MAX_CHAIN);
    match open_five(hub, connect, &certificates) {
        Ok(service) => serve_session(link, service, keep_alive, shared.shutdown.clone()).await,
        Err(refused) => {
            link.queue(&refused.answer());
            shared.events.tell(refused.event());
        }
    }
}
