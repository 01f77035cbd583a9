//! A stretch of network between agent and cloud, as bad as a test wants it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that travel together; smaller than a TLS record.
const CHUNK: usize = 1400;
/// Chunks on their way in one direction.
const ON_ITS_WAY: usize = 512;

/// What the network does, to connections that stand and to new ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// Each direction takes so long, and every `stall_every`th chunk waits `stall` more, as if it had been lost and
    /// sent again. What comes behind it waits too: TCP keeps the order.
    Slow { latency: Duration, stall_every: u64, stall: Duration },
    /// So few bytes at a time in each direction.
    Drip { bytes: usize, every: Duration },
    /// Nothing passes; it goes on where it stood when the weather changes.
    Stalled,
    /// Connections are accepted and everything is swallowed. A connection that was in one stays dead for ever, as
    /// behind a router that has forgotten it.
    BlackHole,
    /// What the cloud says is swallowed, for ever; what the agent says arrives.
    HalfOpen,
    /// Every connection is reset (RST).
    Reset,
    /// Every connection is closed in good order (FIN).
    Cut,
    /// The port is closed, connections are cut.
    Refuse,
}

/// What went through.
#[derive(Debug, Default)]
pub struct Counts {
    accepted: AtomicU64,
    open: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Counts {
    /// Connections accepted from the agent.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that stand.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Bytes passed on to the cloud.
    pub fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes passed on to the agent.
    pub fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }
}

/// The proxy; ends when dropped.
pub struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = watch::Sender::new(Weather::Fair);
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(accept(listener, target, weather.subscribe(), counts.clone()));
        Self { port: address.port(), weather, counts, task }
    }

    /// Where the agent shall connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// What went through so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    let address = listener.local_addr().unwrap();
    let mut listener = listener;
    let mut connections = JoinSet::new();
    loop {
        if *weather.borrow_and_update() == Weather::Refuse {
            drop(listener);
            // The port stays ours: bound, and nobody listens there.
            let socket = bind(address).await;
            if weather.wait_for(|weather| *weather != Weather::Refuse).await.is_err() {
                return;
            }
            listener = socket.listen(1024).unwrap();
        }
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(serve(stream, target, weather.clone(), counts.clone()));
            }
            changed = weather.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn bind(address: SocketAddr) -> TcpSocket {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        if socket.bind(address).is_ok() {
            return socket;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// A connection that stands.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// What the agent says is swallowed.
    up_dead: AtomicBool,
    /// What the cloud says is swallowed.
    down_dead: AtomicBool,
    counts: Arc<Counts>,
}

/// Counts a connection as long as it stands.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    client: TcpStream,
    target: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    counts.open.fetch_add(1, Ordering::Relaxed);
    let _open = Open(counts.clone());
    let now = *weather.borrow_and_update();
    match now {
        Weather::Reset => {
            let _ = client.set_zero_linger();
            return;
        }
        Weather::Cut | Weather::Refuse => return,
        Weather::BlackHole => return swallow(&client).await,
        _ => {}
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let down_dead = AtomicBool::new(now == Weather::HalfOpen);
    let connection = Connection { client, server, up_dead: AtomicBool::new(false), down_dead, counts };
    tokio::select! {
        () = connection.pump(Direction::Up, weather.clone()) => {}
        () = connection.pump(Direction::Down, weather.clone()) => {}
        () = connection.suffer(&mut weather) => return,
    }
    // Who is behind a dead stretch is not told that the other side has gone, until the weather is fair again.
    if connection.up_dead.load(Ordering::Relaxed) || connection.down_dead.load(Ordering::Relaxed) {
        let _ = weather.wait_for(|weather| *weather == Weather::Fair).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Direction {
    Up,
    Down,
}

impl Connection {
    /// Changes with the weather; returns when the weather ends the connection.
    async fn suffer(&self, weather: &mut watch::Receiver<Weather>) {
        while weather.changed().await.is_ok() {
            match *weather.borrow_and_update() {
                Weather::BlackHole => {
                    self.up_dead.store(true, Ordering::Relaxed);
                    self.down_dead.store(true, Ordering::Relaxed);
                }
                Weather::HalfOpen => self.down_dead.store(true, Ordering::Relaxed),
                Weather::Reset => {
                    let _ = (self.client.set_zero_linger(), self.server.set_zero_linger());
                    return;
                }
                Weather::Cut | Weather::Refuse => return,
                Weather::Fair | Weather::Slow { .. } | Weather::Drip { .. } | Weather::Stalled => {}
            }
        }
    }

    /// Carries one direction until it ends.
    async fn pump(&self, direction: Direction, weather: watch::Receiver<Weather>) {
        let (source, sink, dead, count) = match direction {
            Direction::Up => (&self.client, &self.server, &self.up_dead, &self.counts.up),
            Direction::Down => (&self.server, &self.client, &self.down_dead, &self.counts.down),
        };
        // On its way: what was sent stays on its way while more is sent.
        let (sender, on_its_way) = mpsc::channel(ON_ITS_WAY);
        tokio::join!(depart(source, sender, weather.clone()), arrive(sink, on_its_way, weather, dead, count));
    }
}

/// Reads, and notes when each chunk shall arrive.
async fn depart(
    source: &TcpStream,
    sender: mpsc::Sender<(Instant, Vec<u8>)>,
    weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; CHUNK];
    let mut due = Instant::now();
    for chunk in 1.. {
        let length = read(source, &mut buffer).await;
        if length == 0 {
            return;
        }
        let delay = match *weather.borrow() {
            Weather::Slow { latency, stall_every, stall } if stall_every > 0 && chunk % stall_every == 0 => {
                latency + stall
            }
            Weather::Slow { latency, .. } => latency,
            _ => Duration::ZERO,
        };
        due = due.max(Instant::now() + delay);
        if sender.send((due, buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

/// Writes what arrives.
async fn arrive(
    sink: &TcpStream,
    mut on_its_way: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut weather: watch::Receiver<Weather>,
    dead: &AtomicBool,
    count: &AtomicU64,
) {
    while let Some((due, chunk)) = on_its_way.recv().await {
        sleep_until(due).await;
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            let Ok(now) = weather.wait_for(|weather| *weather != Weather::Stalled).await.map(|now| *now)
            else {
                return;
            };
            if dead.load(Ordering::Relaxed) {
                break;
            }
            let (length, pause) = match now {
                Weather::Drip { bytes, every } => (bytes.min(rest.len()), every),
                _ => (rest.len(), Duration::ZERO),
            };
            sleep(pause).await;
            if !write(sink, &rest[..length]).await {
                // The reader learns it from the other direction.
                return;
            }
            count.fetch_add(length as u64, Ordering::Relaxed);
            rest = &rest[length..];
        }
    }
}

/// How many bytes were read; none at the end, in whichever way it came.
async fn read(stream: &TcpStream, buffer: &mut [u8]) -> usize {
    loop {
        if stream.readable().await.is_err() {
            return 0;
        }
        match stream.try_read(buffer) {
            Ok(length) => return length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return 0,
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        if stream.writable().await.is_err() {
            return false;
        }
        match stream.try_write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    true
}

async fn swallow(stream: &TcpStream) {
    let mut buffer = vec![0; CHUNK];
    while read(stream, &mut buffer).await > 0 {}
}
