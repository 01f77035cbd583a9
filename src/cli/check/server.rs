//! Whom the agent talks to first, DPS or the gateway: its addresses, and a connection to it.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::finding::Finding;
use crate::config::Config;

/// For each address; a cellular link is slow.
const CONNECT: Duration = Duration::from_secs(8);

/// A name, resolved.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// As configured; also the name that its certificate must carry.
    pub(super) name: String,
    /// At least one.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Asks the system for the addresses.
    pub(super) fn resolve(config: &Config) -> Result<Self, Finding> {
        let endpoint = config.connection.endpoint(&config.dps.host);
        let name = endpoint.host;
        let mend =
            "check the network and /etc/resolv.conf (resolvectl status), and dps.host or connection.gateway";
        let found = (name.as_str(), endpoint.port).to_socket_addrs();
        let addresses: Vec<_> =
            found.map_err(|error| Finding::fail(format!("{name}: {error}"), mend))?.collect();
        if addresses.is_empty() {
            return Err(Finding::fail(format!("{name} has no address"), mend));
        }
        Ok(Self { name, addresses })
    }

    /// A connection to the first address that takes one.
    pub(super) fn connect(&self) -> Result<TcpStream, Finding> {
        let mut last = String::new();
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("{address}: {error}"),
            }
        }
        Err(Finding::fail(
            last,
            "a firewall between here and there must let outgoing TCP port 8883 (connection.port) through",
        ))
    }
}
