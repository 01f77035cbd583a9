//! Whether a hub is assigned, and still by what the configuration says.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::uplink::assignment::{AssignmentFile, Terms};

pub(super) const CHECK: Check = Check {
    id: "assignment",
    sentence: "a hub is assigned, for this certificate and this DPS",
    needs: &["configuration"],
    within: Duration::from_secs(5),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let assignment = match AssignmentFile::new(&config.state.directory).read() {
        Ok(Some(assignment)) => assignment,
        Ok(None) => return Ok(Finding::pass("none yet: the agent asks DPS when it starts")),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok(Finding::skip(format!("{}: {error}; try sudo", config.state.directory.display())));
        }
        Err(error) => {
            let text = format!("the stored assignment can't be read ({error})");
            return Ok(Finding::warn(text, "none needed: DPS is asked anew"));
        }
    };
    let text = format!("{} at {}", assignment.device_id, assignment.hub);
    let asks = "none needed: the agent asks DPS anew at its next start";
    let Terms { thumbprint, id_scope, dps_host } = &assignment.terms;
    if *id_scope != config.dps.id_scope || *dps_host != config.dps.host {
        return Ok(Finding::warn(format!("{text}, but by DPS {dps_host} ({id_scope})"), asks));
    }
    match context.chain()? {
        Ok(chain) if chain.thumbprint() != *thumbprint => {
            Ok(Finding::warn(format!("{text}, but with another certificate than the present one"), asks))
        }
        _ => Ok(Finding::pass(text)),
    }
}
