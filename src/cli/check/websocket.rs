//! Whether the first server has a WebSocket for MQTT.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::link::Link;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::uplink::provisioner;

pub(super) const CHECK: Check = Check {
    id: "websocket",
    sentence: "the DPS host, or the gateway, upgrades to a WebSocket that speaks MQTT",
    needs: &["tls"],
    within: Duration::from_secs(80),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let credentials = context.credentials()?.as_ref().map_err(Finding::error)?;
    let options = provisioner::link_options(
        config,
        &credentials.identity,
        credentials.tls.clone(),
        context.clock.certificate_time(),
        Timing::default(),
    )
    .map_err(Finding::skip)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Finding::error)?;
    // Nothing of MQTT has been said yet.
    let opened = runtime.block_on(Link::<()>::open(&mut Dialer::default(), &options)).map(drop);
    runtime.shutdown_background();
    opened.map_err(Finding::error)?;
    Ok(Finding::pass(format!("{} is upgraded", options.endpoint)))
}
