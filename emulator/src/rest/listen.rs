//! The service port: TLS, HTTP/1.1, and bounds on both; WebSockets go on to the front.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Parts},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{
    answer::{self, Answer},
    blobs,
    call::{APPLICATION, Call},
    respond::respond,
    spelling::{as_written, spelled},
    upgrade::{self, Inner, NoUpgrade, Offer},
};
use crate::{
    amqp::{self, House, Visit},
    dps::Dps,
    events::{EventBus, EventKind},
    front::{self, AmqpReception, Arrival, Reception},
    lock::lock,
    net::{
        door::{self, Listening},
        tls::Entrance,
        websocket::WebSocketStream,
    },
    security::sas::without_port,
};

/// For the TLS handshake, for the head of each request, and for its body.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hundred devices in one bulk request, each with a full twin.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// One place in so many is never taken by a WebSocket: those stay, and calls are to come through beside them.
const KEPT_FREE: usize = 8;

/// Listens on `address` (port 0 picks a free one) and serves up to `max_connections` clients at a time.
pub(crate) async fn listen(
    address: SocketAddr,
    entrance: Entrance,
    services: Dps,
    events: EventBus,
    max_connections: usize,
) -> io::Result<Listening> {
    let places = Arc::new(Semaphore::new(max_connections - max_connections / KEPT_FREE));
    door::listen(address, max_connections, move |stream, peer, shutdown| {
        let reception = Reception { dps: services.clone(), events: events.clone(), shutdown };
        serve(stream, peer, Door { reception, entrance: entrance.clone(), places: Arc::clone(&places) })
    })
    .await
}

/// What every connection needs.
struct Door {
    reception: Reception,
    entrance: Entrance,
    /// For WebSockets.
    places: Arc<Semaphore>,
}

/// One client, for as long as it makes calls.
struct Visitor {
    reception: Reception,
    arrival: Arrival,
    places: Arc<Semaphore>,
    /// Where its last call leads to, if it is the last.
    upgrade: Mutex<Option<Upgrade>>,
}

/// A WebSocket that has been promised.
struct Upgrade {
    offer: Offer,
    arrival: Arrival,
    stream: OnUpgrade,
    place: OwnedSemaphorePermit,
}

async fn serve(stream: TcpStream, peer: SocketAddr, door: Door) {
    let Door { mut reception, entrance, places } = door;
    let handshake =
        tokio::time::timeout(PATIENCE, entrance.accept(stream, |name| reception.dps.host_kind(name)));
    let accepted = tokio::select! {
        _ = reception.shutdown.changed() => return,
        accepted = handshake => match accepted {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS with a service client failed");
                return;
            }
            Err(_elapsed) => return,
        }
    };
    let arrival = Arrival::of(peer, &accepted);
    converse(accepted.stream, arrival, reception, places).await;
}

/// Answers calls until there are no more, or one leads to a WebSocket, and then serves that. `places`: for WebSockets.
pub(crate) async fn converse<S>(stream: S, arrival: Arrival, mut reception: Reception, places: Arc<Semaphore>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visitor =
        Arc::new(Visitor { reception: reception.clone(), arrival, places, upgrade: Mutex::default() });
    let service = service_fn(|request| {
        let visitor = Arc::clone(&visitor);
        async move { Ok::<_, Infallible>(visitor.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .preserve_header_case(true)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        _ = reception.shutdown.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
            return;
        }
        ended = &mut connection => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(peer = visitor.arrival.name, %error, "a service connection ended");
    }
    let upgrade = lock(&visitor.upgrade).take();
    if let Some(upgrade) = upgrade {
        upgrade.serve::<S>(reception).await;
    }
}

impl Visitor {
    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let on_upgrade = hyper::upgrade::on(&mut request);
        let version = request.version();
        let (parts, body) = request.into_parts();
        let target = format!("{} {}", parts.method, parts.uri.path());
        let application = as_written(&parts.headers, &parts.extensions, APPLICATION).await;
        let call = Call::new(parts, Bytes::new())
            .with_application_properties(application)
            .with_certificates(Arc::clone(&self.arrival.certificates));
        let answer = if upgrade::is_meant(&call) {
            self.promise(&call, version, on_upgrade)
        } else if blobs::is_meant(&call) {
            let dps = &self.reception.dps;
            blobs::respond(dps.storage(), &call, body, dps.clock().now()).await
        } else {
            self.call(call, body).await
        };
        tracing::trace!(target: "tracker_emulator::wire", "{target} -> {}", answer.status().as_u16());
        spelled(answer).await
    }

    async fn call(&self, mut call: Call, body: Incoming) -> Answer {
        let read = Limited::new(body, BODY_LIMIT).collect();
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(body)) => {
                call.body = body.to_bytes();
                respond(&self.reception.dps, &call).await
            }
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => answer::json(
                413,
                &serde_json::json!({"Message": format!("ErrorCode:MessageTooLarge;a request has at most {BODY_LIMIT} bytes")}),
            ),
            Ok(Err(_)) | Err(_) => answer::json(
                408,
                &serde_json::json!({"Message": "ErrorCode:RequestTimeout;the body of the request did not come"}),
            ),
        }
    }

    /// Promises a WebSocket, or says why there is none.
    fn promise(&self, call: &Call, version: hyper::Version, stream: OnUpgrade) -> Answer {
        let offer = upgrade::judge(call, version).and_then(|offer| {
            let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| NoUpgrade {
                status: 503,
                reason: "as many WebSockets are open as this emulator has room for".into(),
            })?;
            Ok((offer, place))
        });
        match offer {
            Ok((offer, place)) => {
                let answer = offer.answer();
                let mut arrival = self.arrival.clone();
                if !offer.takes_certificate {
                    arrival.certificates = Arc::default();
                }
                // An address has no name in the handshake.
                arrival.server_name.get_or_insert_with(|| without_port(call.host()).to_owned());
                *lock(&self.upgrade) = Some(Upgrade { offer, arrival, stream, place });
                answer
            }
            Err(no) => {
                self.reception.events.tell(EventKind::ConnectionRefused {
                    service: String::new(),
                    client_id: String::new(),
                    code: None,
                    reason: format!("WebSocket for {}: {}: {}", self.arrival.name, no.status, no.reason),
                });
                no.answer(self.reception.dps.clock().now())
            }
        }
    }
}

impl Upgrade {
    /// Serves what goes through the WebSocket to its end.
    async fn serve<S>(self, reception: Reception)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { offer, arrival, stream, place } = self;
        // It is there: the connection has ended by giving it up.
        let upgraded = match stream.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(peer = arrival.name, %error, "a WebSocket did not come about");
                return;
            }
        };
        let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<S>>() else {
            return;
        };
        let stream = WebSocketStream::new(io.into_inner(), read_buf.to_vec(), reception.shutdown.clone());
        match offer.inner {
            Inner::Mqtt => front::receive(stream, arrival, reception).await,
            Inner::Amqp => {
                let Reception { dps, events, shutdown } = reception;
                let house = House { clock: Arc::clone(dps.clock()), events, shutdown };
                let Arrival { name, server_name, certificates } = arrival;
                let visit = Visit { peer: name, server_name, certificates: certificates.to_vec() };
                amqp::serve(stream, visit, AmqpReception::new(dps), house).await;
            }
        }
        drop(place);
    }
}
