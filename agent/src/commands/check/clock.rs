//! Whether the time is known, and from whom.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::platform::clock::{TimeSource, build_date, day, second, system_time};
use crate::platform::kernel_clock;

pub(super) const CHECK: Check = Check {
    id: "clock",
    sentence: "the time is known, from NTP, from GPS, or because the configuration trusts the system",
    needs: &[],
    within: Duration::from_secs(5),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let now = system_time();
    let shown = second(now);
    if context.agent_told_time()
        && let Some(utc) = context.clock.utc()
    {
        let told = second(utc);
        return Ok(Finding::pass(format!(
            "{told}, as GPS has told the running agent; the system's clock says {shown}"
        )));
    }
    let from_gps = "until then GPS tells the time, where there is a receiver with a fix";
    if now < build_date() {
        let text = format!("the clock says {shown}, and this program was built on {}", day(build_date()));
        return Ok(Finding::warn(text, format!("let NTP set it (timedatectl set-ntp true); {from_gps}")));
    }
    match context.clock.source() {
        TimeSource::Kernel if context.agent_has_no_time() => Ok(Finding::warn(
            format!(
                "{shown}, synchronised, but the running agent does not know it: its service may not ask the kernel"
            ),
            "systemd-timesyncd tells it also so; where another program keeps the time, install the drop-in \
             other-ntp.conf and restart the service, see docs/packaging.md",
        )),
        TimeSource::Kernel => Ok(Finding::pass(format!("{shown}, synchronised"))),
        TimeSource::System if kernel_clock::is_synchronised() => {
            Ok(Finding::pass(format!("{shown}, synchronised")))
        }
        TimeSource::System => {
            Ok(Finding::pass(format!("{shown}, trusted by the configuration (clock.trust_system)")))
        }
        TimeSource::Gps | TimeSource::None => Ok(Finding::warn(
            format!("the clock says {shown}, but nothing synchronises it"),
            format!("let NTP set it (timedatectl set-ntp true); {from_gps}"),
        )),
    }
}
