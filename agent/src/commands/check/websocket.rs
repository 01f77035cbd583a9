//! Whether the first server has a WebSocket for MQTT.

use std::time::Duration;

use super::asked::asked;
use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::to_dps::to_dps;
use crate::link::Link;
use crate::link::dialer::Dialer;

pub(super) const CHECK: Check = Check {
    id: "websocket",
    sentence: "the DPS host, or the gateway, upgrades to a WebSocket that speaks MQTT",
    needs: &["tls"],
    within: Duration::from_secs(80),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let options = to_dps(context)?;
    // Nothing of MQTT has been said yet.
    let opened = asked(Link::<()>::open(&mut Dialer::default(), &options))?.map(drop);
    opened.map_err(Finding::error)?;
    Ok(Finding::pass(format!("{} is upgraded", options.endpoint)))
}
