//! Whom the agent talks to, first DPS or the gateway and then the hub: the addresses, and a connection, both as the agent gets them.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::finding::Finding;
use crate::config::{Config, Endpoint};
use crate::link::{LinkError, dial};

/// For all addresses; a cellular link is slow.
const CONNECT: Duration = Duration::from_secs(16);

/// A name, resolved.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// As configured; the host is also the name that its certificate must carry.
    pub(super) endpoint: Endpoint,
    /// At least one.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Asks the system for the addresses of the first one.
    pub(super) fn resolve(config: &Config) -> Result<Self, Finding> {
        let mend =
            "check the network and /etc/resolv.conf (resolvectl status), and dps.host or connection.gateway";
        Self::resolve_host(config, &config.dps.host, mend)
    }

    /// Asks the system for the addresses of this host, or of the gateway where there is one.
    pub(super) fn resolve_host(config: &Config, host: &str, mend: &str) -> Result<Self, Finding> {
        let endpoint = config.connection.endpoint(host);
        let runtime = runtime()?;
        let found = runtime.block_on(dial::resolve(&endpoint));
        runtime.shutdown_background();
        let addresses = found.map_err(|error| Finding::fail(format!("{}: {error}", endpoint.host), mend))?;
        Ok(Self { endpoint, addresses })
    }

    /// A connection to the first address that takes one.
    pub(super) fn connect(&self) -> Result<TcpStream, Finding> {
        let connected = runtime()?.block_on(async {
            let stream = dial::connect(&self.addresses, CONNECT).await.map_err(|unreached| {
                Finding::fail(
                    format!("{}: {}", self.endpoint, LinkError::from(unreached)),
                    format!(
                        "a firewall between here and there must let outgoing TCP port {} through; where nothing listens, \
                         correct dps.host, connection.gateway or connection.port (8883 as a rule)",
                        self.endpoint.port
                    ),
                )
            })?;
            stream.into_std().map_err(Finding::error)
        })?;
        connected.set_nonblocking(false).map_err(Finding::error)?;
        Ok(connected)
    }
}

fn runtime() -> Result<Runtime, Finding> {
    Builder::new_current_thread().enable_all().build().map_err(Finding::error)
}
