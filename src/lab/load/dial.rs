//! TCP from a source address of one's own choice. Names are looked up once for all devices.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::fault::{Fault, FaultKind};
use super::sources::Sources;
use crate::config::Endpoint;
use crate::link::dial::resolve;

/// What a name has told is believed so long.
const FRESH: Duration = Duration::from_secs(30);
/// A SYN is sent again after 1, 3, 7 and 15 s.
const WITHIN: Duration = Duration::from_secs(20);

/// Ways to servers.
#[derive(Debug, Default)]
pub(super) struct Roads {
    sources: Sources,
    known: Mutex<Vec<(Endpoint, Instant, SocketAddr)>>,
}

impl Roads {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, known: Mutex::default() }
    }

    /// Connects the device of this number.
    pub(super) async fn dial(&self, number: u32, endpoint: &Endpoint) -> Result<TcpStream, Fault> {
        let to = self.address(endpoint).await?;
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|error| Fault::of_tcp(&error, &endpoint.to_string()))?;
        let mut place = endpoint.to_string();
        if let Some(source) = self.sources.of(number) {
            bind(&socket, source)?;
            place = format!("{place} from {source}");
        }
        match timeout(WITHIN, socket.connect(to)).await {
            Ok(connected) => connected.map_err(|error| Fault::of_tcp(&error, &place)),
            Err(_) => Err(Fault::new(FaultKind::Silent, format!("{place} does not answer"))),
        }
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

fn bind(socket: &TcpSocket, source: IpAddr) -> Result<(), Fault> {
    socket.bind(SocketAddr::new(source, 0)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => {
            Fault::new(FaultKind::BadSource, format!("{source} is no address of this machine"))
        }
        _ => Fault::of_tcp(&error, &source.to_string()),
    })
}
