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

const SKY: &str = "wait some minutes; place the antenna where it sees the sky";

fn look(context: &Context) -> Result<Finding, Finding> {
    if context.agent_runs() {
        return Ok(match context.agents_fix() {
            Some(fix) => Finding::pass(format!("the running agent has one: {:.5}, {:.5}", fix.lat, fix.lon)),
            None => agent_lacks_it(&context.agents_word("gps").unwrap_or_default().cause),
        });
    }
    let heard = context.receiver()?.heard.as_ref();
    let Some(fix) = heard.and_then(|heard| heard.fix.as_ref()) else {
        return Ok(lacking(heard.and_then(|heard| heard.no_fix)));
    };
    if let Some(refused) = heard.and_then(|heard| heard.refused_date.clone()) {
        return Ok(Finding::warn(format!("it has one, but {refused}"), "see docs/troubleshooting.md"));
    }
    let satellites = fix.satellites.map(|number| format!(", {number} satellites")).unwrap_or_default();
    Ok(Finding::pass(format!("{:.5}, {:.5}{satellites}", fix.position.latitude, fix.position.longitude)))
}

/// The agent's own word says what to do, unless it is the sky that is not seen.
fn agent_lacks_it(cause: &str) -> Finding {
    if cause.is_empty() || cause.contains("the sky") {
        Finding::warn("the running agent has none", SKY)
    } else {
        Finding::warn(format!("the running agent has none: {cause}"), "see container-tracker status")
    }
}

fn lacking(reason: Option<NoFix>) -> Finding {
    let reason = reason.unwrap_or(NoFix::Denied);
    let mend = match reason {
        NoFix::Contradictory | NoFix::NoPosition => {
            "the antenna is not to blame, see docs/troubleshooting.md"
        }
        NoFix::Denied | NoFix::Estimated | NoFix::NoTime => SKY,
    };
    Finding::warn(reason.to_string(), mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sky_is_blamed_only_where_it_may_be_to_blame() {
        let denied = lacking(None);
        assert!(denied.text.contains("has no fix") && denied.mend.as_deref() == Some(SKY));
        let contradicts = lacking(Some(NoFix::Contradictory));
        assert!(contradicts.text.contains("contradicts itself") && contradicts.mend.as_deref() != Some(SKY));
        let agent = agent_lacks_it(&NoFix::Contradictory.to_string());
        assert!(agent.text.contains("contradicts itself") && agent.mend.as_deref() != Some(SKY));
        assert_eq!(agent_lacks_it(&NoFix::Denied.to_string()).mend.as_deref(), Some(SKY));
    }
}
