use std::time::Duration;

use super::context::Context;
use super::{Check, Finding};

pub(super) const CHECK: Check = Check {
    id: "gps",
    sentence: "the receiver has a fix",
    needs: &["serial"],
    within: Duration::from_secs(5),
    look,
};

fn look(context: &Context) -> Finding {
    let wait = "wait some minutes; place the antenna where it sees the sky";
    if context.agent_runs() {
        return match context.agents_fix() {
            Some(fix) => Finding::pass(format!("the running agent has one: {:?}, {:?}", fix.lat, fix.lon)),
            None => Finding::warn("the running agent has none", wait),
        };
    }
    let heard = context.heard().clone().unwrap_or_default();
    let Some(fix) = heard.fix else {
        return Finding::warn("the receiver answers but has no fix", wait);
    };
    let satellites = fix.satellites.map(|number| format!(", {number} satellites")).unwrap_or_default();
    Finding::pass(format!("{:.5}, {:.5}{satellites}", fix.position.latitude, fix.position.longitude))
}
