//! Where readings are taken from, as options say it.

use std::path::{Path, PathBuf};

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use tracker_console::history::{Archive, Exported, Kept};
use tracker_protocol::printable;

use super::capture::{self, Collected, Wanted};
use super::message::More;
use super::moment::since;
use crate::cli::cloud::target::Target;
use crate::platform::clock::system_time;

/// The history's file in the directory of a console's --history.
const HISTORY: &str = "console.sqlite";

/// Options that say which readings.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli::cloud) struct SourceArgs {
    /// Readings of this device; may be given several times. Without, those of all.
    #[arg(long = "device-id", short = 'd', value_name = "ID")]
    pub devices: Vec<String>,
    /// From this time on: 7d, 12h, 30m (so long ago), 2026-01-31, or 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = since)]
    pub since: DateTime<Utc>,
    /// Up to this time, as --since has it; without, up to now.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub until: Option<DateTime<Utc>>,
    /// Read what a console keeps in this directory (its --history), also while it runs; it has more than the hub's day.
    #[arg(long, value_name = "DIRECTORY")]
    history: Option<PathBuf>,
    /// Read messages from a file of `cloud monitor`, or from standard input (-).
    #[arg(long, value_name = "FILE.jsonl", conflicts_with = "history")]
    capture: Option<PathBuf>,
    /// The consumer group to read as, at the hub's built-in endpoint.
    #[arg(long, visible_alias = "cg", value_name = "NAME", default_value = "$Default")]
    consumer_group: String,
}

/// A reading, whose it is, and what it has beyond the fields that the console knows.
#[derive(Clone, Copy)]
pub(in crate::cli::cloud) struct Row<'a> {
    pub device: &'a str,
    pub reading: &'a Exported,
    pub more: Option<&'a More>,
}

/// Readings that were found.
pub(in crate::cli::cloud) struct Source {
    kind: Kind,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

enum Kind {
    Kept(Archive, Vec<Kept>),
    Collected(Collected),
}

impl SourceArgs {
    /// Finds them. What takes its time is given up when `is_over` says so.
    pub(in crate::cli::cloud) fn find(
        &self,
        target: &Target,
        is_over: impl Fn() -> bool,
    ) -> anyhow::Result<Source> {
        let (from, to) = (self.since, self.until.unwrap_or_else(system_time));
        if from >= to {
            bail!("--since {} is not before --until {}: nothing lies between them", wire(from), wire(to));
        }
        let wanted = Wanted { devices: &self.devices, from, to };
        let kind = match (&self.history, &self.capture) {
            (Some(directory), _) => {
                let archive = open_history(directory)?;
                let kept = self.chosen(archive.devices()?)?;
                Kind::Kept(archive, kept)
            }
            (None, Some(path)) => Kind::Collected(capture::file(path, &wanted)?),
            (None, None) => {
                let hub = target.hub()?;
                Kind::Collected(capture::endpoint(&hub, &self.consumer_group, &wanted, is_over)?)
            }
        };
        Ok(Source { kind, from, to })
    }

    /// Whether it is what a console keeps, in which there are no members but those that it knows.
    pub(in crate::cli::cloud) fn is_history(&self) -> bool {
        self.history.is_some()
    }

    fn chosen(&self, all: Vec<Kept>) -> anyhow::Result<Vec<Kept>> {
        if self.devices.is_empty() {
            return Ok(all);
        }
        for wanted in &self.devices {
            if all.iter().any(|kept| kept.device == *wanted) {
                continue;
            }
            let likeness = |kept: &&Kept| (strsim::jaro_winkler(&kept.device, wanted) * 1000.0) as u32;
            let near = all.iter().max_by_key(likeness).filter(|kept| likeness(kept) > 800);
            let near = near.map(|kept| format!("; is {} meant?", printable(&kept.device)));
            bail!(
                "the history has nothing of a device {:?}; it has {} devices{}",
                printable(wanted),
                all.len(),
                near.unwrap_or_default()
            );
        }
        Ok(all.into_iter().filter(|kept| self.devices.contains(&kept.device)).collect())
    }
}

impl Source {
    /// Whether a field, by its number among those of the console, is in any of them.
    pub(in crate::cli::cloud) fn has(&self, field: usize) -> bool {
        match &self.kind {
            Kind::Kept(_, kept) => kept.iter().any(|kept| kept.has(field)),
            Kind::Collected(collected) => {
                collected.readings.values().flatten().any(|(reading, _)| reading.cell(field).is_some())
            }
        }
    }

    /// The members beyond those fields that are in any of them, each with how many readings have it.
    pub(in crate::cli::cloud) fn unknown_members(&self) -> Vec<(String, usize)> {
        let Kind::Collected(collected) = &self.kind else { return Vec::new() };
        let mut counts = std::collections::BTreeMap::new();
        for name in collected.readings.values().flatten().flat_map(|(_, more)| more.keys()) {
            *counts.entry(name.clone()).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Calls `take` with one after the other: by device, in the order of their times.
    pub(in crate::cli::cloud) fn for_each(
        &self,
        mut take: impl FnMut(Row<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match &self.kind {
            Kind::Kept(archive, kept) => {
                for kept in kept {
                    for piece in archive.readings(kept, self.from, self.to) {
                        for reading in &piece? {
                            take(Row { device: &kept.device, reading, more: None })?;
                        }
                    }
                }
            }
            Kind::Collected(collected) => {
                for (device, readings) in &collected.readings {
                    for (reading, more) in readings {
                        take(Row { device, reading, more: Some(more) })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What people should know of them, a sentence each.
    pub(in crate::cli::cloud) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match &self.kind {
            Kind::Kept(_, kept) => {
                let gone = kept.iter().filter_map(Kept::since).filter(|since| *since > self.from).max();
                notes.extend(gone.map(|since| {
                    format!("single readings before {} are gone: the console keeps its bounds", wire(since))
                }));
            }
            Kind::Collected(collected) => {
                if collected.again > 0 {
                    notes
                        .push(format!("{} readings came more than once, and are here once", collected.again));
                }
                if collected.others > 0 {
                    notes.push(format!("{} messages are no readings, and left out", collected.others));
                }
            }
        }
        notes
    }

    /// From when to when.
    pub(in crate::cli::cloud) fn span(&self) -> String {
        format!("from {} to {}", wire(self.from), wire(self.to))
    }
}

/// The history in a console's directory; the file itself is understood as well.
pub(in crate::cli::cloud) fn open_history(directory: &Path) -> anyhow::Result<Archive> {
    let file = if directory.is_file() { directory.to_owned() } else { directory.join(HISTORY) };
    Ok(Archive::open(&file)?)
}

/// A time as it is written everywhere.
fn wire(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
