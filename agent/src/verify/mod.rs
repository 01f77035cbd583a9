//! Whether a record is as the device has made it, who has signed for that, and how its trips went.
//!
//! It needs what a hub has received, and nothing of the device. `docs/evidence.md` says what that proves and what it can't.

mod chain;
pub mod compact;
mod fault;
mod input;
mod judgement;
mod record;
mod signatures;
#[cfg(test)]
pub(crate) mod tests;
mod trips;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::platform::plain_file;
#[cfg(test)]
pub(crate) use input::Received;
pub(crate) use input::read;
pub use judgement::{Judgement, Verify};
use record::Record;
use signatures::Roots;
pub use verdict::Verdict;

/// A year of readings at one a minute, generously.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

/// What is found in these files, device by device.
pub fn verdicts(
    files: &[PathBuf],
    roots: Option<&Path>,
    wanted: Option<&str>,
) -> anyhow::Result<Vec<Verdict>> {
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

/// The same, as it is told.
pub fn judgements(files: &[PathBuf], roots: &Path) -> anyhow::Result<Vec<Judgement>> {
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
