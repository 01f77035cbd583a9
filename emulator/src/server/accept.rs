//! The accept loop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::connection;
use crate::{dps::Dps, events::EventBus};

/// How long connections may take to say goodbye at shutdown.
const FAREWELL: Duration = Duration::from_millis(700);

/// How long to wait when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Shared {
    pub dps: Dps,
    pub events: EventBus,
    pub acceptor: TlsAcceptor,
    pub shutdown: watch::Receiver<bool>,
}

/// A running accept loop.
pub(crate) struct Listening {
    pub address: SocketAddr,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Stops listening, ends all connections, and returns when they are gone; within a second.
    pub(crate) async fn stop(self) {
        // The receivers are gone only if the loop is.
        let _ = self.shutdown.send(true);
        let _ = self.task.await;
    }
}

/// Listens on `address` (port 0 picks a free one) and serves up to `max_connections` at a time.
pub(crate) async fn accept(
    address: SocketAddr,
    config: Arc<rustls::ServerConfig>,
    dps: Dps,
    events: EventBus,
    max_connections: usize,
) -> io::Result<Listening> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (sender, receiver) = watch::channel(false);
    let shared = Shared { dps, events, acceptor: TlsAcceptor::from(config), shutdown: receiver };
    let task = tokio::spawn(run(listener, shared, max_connections));
    Ok(Listening { address, shutdown: sender, task })
}

async fn run(listener: TcpListener, shared: Shared, max_connections: usize) {
    let mut shutdown = shared.shutdown.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = shutdown.changed() => break,
            Some(_) = connections.join_next() => {}
            // With all places taken, newcomers wait in the system's queue.
            accepted = listener.accept(), if connections.len() < max_connections => match accepted {
                Ok((stream, peer)) => begin(&mut connections, stream, peer, &shared),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
    drop(listener);
    let farewell = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        connections.shutdown().await;
    }
}

fn begin(connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr, shared: &Shared) {
    // Answers are small and waited for. A stream that cannot be set so works all the same.
    let _ = stream.set_nodelay(true);
    connections.spawn(connection::serve(stream, peer, shared.clone()));
}
