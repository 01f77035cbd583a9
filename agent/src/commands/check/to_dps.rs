//! How this device connects to DPS now, for the checks that do.

use super::context::Context;
use super::finding::Finding;
use crate::link::LinkOptions;
use crate::link::timing::Timing;
use crate::uplink::provisioner;

pub(super) fn to_dps(context: &Context) -> Result<LinkOptions, Finding> {
    let config = context.config()?;
    let credentials = context.credentials()?.as_ref().map_err(Finding::error)?;
    let now = context.clock.certificate_time();
    let tls = credentials.tls.clone();
    provisioner::link_options(config, &credentials.identity, tls, now, Timing::default())
        .map_err(Finding::skip)
}
