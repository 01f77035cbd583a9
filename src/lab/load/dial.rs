//! TCP from a source address of one's own choice. Names are looked up once for all devices.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::fault::{Fault, FaultKind};
use super::resources::ports;
use super::sources::Sources;
use crate::config::Endpoint;
use crate::link::dial::resolve;

/// What a name has told is believed so long.
const FRESH: Duration = Duration::from_secs(30);
/// A SYN is sent again after 1, 3, 7 and 15 s.
const WITHIN: Duration = Duration::from_secs(20);
/// Until the system is left to find one.
const PORTS_TRIED: usize = 64;

/// Ways to servers.
#[derive(Debug, Default)]
pub(super) struct Roads {
    sources: Sources,
    /// Those that the system gives connections, where it says.
    ports: Option<(u16, u16)>,
    known: Mutex<Vec<(Endpoint, Instant, SocketAddr)>>,
}

impl Roads {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, ports: ports(), known: Mutex::default() }
    }

    /// Connects the device of this number.
    pub(super) async fn dial(&self, number: u32, endpoint: &Endpoint) -> Result<TcpStream, Fault> {
        let to = self.address(endpoint).await?;
        let source = self.sources.of(number);
        let place = source.map_or(endpoint.to_string(), |source| format!("{endpoint} from {source}"));
        let connecting = async {
            match source {
                None => socket(to, &place)?.connect(to).await.map_err(|error| Fault::of_tcp(&error, &place)),
                Some(source) => self.dial_from(source, to, &place).await,
            }
        };
        match timeout(WITHIN, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(Fault::new(FaultKind::Silent, format!("{place} does not answer"))),
        }
    }

    /// From this address. A system that is to find a port looks for one that nobody uses there, whatever server it is for: that takes
    /// the longer the more are taken, and a port is good for one connection to each server. So one is drawn here, and another one where
    /// it is taken.
    async fn dial_from(&self, source: IpAddr, to: SocketAddr, place: &str) -> Result<TcpStream, Fault> {
        for _ in 1..PORTS_TRIED {
            let socket = socket(to, place)?;
            let port = self.ports.map_or(0, |(first, last)| rand::random_range(first..=last));
            // Or it could not be at two servers. Without it, the port is only harder to find.
            let _ = socket.set_reuseaddr(port != 0);
            match bind(&socket, source, port) {
                Err(fault) if fault.kind == FaultKind::OutOfPorts => continue,
                bound => bound?,
            }
            match socket.connect(to).await.map_err(|error| Fault::of_tcp(&error, place)) {
                Err(fault) if fault.kind == FaultKind::OutOfPorts => {}
                connected => return connected,
            }
        }
        let socket = socket(to, place)?;
        bind(&socket, source, 0)?;
        socket.connect(to).await.map_err(|error| Fault::of_tcp(&error, place))
    }

    async fn address(&self, endpoint: &Endpoint) -> Result<SocketAddr, Fault> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().iter().find(|(of, ..)| of == endpoint).map(|(_, at, address)| (*at, *address));
        if let Some((at, address)) = found
            && at.elapsed() < FRESH
        {
            return Ok(address);
        }
        let resolved = resolve(endpoint).await;
        let of_family = |address: &&SocketAddr| {
            self.sources.of(0).is_none_or(|source| source.is_ipv4() == address.is_ipv4())
        };
        // Emulators listen on IPv4 unless told otherwise, and `localhost` is both.
        let first = |all: Vec<SocketAddr>| {
            let fit = || all.iter().filter(of_family);
            fit().find(|address| address.is_ipv4()).or_else(|| fit().next()).copied()
        };
        let address = match (resolved.map(first), found) {
            (Ok(Some(address)), _) | (Err(_), Some((_, address))) => address,
            (Ok(None), _) => {
                let why = format!("{endpoint} has no address of the kind that --source names");
                return Err(Fault::new(FaultKind::BadSource, why));
            }
            (Err(error), None) => return Err(error.into()),
        };
        let mut known = known();
        known.retain(|(of, ..)| of != endpoint);
        known.push((endpoint.clone(), Instant::now(), address));
        Ok(address)
    }
}

fn socket(to: SocketAddr, place: &str) -> Result<TcpSocket, Fault> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    socket.map_err(|error| Fault::of_tcp(&error, place))
}

fn bind(socket: &TcpSocket, source: IpAddr, port: u16) -> Result<(), Fault> {
    socket.bind(SocketAddr::new(source, port)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => {
            Fault::new(FaultKind::BadSource, format!("{source} is no address of this machine"))
        }
        _ => Fault::of_tcp(&error, &source.to_string()),
    })
}
