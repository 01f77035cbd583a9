//! Whether the receiver has a fix.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};

pub(super) const CHECK: Check = Check {
    id: "gps",
    sentence: "the receiver has a fix",
    needs: &["serial"],
    within: Duration::from_secs(5),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let wait = "wait some minutes; place the antenna where it sees the sky";
    if context.agent_runs() {
        return match context.agents_fix() {
            Some(fix) => {
                Ok(Finding::pass(format!("the running agent has one: {:?}, {:?}", fix.lat, fix.lon)))
            }
            None => Ok(Finding::warn("the running agent has none", wait)),
        };
    }
    let Some(fix) = context.receiver()?.heard.as_ref().and_then(|heard| heard.fix.as_ref()) else {
        return Ok(Finding::warn("the receiver answers but has no fix", wait));
    };
    let satellites = fix.satellites.map(|number| format!(", {number} satellites")).unwrap_or_default();
    Ok(Finding::pass(format!("{:.5}, {:.5}{satellites}", fix.position.latitude, fix.position.longitude)))
}
