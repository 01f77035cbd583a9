//! `container-tracker verify`: whether a record is as the device has made it, who has signed for that, and how its trips went.
//!
//! It needs what a hub has received, and nothing of the device. Exit code 0: all that is signed fits. 1: something does not, or
//! nothing shows that it does. `docs/evidence.md` says what that proves and what it can't.

mod chain;
mod fault;
mod input;
mod record;
mod signatures;
#[cfg(test)]
mod tests;
mod trips;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tracker_protocol::{printable, printable_json};

use crate::lab::judgement::Judgement;
use crate::platform::plain_file;
use crate::platform::stdout::line;
#[cfg(test)]
pub(crate) use input::Received;
pub(crate) use input::read;
use record::Record;
use signatures::Roots;
use verdict::Verdict;

/// A year of readings at one a minute, generously.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

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

/// What is found in these files, device by device.
fn verdicts(files: &[PathBuf], roots: Option<&Path>, wanted: Option<&str>) -> anyhow::Result<Vec<Verdict>> {
    let roots = roots.map(Roots::read).transpose()?;
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for path in files {
        let named = || path.display().to_string();
        let bytes = plain_file::read(path, LARGEST).with_context(|| format!("can't read {}", named()))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{} is no text in UTF-8", named()))?;
        for message in read(&text).with_context(named)? {
            if wanted.is_none_or(|wanted| *wanted == message.device) {
                records.entry(message.device.clone()).or_default().add(message);
            }
        }
    }
    if records.is_empty() {
        bail!("there are no messages of a device in these files");
    }
    Ok(records.iter().map(|(device, record)| Verdict::of(device, record, roots.as_ref())).collect())
}

/// The same for stories of the laboratory.
pub(super) fn judgements(files: &[PathBuf], roots: &Path) -> anyhow::Result<Vec<Judgement>> {
    let judged = |verdict: Verdict| Judgement {
        is_good: verdict.is_good(),
        sentences: verdict.sentences(),
        details: verdict.to_json(),
    };
    Ok(verdicts(files, Some(roots), None)?.into_iter().map(judged).collect())
}

/// What is said of these messages, for tests of what makes them.
#[cfg(test)]
pub(crate) fn judge(device: &str, messages: Vec<Received>) -> serde_json::Value {
    let mut record = Record::default();
    for message in messages {
        record.add(message);
    }
    Verdict::of(device, &record, None).to_json()
}

/// The same, of signatures that must lead to one of these roots.
#[cfg(test)]
pub(crate) fn judge_by(
    device: &str,
    messages: Vec<Received>,
    roots: Vec<rustls::pki_types::CertificateDer<'static>>,
) -> serde_json::Value {
    let mut record = Record::default();
    for message in messages {
        record.add(message);
    }
    Verdict::of(device, &record, Some(&Roots::of(roots))).to_json()
}

/// Lines of a verdict, none of which a terminal obeys.
fn text(verdict: &Verdict) -> String {
    verdict.sentences().iter().map(printable).collect::<Vec<_>>().join("\n")
}
