use std::time::Duration;

use super::context::Context;
use super::{Check, Finding};
use crate::identity::Identity;
use crate::link::timing::Timing;
use crate::link::tls;
use crate::link::{Link, LinkError, LinkErrorKind};
use crate::uplink::provisioner;

pub(super) const CHECK: Check = Check {
    id: "dps",
    sentence: "DPS takes an MQTT connection from this device; nothing is registered",
    needs: &["tls"],
    within: Duration::from_secs(80),
    look: |context| look(context).unwrap_or_else(|finding| finding),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config().map_err(|_| Finding::skip("there is no configuration"))?;
    let identity =
        Identity::load(&config.identity.certificate, &config.identity.key, &config.state.directory)
            .map_err(Finding::error)?;
    let roots = tls::roots(config.connection.roots.as_deref()).map_err(Finding::error)?;
    let tls = tls::client_config(roots, &identity, context.clock.clone()).map_err(Finding::error)?;
    let id = &identity.registration_id;
    let scope = &config.dps.id_scope;
    let options = provisioner::link_options(config, id, tls, Timing::default());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Finding::error)?;
    let connected: Result<(), LinkError> = runtime.block_on(async {
        let link = Link::<()>::connect(&options).await?;
        link.close().await;
        Ok(())
    });
    runtime.shutdown_background();
    Ok(match connected {
        Ok(()) => Finding::pass(format!("{} knows the ID scope {scope}, and takes {id}", config.dps.host)),
        Err(error) if error.kind == LinkErrorKind::Identity => {
            Finding::error(provisioner::explain(&error, scope))
        }
        Err(error) => Finding::fail(error.why, "try again; if it stays, look at the state of the service"),
    })
}
