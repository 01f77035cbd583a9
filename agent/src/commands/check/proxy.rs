//! Whether the proxy leads on to the first server.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};

pub(super) const CHECK: Check = Check {
    id: "proxy",
    sentence: "the proxy takes this device's login, and lets it through to the DPS host or the gateway",
    needs: &["tcp"],
    within: Duration::from_secs(40),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let server = context.server()?;
    context.tunnel()?;
    let login = context.config()?.connection.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
    let login = login.map_or(String::new(), |login| format!(" as {}", login.user));
    Ok(Finding::pass(format!("{} leads{login} to {}", server.first_hop, server.endpoint)))
}
