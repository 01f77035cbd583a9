//! Whom the agent talks to, first DPS or the gateway and then the hub: the addresses, a connection, and the way through a proxy,
//! all as the agent gets them.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::time::timeout;

use super::asked::asked;
use super::finding::Finding;
use crate::config::{Config, Endpoint};
use crate::link::{LinkError, LinkErrorKind, dial, tunnel};

/// For all addresses; a cellular link is slow.
const CONNECT: Duration = Duration::from_secs(16);
/// For a proxy to reach the server.
const TUNNEL: Duration = Duration::from_secs(30);

/// A name, resolved.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// As configured; the host is also the name that its certificate must carry.
    pub(super) endpoint: Endpoint,
    /// Where TCP goes: there, or to the proxy.
    pub(super) first_hop: Endpoint,
    /// Of the first hop, at least one.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Asks the system for the addresses of the first one.
    pub(super) fn resolve(config: &Config) -> Result<Self, Finding> {
        let mend = "check the network and /etc/resolv.conf (resolvectl status), and dps.host, connection.gateway or connection.proxy";
        Self::resolve_host(config, &config.dps.host, mend)
    }

    /// Asks the system for the addresses of this host, or of the gateway where there is one.
    pub(super) fn resolve_host(config: &Config, host: &str, mend: &str) -> Result<Self, Finding> {
        let (endpoint, first_hop) = (config.connection.endpoint(host), config.connection.first_hop(host));
        let found = asked(dial::resolve(&first_hop))?;
        let addresses = found.map_err(|error| Finding::fail(format!("{}: {error}", first_hop.host), mend))?;
        Ok(Self { endpoint, first_hop, addresses })
    }

    /// A connection to the first address that takes one.
    pub(super) fn connect(&self) -> Result<TcpStream, Finding> {
        let connected = asked(async {
            let stream = dial::connect(&self.addresses, CONNECT).await.map_err(|unreached| {
                Finding::fail(
                    format!("{}: {}", self.first_hop, LinkError::from(unreached)),
                    format!(
                        "a firewall between here and there must let outgoing TCP port {0} through; where nothing listens, \
                         correct dps.host, connection.gateway, connection.proxy or connection.port (8883 as a rule). Where {0} \
                         stays closed, connection.transport = \"websocket\" uses 443, and connection.proxy an HTTP proxy",
                        self.first_hop.port
                    ),
                )
            })?;
            stream.into_std().map_err(Finding::error)
        })??;
        connected.set_nonblocking(false).map_err(Finding::error)?;
        Ok(connected)
    }

    /// The way through the proxy, where there is one, by this connection.
    pub(super) fn tunnel(&self, config: &Config, connection: &TcpStream) -> Result<TcpStream, Finding> {
        let stream = connection.try_clone().map_err(Finding::error)?;
        let Some(proxy) = &config.connection.proxy else { return Ok(stream) };
        stream.set_nonblocking(true).map_err(Finding::error)?;
        let stream = asked(async {
            let mut stream = tokio::net::TcpStream::from_std(stream).map_err(Finding::error)?;
            let asked = timeout(TUNNEL, tunnel::open(&mut stream, &self.endpoint, proxy)).await;
            match asked {
                Ok(Ok(())) => stream.into_std().map_err(Finding::error),
                Ok(Err(LinkError { kind: LinkErrorKind::NobodyListens, why })) => Err(Finding::fail(
                    why,
                    format!(
                        "the proxy must be allowed to reach {}, and there must be such a server",
                        self.endpoint
                    ),
                )),
                Ok(Err(error)) => Err(Finding::error(error)),
                Err(_) => Err(Finding::fail(
                    format!(
                        "the proxy {} does not answer CONNECT within {} s",
                        proxy.endpoint,
                        TUNNEL.as_secs()
                    ),
                    "can it reach the internet itself?",
                )),
            }
        })??;
        stream.set_nonblocking(false).map_err(Finding::error)?;
        Ok(stream)
    }
}
