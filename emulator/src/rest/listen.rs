//! The service port: TLS, HTTP/1.1, and bounds on both.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch};

use super::{
    answer::{self, Answer},
    call::Call,
    respond::respond,
};
use crate::{
    dps::Dps,
    net::{
        door::{self, Listening},
        tls::Entrance,
    },
};

/// For the TLS handshake, for the head of each request, and for its body.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hundred devices in one bulk request, each with a full twin.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Listens on `address` (port 0 picks a free one) and serves up to `max_connections` clients at a time.
pub(crate) async fn listen(
    address: SocketAddr,
    entrance: Entrance,
    services: Dps,
    max_connections: usize,
) -> io::Result<Listening> {
    door::listen(address, max_connections, move |stream, peer, shutdown| {
        serve(stream, peer, Door { services: services.clone(), entrance: entrance.clone(), shutdown })
    })
    .await
}

/// What every connection needs.
struct Door {
    services: Dps,
    entrance: Entrance,
    shutdown: watch::Receiver<bool>,
}

async fn serve(stream: TcpStream, peer: SocketAddr, mut door: Door) {
    let handshake =
        tokio::time::timeout(PATIENCE, door.entrance.accept(stream, |name| door.services.host_kind(name)));
    let stream = tokio::select! {
        _ = door.shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS with a service client failed");
                return;
            }
            Err(_elapsed) => return,
        }
    };
    let services = door.services;
    let service = service_fn(move |request| {
        let services = services.clone();
        async move { Ok::<_, Infallible>(answer(request, &services).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        _ = door.shutdown.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        ended = &mut connection => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a service connection ended");
    }
}

async fn answer(request: Request<Incoming>, services: &Dps) -> Answer {
    let (parts, body) = request.into_parts();
    let target = format!("{} {}", parts.method, parts.uri.path());
    let read = Limited::new(body, BODY_LIMIT).collect();
    let answer = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(body)) => respond(services, &Call::new(parts, body.to_bytes())).await,
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => answer::json(
            413,
            &serde_json::json!({"Message": format!("ErrorCode:MessageTooLarge;a request has at most {BODY_LIMIT} bytes")}),
        ),
        Ok(Err(_)) | Err(_) => answer::json(
            408,
            &serde_json::json!({"Message": "ErrorCode:RequestTimeout;the body of the request did not come"}),
        ),
    };
    tracing::trace!(target: "tracker_emulator::wire", "{target} -> {}", answer.status().as_u16());
    answer
}
