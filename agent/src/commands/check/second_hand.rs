//! What the running agent says of an instrument that it holds, as a finding.

use super::finding::Finding;
use crate::status::report::{SensorReport, SensorState};

/// The running agent has the sensor; it says how that is.
pub(super) fn second_hand(word: &SensorReport) -> Finding {
    let cause = &word.cause;
    match word.state {
        SensorState::Ok => Finding::pass("the running agent says that it is well"),
        SensorState::Failed => Finding::error(format!("the running agent says: {cause}")),
        SensorState::Degraded => {
            Finding::warn(format!("the running agent says: {cause}"), "see container-tracker status")
        }
        SensorState::Starting | SensorState::Unknown => {
            Finding::skip("an agent runs and has it; its status says nothing yet (try sudo)")
        }
    }
}
