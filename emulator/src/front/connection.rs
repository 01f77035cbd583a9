//! One connection until it is known whose it is.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{pki_types::CertificateDer, server::UnbufferedServerConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tracker_protocol::hub_v5::MAX_KEEP_ALIVE;
use tracker_tls::{Accepted, TlsStream};

use super::{
    dispatch::{Client, five_hub, open},
    no_handshake::why_not,
};
use crate::{
    dps::{Dps, RegistrationSession},
    events::{EventBus, EventKind},
    hub::{DeviceSession, Hub, open_five},
    mqtt::{Connect, Link, Packet},
    net::tls::Entrance,
    session::{PeerCertificates, Refused, Session, refuse, serve as serve_session},
};

/// For the TLS handshake, and then for CONNECT to arrive. Microsoft's SDKs wait up to a minute under load; a client
/// that sends nothing is not to hold its place for longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the last bytes and the closing of TLS.
const FAREWELL: Duration = Duration::from_millis(500);

/// CONNECT carries client identifier, user name, password, and a will of at most one message.
const CONNECT_LIMIT: usize = 400 * 1024;

/// Where every client comes to.
#[derive(Clone)]
pub(crate) struct Reception {
    pub dps: Dps,
    pub events: EventBus,
    pub shutdown: watch::Receiver<bool>,
}

/// A client whose TLS is done.
#[derive(Clone)]
pub(crate) struct Arrival {
    /// Stands for the connection in the log of exchanges.
    pub name: String,
    /// The host that it means: as the handshake has it, or the head of a request.
    pub server_name: Option<String>,
    /// What it presented, leaf first. It holds the key of the leaf.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl Arrival {
    /// As the handshake says.
    pub(crate) fn of(peer: SocketAddr, accepted: &Accepted<TcpStream>) -> Self {
        let Accepted { stream, server_name } = accepted;
        if let Some(name) = server_name {
            tracing::trace!(target: "tracker_emulator::wire", connection = %peer, "TLS, server name {name}");
        }
        Self {
            name: peer.to_string(),
            server_name: server_name.as_deref().map(str::to_owned),
            certificates: stream.state().peer_certificates().unwrap_or_default().into(),
        }
    }
}

/// Serves a connection from TLS to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, entrance: Entrance, mut reception: Reception) {
    let failed = |reason: String| {
        reception.events.tell(EventKind::HandshakeFailed { peer: peer.to_string(), reason });
    };
    // In a place of its own, which is given back when it is done: it takes more than all that comes after. What comes of it is
    // handed on, and is not to have room in each that hands it on.
    let handshake = Box::pin(timeout(PATIENCE, async {
        entrance.accept(stream, |name| reception.dps.host_kind(name)).await.map(Box::new)
    }));
    let accepted = tokio::select! {
        _ = reception.shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => return failed(why_not(&error)),
            Err(_elapsed) => return failed(format!("not done within {PATIENCE:?}")),
        }
    };
    let arrival = Arrival::of(peer, &accepted);
    receive(stream_of(accepted), arrival, reception).await;
}

/// Nothing else of it waits for the end of the connection.
#[expect(clippy::boxed_local, reason = "it is taken out of the box that the handshake was in")]
fn stream_of<IO>(accepted: Box<Accepted<IO>>) -> TlsStream<IO, UnbufferedServerConnection> {
    accepted.stream
}

/// Serves a client of MQTT from its first packet to its end, whatever its bytes come through.
pub(crate) fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    arrival: Arrival,
    reception: Reception,
) -> impl Future<Output = ()> {
    // In a box before anything waits: what is handed on and on by itself has room in each that hands it on.
    let link = Box::new(Link::new(arrival.name.clone(), stream, CONNECT_LIMIT));
    attend(link, arrival, reception)
}

async fn attend<S: AsyncRead + AsyncWrite + Unpin>(
    mut link: Box<Link<S>>,
    arrival: Arrival,
    mut reception: Reception,
) {
    let first = tokio::select! {
        _ = reception.shutdown.changed() => return link.close(FAREWELL).await,
        first = timeout(PATIENCE, link.next()) => first,
    };
    let refused = |reason: String| {
        reception.events.tell(EventKind::ConnectionRefused {
            service: String::new(),
            client_id: String::new(),
            code: None,
            reason,
        });
    };
    match first {
        Ok(Ok(Packet::Connect(connect))) => dispatch(&mut link, connect, arrival, &reception).await,
        Ok(Ok(other)) => refused(format!("the first packet is {other}, not CONNECT")),
        Ok(Err(error)) => refused(format!("before CONNECT: {error}")),
        Err(_elapsed) => refused(format!("no CONNECT within {PATIENCE:?}")),
    }
    link.close(FAREWELL).await;
}

/// A client that was let in, ready to be served.
enum Guest {
    Dps(Box<Session<RegistrationSession>>),
    Hub(Box<Session<DeviceSession>>),
}

impl Guest {
    /// Who has been let in is not asked for certificates again.
    fn open(reception: &Reception, connect: Connect, arrival: Arrival) -> Result<Self, Refused> {
        let certificates = arrival.certificates;
        Ok(match open(&reception.dps, connect, &certificates)? {
            Client::Dps(service) => Self::Dps(Box::new(Session::new(service))),
            Client::Hub(service) => Self::Hub(Box::new(Session::new(service))),
        })
    }
}

/// Hands the client to its service, or refuses it.
async fn dispatch<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<S>,
    connect: Box<Connect>,
    arrival: Arrival,
    reception: &Reception,
) {
    if let Some(hub) = five_hub(&reception.dps, &connect, arrival.server_name.as_deref()) {
        return Box::pin(serve_five(link, hub, *connect, arrival, reception)).await;
    }
    let keep_alive = connect.keep_alive;
    let shutdown = reception.shutdown.clone();
    match Guest::open(reception, *connect, arrival) {
        Ok(Guest::Dps(session)) => serve_session(link, session, keep_alive, shutdown).await,
        Ok(Guest::Hub(session)) => serve_session(link, session, keep_alive, shutdown).await,
        Err(refused) => refuse(link, refused, &reception.events),
    }
}

/// The same at a hub of MQTT 5.
async fn serve_five<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<S>,
    hub: Hub,
    connect: Connect,
    arrival: Arrival,
    reception: &Reception,
) {
    let keep_alive = match connect.keep_alive {
        0 => MAX_KEEP_ALIVE,
        seconds => seconds.min(MAX_KEEP_ALIVE),
    };
    let opened = open_five(&hub, connect, &PeerCertificates::readable(&arrival.certificates));
    drop(arrival);
    match opened {
        Ok(service) => {
            let session = Box::new(Session::new(service));
            serve_session(link, session, keep_alive, reception.shutdown.clone()).await;
        }
        Err(refused) => {
            link.queue(&refused.answer());
            reception.events.tell(refused.event());
        }
    }
}
