//! How the certificates stand that Azure has issued, where it is to.

use std::io::ErrorKind;
use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::commands::issued_words::{in_words, troubles};
use crate::identity::operational::{OperationalError, Summary};
use crate::platform::clock::system_time;
use crate::status::issued::IssuedReport;

pub(super) const CHECK: Check = Check {
    id: "operational",
    sentence: "Azure has issued a certificate for the hub, and it is renewed in time",
    needs: &["configuration"],
    within: Duration::from_secs(5),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let Some(operational) = &config.identity.operational else {
        return Ok(Finding::skip("the hub is shown identity.certificate"));
    };
    let summary = match Summary::look(operational, &config.state.directory) {
        Err(OperationalError::Disk { path, source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
            return Ok(Finding::skip(format!("{}: {source}; try sudo", path.display())));
        }
        summary => summary.map_err(Finding::error)?,
    };
    let now = context.clock.certificate_time().unwrap_or_else(system_time);
    let report = IssuedReport::of(&summary, Some(now));
    let text = in_words(&report);
    let troubles = troubles(&report);
    if !troubles.is_empty() {
        let text = format!("{text}; {}", troubles.join("; "));
        return Ok(Finding::warn(
            text,
            "none needed while DPS takes identity.certificate: it is asked for another one",
        ));
    }
    if report.certificates.is_empty() {
        let text = format!("{text}: the agent asks for one when it registers");
        return Ok(Finding::pass(text));
    }
    if summary
        .pairs
        .first()
        .is_some_and(|pair| (now - pair.renewal_due) * 2 > pair.not_after - pair.renewal_due)
    {
        let mend =
            "is the device online, and does its enrollment still name a certificate policy? See the log";
        return Ok(Finding::warn(format!("{text}; its renewal is overdue"), mend));
    }
    Ok(Finding::pass(text))
}
