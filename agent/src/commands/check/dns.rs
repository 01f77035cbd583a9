//! Whether the name of the first server, or of the proxy before it, is resolved.

use std::time::Duration;

use super::finding::Finding;
use super::item::{Check, Look};

pub(super) const CHECK: Check = Check {
    id: "dns",
    sentence: "the name of the DPS host, of the gateway or of the proxy is resolved",
    needs: &["configuration"],
    within: Duration::from_secs(10),
    look: Look::By(|context| {
        let server = context.server()?;
        let addresses: Vec<String> =
            server.addresses.iter().map(|address| address.ip().to_string()).collect();
        Ok(Finding::pass(format!("{} is {}", server.first_hop.host, addresses.join(", "))))
    }),
};
