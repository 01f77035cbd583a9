use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::context::Context;
use super::{Check, Finding};

pub(super) const CHECK: Check = Check {
    id: "dns",
    sentence: "the name of the DPS host, or of the gateway, is resolved",
    needs: &["configuration"],
    within: Duration::from_secs(10),
    look: |context| match addresses(context) {
        Ok((name, addresses)) => {
            let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            Finding::pass(format!("{name} is {}", addresses.join(", ")))
        }
        Err(finding) => finding,
    },
};

/// Name and addresses of whom the agent talks to first.
pub(super) fn addresses(context: &Context) -> Result<(String, Vec<SocketAddr>), Finding> {
    let config = context.config().map_err(|_| Finding::skip("there is no configuration"))?;
    let endpoint = config.connection.endpoint(&config.dps.host);
    let mend =
        "check the network and /etc/resolv.conf (resolvectl status), and dps.host or connection.gateway";
    let found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
    let found: Vec<_> =
        found.map_err(|error| Finding::fail(format!("{}: {error}", endpoint.host), mend))?.collect();
    if found.is_empty() {
        return Err(Finding::fail(format!("{} has no address", endpoint.host), mend));
    }
    Ok((endpoint.host, found))
}
