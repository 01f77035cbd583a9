//! Whether NMEA sentences come from the serial port.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::second_hand::second_hand;
use crate::status::report::SensorState;

pub(super) const CHECK: Check = Check {
    id: "serial",
    sentence: "the serial port can be opened and NMEA sentences come from it",
    needs: &["configuration"],
    within: Duration::from_secs(25),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    if !context.config()?.sensors.gps.enabled {
        return Ok(Finding::skip("switched off (sensors.gps.enabled)"));
    }
    if let Some(word) = context.agents_word("gps") {
        // A receiver that is degraded speaks; why it has no fix is the next check's business.
        let lacks_fix = word.state == SensorState::Degraded && context.agents_fix().is_none();
        let finding =
            if lacks_fix { Finding::pass("the running agent hears it") } else { second_hand(&word) };
        return Ok(finding);
    }
    Ok(context.receiver()?.finding.clone())
}
