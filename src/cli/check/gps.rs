//! Whether the receiver has a fix.

use std::time::Duration;

use tracker_sensors::gps::NoFix;

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
                Ok(Finding::pass(format!("the running agent has one: {:.5}, {:.5}", fix.lat, fix.lon)))
            }
            None => {
                let cause =
                    context.agents_word("gps").map(|word| word.cause).filter(|cause| !cause.is_empty());
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                Ok(Finding::warn(format!("the running agent has none{cause}"), wait))
            }
        };
    }
    let heard = context.receiver()?.heard.as_ref();
    let Some(fix) = heard.and_then(|heard| heard.fix.as_ref()) else {
        let reason = heard.and_then(|heard| heard.no_fix);
        return Ok(Finding::warn(reason.unwrap_or(NoFix::Denied).to_string(), wait));
    };
    if let Some(refused) = heard.and_then(|heard| heard.refused_date.clone()) {
        return Ok(Finding::warn(format!("it has one, but {refused}"), "see docs/troubleshooting.md"));
    }
    let satellites = fix.satellites.map(|number| format!(", {number} satellites")).unwrap_or_default();
    Ok(Finding::pass(format!("{:.5}, {:.5}{satellites}", fix.position.latitude, fix.position.longitude)))
}
