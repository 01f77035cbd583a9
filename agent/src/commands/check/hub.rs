//! Whether the hub that DPS has assigned can be reached by the name that DPS gave it.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::server::Server;
use super::tls::handshake;
use crate::uplink::assignment::AssignmentFile;

pub(super) const CHECK: Check = Check {
    id: "hub",
    sentence: "the name of the assigned hub is resolved, and TLS is made with it",
    needs: &["tcp", "proxy", "key", "assignment"],
    within: Duration::from_secs(80),
    look: Look::By(look),
};

/// The second label of the names at which hubs speak TLS 1.3.
const DEVICE: &str = ".device.";

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    if config.connection.gateway.is_some() {
        return Ok(Finding::skip("the gateway is asked in its place"));
    }
    let Ok(Some(assignment)) = AssignmentFile::new(&config.state.directory).read() else {
        return Ok(Finding::skip("none is assigned yet"));
    };
    let mend = if assignment.hub.contains(DEVICE) {
        "not every hub has a name of TLS 1.3 (…device…): link the hub to DPS by the name that it has; the agent asks DPS again by itself"
    } else {
        "is there still such a hub? The agent asks DPS again by itself"
    };
    let server = Server::resolve_host(config, &assignment.hub, mend)?;
    handshake(context, &server.endpoint, &server.tunnel(config, &server.connect()?)?)
}
