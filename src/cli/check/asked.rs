//! What several checks ask of the network, to its end.

use tokio::runtime::Builder;

use super::context::Context;
use super::finding::Finding;
use crate::link::LinkOptions;
use crate::link::timing::Timing;
use crate::uplink::provisioner;

/// Waits for an answer. What still runs then, as the look-up of a name that nobody answers, is left behind.
pub(super) fn asked<T>(work: impl Future<Output = T>) -> Result<T, Finding> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Finding::error)?;
    let answer = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(answer)
}

/// How this device connects to DPS now.
pub(super) fn to_dps(context: &Context) -> Result<LinkOptions, Finding> {
    let config = context.config()?;
    let credentials = context.credentials()?.as_ref().map_err(Finding::error)?;
    let now = context.clock.certificate_time();
    let tls = credentials.tls.clone();
    provisioner::link_options(config, &credentials.identity, tls, now, Timing::default())
        .map_err(Finding::skip)
}
