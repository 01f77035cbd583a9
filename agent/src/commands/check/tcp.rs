//! Whether the first server, or the proxy before it, takes TCP connections.

use std::time::Duration;

use super::finding::Finding;
use super::item::{Check, Look};

pub(super) const CHECK: Check = Check {
    id: "tcp",
    sentence: "the DPS host, the gateway or the proxy takes TCP connections",
    needs: &["dns"],
    within: Duration::from_secs(20),
    look: Look::By(|context| {
        let peer = context.connection()?.peer_addr();
        Ok(Finding::pass(peer.map_or_else(|_| "connected".into(), |peer| format!("connected to {peer}"))))
    }),
};
