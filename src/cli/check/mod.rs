//! `container-tracker check`: looks at everything that a tracker needs, and says what is wrong and how to mend it.
//!
//! One check a file, each with an id and a sentence. They run in the order of [`CHECKS`], each within its time; one
//! that needs what an earlier one found missing is skipped and says so.

mod assignment;
mod certificate;
mod clock;
mod configuration;
mod context;
mod disk;
mod dns;
mod dps;
mod gps;
mod i2c;
mod journal;
mod key;
mod report;
mod serial;
mod systemd;
mod tcp;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use context::Context;
use report::{Report, print};

/// All checks, in the order in which they run.
const CHECKS: [&Check; 15] = [
    &configuration::CHECK,
    &certificate::CHECK,
    &key::CHECK,
    &clock::CHECK,
    &i2c::CHECK,
    &serial::CHECK,
    &gps::CHECK,
    &dns::CHECK,
    &tcp::CHECK,
    &tls::CHECK,
    &dps::CHECK,
    &assignment::CHECK,
    &journal::CHECK,
    &disk::CHECK,
    &systemd::CHECK,
];

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIG)]
    config: PathBuf,
    /// Print one JSON object, for scripts.
    #[arg(long)]
    json: bool,
}

/// One thing that is looked at.
struct Check {
    /// Names it for scripts, and for [`Check::needs`].
    id: &'static str,
    /// What holds when it passes.
    sentence: &'static str,
    /// Checks that must not have failed before.
    needs: &'static [&'static str],
    /// It takes no longer than this.
    within: Duration,
    look: fn(&Context) -> Finding,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Pass,
    /// It works, and somebody should look at it.
    Warn,
    /// The tracker can't do its work.
    Fail,
    /// It was not looked at.
    Skip,
}

/// What came of looking.
#[derive(Debug, Clone)]
struct Finding {
    verdict: Verdict,
    /// What was found.
    text: String,
    /// What to do about it.
    mend: Option<String>,
}

impl Finding {
    fn pass(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, text: text.into(), mend: None }
    }

    fn warn(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, text: text.into(), mend: Some(mend.into()) }
    }

    fn fail(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, text: text.into(), mend: Some(mend.into()) }
    }

    fn skip(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, text: why.into(), mend: None }
    }

    /// A failure whose sentence says how to mend it.
    fn error(error: impl std::fmt::Display) -> Self {
        Self { verdict: Verdict::Fail, text: error.to_string(), mend: None }
    }
}

/// Runs all checks: 0 when none failed, else 1.
pub(super) fn run(args: &CheckArgs) -> ExitCode {
    let context = Arc::new(Context::new(&args.config));
    let mut reports: Vec<Report> = Vec::new();
    for check in CHECKS {
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
fn within_time(check: &'static Check, context: &Arc<Context>) -> Finding {
    let (sender, found) = sync_channel(1);
    let context = context.clone();
    let look = move || {
        // Whoever waited may have given up.
        let _ = sender.send((check.look)(&context));
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
