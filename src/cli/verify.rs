//! `container-tracker verify`: whether a record is as the device has made it, who has signed for that, and how its trips went.
//!
//! It needs what a hub has received, and nothing of the device. Exit code 0: all that is signed fits. 1: something does not, or
//! nothing shows that it does. `docs/evidence.md` says what that proves and what it can't.

use std::path::PathBuf;
use std::process::ExitCode;

use tracker_protocol::{printable, printable_json};

use crate::platform::stdout::line;
use crate::verify::{Verdict, verdicts};

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Files with what the hub has received: JSON objects, in any order, some of them twice.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// PEM file with the CA certificates that devices' certificates must lead to.
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Only this device.
    #[arg(long, short, value_name = "ID")]
    device_id: Option<String>,
    /// Print one JSON object a device.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let verdicts = verdicts(&args.files, args.roots.as_deref(), args.device_id.as_deref())?;
    let mut all_well = true;
    for verdict in &verdicts {
        all_well &= verdict.is_good();
        line(&if args.json { printable_json(verdict.to_json()) } else { text(verdict) });
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lines of a verdict, none of which a terminal obeys.
fn text(verdict: &Verdict) -> String {
    verdict.sentences().iter().map(printable).collect::<Vec<_>>().join("\n")
}
