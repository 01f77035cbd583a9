//! Whether the roots of servers end soon.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::link::roots::RENEW_ROOTS_AT;
use crate::link::tls;
use crate::platform::clock::{build_date, day, system_time};

pub(super) const CHECK: Check = Check {
    id: "roots",
    sentence: "there are roots for the certificates of servers, and none of them ends soon",
    needs: &["configuration"],
    within: Duration::from_secs(10),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let file = context.config()?.connection.roots.as_deref();
    let (store, first) = tls::roots_and_end(file).map_err(Finding::error)?;
    let place = match file {
        Some(path) => format!("{} in {}", store.len(), path.display()),
        None => "Azure's in the system's certificate store".into(),
    };
    let Some(first) = first else {
        return Ok(Finding::warn(
            "the system's certificate store has none of the roots that Azure's servers lead to",
            "install a newer ca-certificates, or name a file as connection.roots",
        ));
    };
    let end = day(first.not_after);
    let now = context.clock.certificate_time().unwrap_or_else(system_time);
    if now < build_date() {
        return Ok(Finding::pass(format!("{place}; {} ends first, on {end}", first.name)));
    }
    let days = first.days_left(now);
    let text = format!("{place}; {} ends first, on {end}, in {days} days", first.name);
    if first.not_after - now < RENEW_ROOTS_AT {
        let mend = "give the whole fleet the next root beside this one, before servers lead to it: docs/azure.md, section 8";
        return Ok(Finding::warn(text, mend));
    }
    Ok(Finding::pass(text))
}
