//! Whether a hub is assigned, and still by what the configuration says.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::config::Profile;
use crate::uplink::assignment::{AssignmentFile, Terms};
use crate::uplink::profile;
use tracker_protocol::dps::ConnectionProfile;

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
    let kind = match assignment.speaks() {
        ConnectionProfile::Classic => "",
        ConnectionProfile::MqttV5 => ", which speaks MQTT 5",
    };
    let text = format!("{} at {}{kind}", assignment.device_id, assignment.hub);
    let asks = "none needed: the agent asks DPS anew at its next start";
    if !profile::is_spoken(assignment.speaks()) {
        let mend = "install a program with it, or have the device assigned to a classic hub";
        return Ok(Finding::warn(format!("{text}, and this program has no feature mqtt5"), mend));
    }
    if assignment.profile.is_none() && config.connection.profile == Profile::Assigned {
        return Ok(Finding::warn(format!("{text}, and not known is how that hub is spoken to"), asks));
    }
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
