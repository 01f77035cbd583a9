//! Whether DPS takes a connection from this device.

use std::time::Duration;

use super::asked::asked;
use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::to_dps::to_dps;
use crate::link::{Link, LinkError, LinkErrorKind};
use crate::uplink::provisioner;

pub(super) const CHECK: Check = Check {
    id: "dps",
    sentence: "DPS takes an MQTT connection from this device; nothing is registered",
    needs: &["tls", "websocket"],
    within: Duration::from_secs(80),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let credentials = context.credentials()?.as_ref().map_err(Finding::error)?;
    let id = &credentials.identity.registration_id;
    #[cfg(feature = "tpm")]
    if credentials.identity.tpm().is_some() {
        return Ok(Finding::skip(
            "a TPM registers over HTTPS: container-tracker provision tells whether it may",
        ));
    }
    let scope = &config.dps.id_scope;
    let options = to_dps(context)?;
    let connected: Result<(), LinkError> = asked(async {
        let link = Link::<()>::connect(&options).await?;
        link.close().await;
        Ok(())
    })?;
    Ok(match connected {
        Ok(()) => Finding::pass(format!(
            "{} knows the ID scope {scope}, and takes a connection as {id}; whether that is enrolled, only a \
             registration tells",
            config.dps.host
        )),
        Err(error) if error.kind == LinkErrorKind::Identity => {
            Finding::error(provisioner::explain(&error, scope))
        }
        Err(error) => Finding::fail(error.why, "try again; if it stays, look at the state of the service"),
    })
}
