//! A port with a bounded number of guests: accepts connections, serves each on a task of its own, and ends them all in
//! order.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How long connections may take to say goodbye at shutdown.
const FAREWELL: Duration = Duration::from_millis(700);

/// How long to wait when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

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

/// Listens on `address` (port 0 picks a free one) and has up to `max_connections` served at a time. `serve` is given the
/// connection, its other end, and a word when the emulator shuts down.
pub(crate) async fn listen<F>(
    address: SocketAddr,
    max_connections: usize,
    serve: impl Fn(TcpStream, SocketAddr, watch::Receiver<bool>) -> F + Send + 'static,
) -> io::Result<Listening>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (sender, shutdown) = watch::channel(false);
    let begin = move |connections: &mut JoinSet<()>, stream: TcpStream, peer, shutdown| {
        // Answers are small and waited for. A stream that can't be set so works all the same.
        let _ = stream.set_nodelay(true);
        connections.spawn(serve(stream, peer, shutdown));
    };
    let task = tokio::spawn(run(listener, max_connections, shutdown, begin));
    Ok(Listening { address, shutdown: sender, task })
}

async fn run(
    listener: TcpListener,
    max_connections: usize,
    mut shutdown: watch::Receiver<bool>,
    begin: impl Fn(&mut JoinSet<()>, TcpStream, SocketAddr, watch::Receiver<bool>),
) {
    let mut connections = JoinSet::new();
    let for_connections = shutdown.clone();
    let mut is_told = false;
    loop {
        let is_full = connections.len() >= max_connections;
        if is_full && !is_told {
            tracing::warn!(
                "all {max_connections} places for connections are taken: newcomers wait until one is free"
            );
        }
        is_told = is_full || (is_told && connections.len() > max_connections / 2);
        tokio::select! {
            _ = shutdown.changed() => break,
            Some(_) = connections.join_next() => {}
            // With all places taken, newcomers wait in the system's queue.
            accepted = listener.accept(), if !is_full => match accepted {
                Ok((stream, peer)) => begin(&mut connections, stream, peer, for_connections.clone()),
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
