//! `container-tracker check`: looks at everything that a tracker needs, and says what is wrong and how to mend it.
//!
//! One check a file, each with an id and a sentence. They run in the order of `checks`, each within its time; one
//! that needs what an earlier one found missing is skipped and says so.

mod asked;
mod assignment;
mod certificate;
mod clock;
mod configuration;
pub(super) mod context;
mod disk;
mod dns;
mod dps;
mod finding;
mod gps;
mod hub;
mod i2c;
mod instrument;
mod item;
mod journal;
mod key;
mod operational;
mod proxy;
mod receiver;
mod report;
mod roots;
mod second_hand;
mod serial;
mod server;
mod systemd;
mod tcp;
mod tls;
mod to_dps;
mod websocket;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::config_argument::ConfigArgument;
use context::Context;
use finding::Finding;
use item::{Check, Look};
use report::{Report, print};

use crate::instruments::EXAMINED;

/// What the device is and measures.
const DEVICE: [Check; 9] = [
    configuration::CHECK,
    certificate::CHECK,
    key::CHECK,
    operational::CHECK,
    roots::CHECK,
    clock::CHECK,
    i2c::CHECK,
    serial::CHECK,
    gps::CHECK,
];

/// The cloud, and what is kept for it.
const CLOUD: [Check; 11] = [
    dns::CHECK,
    tcp::CHECK,
    proxy::CHECK,
    tls::CHECK,
    websocket::CHECK,
    dps::CHECK,
    assignment::CHECK,
    hub::CHECK,
    journal::CHECK,
    disk::CHECK,
    systemd::CHECK,
];

/// All checks, in the order in which they run.
fn checks() -> Vec<Check> {
    let instruments = EXAMINED.map(instrument::check);
    DEVICE.into_iter().chain(instruments).chain(CLOUD).collect()
}

/// Of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print one JSON object, for scripts.
    #[arg(long)]
    json: bool,
}

/// Runs all checks: 0 when none failed, else 1.
pub fn run(args: &CheckArgs) -> ExitCode {
    let context = Arc::new(Context::new(&args.config.path));
    let mut reports: Vec<Report> = Vec::new();
    for check in checks() {
        // What is off is as if it were not known.
        let is_off = match check.id {
            id if id == operational::CHECK.id => !context.is_issued(),
            id if id == certificate::CHECK.id => context.has_no_certificate(),
            id if id == proxy::CHECK.id => !context.has_proxy(),
            id if id == websocket::CHECK.id => !context.has_websocket(),
            _ => false,
        };
        if is_off {
            continue;
        }
        let missing = check.needs.iter().find(|id| reports.iter().any(|report| report.stops(id)));
        let finding = match missing {
            Some(id) => Finding::skip(format!("not looked at, because {id} did not pass")),
            None => within_time(check, &context),
        };
        let report = Report { id: check.id, sentence: check.sentence, finding };
        if !args.json {
            print(&report);
        }
        reports.push(report);
    }
    let failed = report::summarise(&reports, args.json);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Looks in a thread of its own, which is left behind when it hangs.
fn within_time(check: Check, context: &Arc<Context>) -> Finding {
    let (sender, found) = sync_channel(1);
    let context = context.clone();
    let look = move || {
        let found = match check.look {
            Look::By(look) => look(&context),
            Look::Instrument => instrument::look(&context, check.id),
        };
        // Whoever waited may have given up.
        let _ = sender.send(found.unwrap_or_else(|early| early));
    };
    let spawned = std::thread::Builder::new().name(check.id.into()).spawn(look);
    if let Err(error) = spawned {
        return Finding::error(format!("it can't be looked at: {error}"));
    }
    found.recv_timeout(check.within).unwrap_or_else(|_| {
        Finding::fail(
            format!("no answer within {} s", check.within.as_secs()),
            "something hangs: a bus, a disk, or the network",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_needs_is_looked_at_before() {
        let checks = checks();
        for (index, check) in checks.iter().enumerate() {
            for need in check.needs {
                assert!(checks[..index].iter().any(|before| before.id == *need), "{} needs {need}", check.id);
            }
        }
    }
}
