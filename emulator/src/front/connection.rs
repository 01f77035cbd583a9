//! One connection until it is known whose it is.

use std::{net::SocketAddr, time::Duration};

use rustls::pki_types::CertificateDer;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracker_protocol::{dps::DpsUsername, hub::HubUsername};

use crate::{
    dps::{self, Dps},
    events::{EventBus, EventKind},
    hub,
    mqtt::{Connect, ConnectCode, Link, Packet},
    session::{PeerCertificates, shown},
};

/// For the TLS handshake, and then for CONNECT to arrive. Microsoft's SDKs wait up to a minute under load; a client
/// that sends nothing is not to hold its place for longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the last bytes and the closing of TLS.
const FAREWELL: Duration = Duration::from_millis(500);

/// CONNECT carries client identifier, user name, password, and a will of at most one message.
const CONNECT_LIMIT: usize = 400 * 1024;

/// A device ID, a slash and a module ID, each of 128.
const MAX_CLIENT_ID: usize = 257;

/// Longer than any user name with all its parameters.
const MAX_USER_NAME: usize = 4096;

/// Certificates looked at in a presented chain.
const MAX_CHAIN: usize = 10;

/// What every connection needs.
pub(super) struct Shared {
    pub dps: Dps,
    pub events: EventBus,
    pub acceptor: TlsAcceptor,
    pub shutdown: watch::Receiver<bool>,
}

/// Serves a connection from TLS to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, mut shared: Shared) {
    let failed = |reason: String| {
        shared.events.tell(EventKind::HandshakeFailed { peer: peer.to_string(), reason });
    };
    let handshake = timeout(PATIENCE, shared.acceptor.accept(stream));
    let stream = tokio::select! {
        _ = shared.shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return failed(error.to_string()),
            Err(_elapsed) => return failed(format!("not done within {PATIENCE:?}")),
        }
    };
    let presented = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    if let Some(name) = stream.get_ref().1.server_name() {
        tracing::trace!(target: "tracker_emulator::wire", connection = %peer, "TLS, server name {name}");
    }
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
        Ok(Ok(Packet::Connect(connect))) => dispatch(&mut link, *connect, &presented, &shared).await,
        Ok(Ok(other)) => refused(format!("the first packet is {other}, not CONNECT")),
        Ok(Err(error)) => refused(format!("before CONNECT: {error}")),
        Err(_elapsed) => refused(format!("no CONNECT within {PATIENCE:?}")),
    }
    link.close(FAREWELL).await;
}

async fn dispatch(
    link: &mut Link<TlsStream<TcpStream>>,
    connect: Connect,
    presented: &[CertificateDer<'static>],
    shared: &Shared,
) {
    let refuse = |link: &mut Link<_>, service: &str, code: ConnectCode, reason: String| {
        link.queue(&Packet::ConnAck { session_present: false, code });
        shared.events.tell(EventKind::ConnectionRefused {
            service: service.to_owned(),
            client_id: shown(&connect.client_id),
            code: Some(code as u8),
            reason,
        });
    };
    if connect.protocol_level != 4 {
        let reason = format!("MQTT protocol level {}; the services speak 3.1.1 (4)", connect.protocol_level);
        return refuse(link, "", ConnectCode::UnacceptableProtocolVersion, reason);
    }
    if connect.client_id.len() > MAX_CLIENT_ID {
        let reason =
            format!("a client identifier of {} bytes; the limit is {MAX_CLIENT_ID}", connect.client_id.len());
        return refuse(link, "", ConnectCode::IdentifierRejected, reason);
    }
    let Some(user_name) = connect.user_name.clone() else {
        return refuse(link, "", ConnectCode::NotAuthorized, "no user name".into());
    };
    if user_name.len() > MAX_USER_NAME {
        let reason = format!("a user name of {} bytes; the limit is {MAX_USER_NAME}", user_name.len());
        return refuse(link, "", ConnectCode::NotAuthorized, reason);
    }
    let dps_error = match user_name.parse::<DpsUsername>() {
        Ok(user_name) => {
            let certificates = PeerCertificates::read(presented, MAX_CHAIN);
            let shutdown = shared.shutdown.clone();
            return dps::serve(&shared.dps, link, connect, user_name, &certificates, shutdown).await;
        }
        Err(error) => error,
    };
    let hub_user_name = match user_name.parse::<HubUsername>() {
        Ok(user_name) => user_name,
        Err(hub_error) => {
            let reason =
                format!("the user name is neither one for DPS ({dps_error}) nor for a hub ({hub_error})");
            return refuse(link, "", ConnectCode::NotAuthorized, reason);
        }
    };
    // In full: the short form is a convenience of the Rust API.
    let hub = shared.dps.hub(&hub_user_name.hub);
    let Some(hub) = hub.filter(|hub| hub.name().eq_ignore_ascii_case(&hub_user_name.hub)) else {
        let reason = format!("there is no hub \"{}\"", hub_user_name.hub);
        return refuse(link, &hub_user_name.hub, ConnectCode::NotAuthorized, reason);
    };
    // A hub knows devices by their leaf, whoever has signed it.
    let certificates = PeerCertificates::read(presented, 1);
    hub::serve(&hub, link, connect, hub_user_name, certificates.leaf(), shared.shutdown.clone()).await;
}
