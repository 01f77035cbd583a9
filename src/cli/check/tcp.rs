use std::net::TcpStream;
use std::time::Duration;

use super::context::Context;
use super::{Check, Finding, dns};

/// For each address; a cellular link is slow.
const CONNECT: Duration = Duration::from_secs(8);

pub(super) const CHECK: Check = Check {
    id: "tcp",
    sentence: "the DPS host, or the gateway, takes TCP connections",
    needs: &["dns"],
    within: Duration::from_secs(20),
    look: |context| match connect(context) {
        Ok((stream, _)) => Finding::pass(
            stream.peer_addr().map_or_else(|_| "connected".into(), |peer| format!("connected to {peer}")),
        ),
        Err(finding) => finding,
    },
};

/// A connection, and the name of the other side.
pub(super) fn connect(context: &Context) -> Result<(TcpStream, String), Finding> {
    let (name, addresses) = dns::addresses(context)?;
    let mut last = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok((stream, name)),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(Finding::fail(
        last,
        "a firewall between here and there must let outgoing TCP port 8883 (connection.port) through",
    ))
}
