//! Which devices are meant.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tracker_protocol::printable;

use crate::cli::cloud::service::client::AT_ONCE;
use crate::cli::text_file;

/// A list of IDs is read up to this length.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;

/// As Azure has it.
const LONGEST_ID: usize = 128;

/// Devices, by their IDs or by a condition.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "which", required = true, multiple = true)]
pub(in crate::cli::cloud) struct Which {
    /// The device ID at the hub; several name several devices.
    #[arg(long = "device-id", short = 'd', value_name = "ID", num_args = 1..)]
    ids: Vec<String>,
    /// The devices whose IDs are in a file, one a line; - reads them from standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// All devices that meet a condition of IoT Hub's query language, like "tags.environment = 'production'".
    #[arg(long = "where", value_name = "CONDITION", conflicts_with_all = ["ids", "from"])]
    condition: Option<String>,
}

/// Individual enrollments, by their IDs or by a condition on their devices.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "which", required = true, multiple = true)]
pub(in crate::cli::cloud) struct WhichEnrollments {
    /// The registration ID, which is the common name of the device's certificate; several name several enrollments.
    #[arg(long = "enrollment-id", visible_aliases = ["eid", "registration-id"], value_name = "ID", num_args = 1..)]
    enrollment_ids: Vec<String>,
    /// The enrollments whose IDs are in a file, one a line; - reads them from standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Those of all devices at the hubs that meet a condition of IoT Hub's query language.
    #[arg(long = "where", value_name = "CONDITION", conflicts_with_all = ["enrollment_ids", "from"])]
    condition: Option<String>,
}

/// How it is done.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli::cloud) struct Conduct {
    /// Show what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask when a condition matches every device.
    #[arg(long)]
    pub yes: bool,
    /// The most calls under way at a time, 1 to 32.
    #[arg(long, value_name = "N", default_value_t = AT_ONCE as u8, value_parser = clap::value_parser!(u8).range(1..=AT_ONCE as i64))]
    pub at_once: u8,
    /// Keep what is done in this file, and leave out what is in it: the same command again goes on where it was.
    #[arg(long, value_name = "FILE")]
    pub done: Option<PathBuf>,
}

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::cloud) enum Selection {
    /// These, each once.
    Ids(Vec<String>),
    /// Those that meet the condition.
    Where(String),
}

impl Which {
    /// The only device, if one is named on the command line and nothing asks for more than the one call.
    pub(in crate::cli::cloud) fn only(&self, conduct: &Conduct) -> Option<&str> {
        only(&self.ids, self.from.as_deref(), self.condition.as_deref(), conduct)
    }

    pub(in crate::cli::cloud) fn selection(self) -> anyhow::Result<Selection> {
        selection(self.ids, self.from.as_deref(), self.condition)
    }
}

impl WhichEnrollments {
    /// The only enrollment, if one is named on the command line and nothing asks for more than the one call.
    pub(in crate::cli::cloud) fn only(&self, conduct: &Conduct) -> Option<&str> {
        only(&self.enrollment_ids, self.from.as_deref(), self.condition.as_deref(), conduct)
    }

    pub(in crate::cli::cloud) fn selection(self) -> anyhow::Result<Selection> {
        selection(self.enrollment_ids, self.from.as_deref(), self.condition)
    }
}

fn only<'a>(
    ids: &'a [String],
    from: Option<&Path>,
    condition: Option<&str>,
    conduct: &Conduct,
) -> Option<&'a str> {
    match ids {
        [id] if from.is_none() && condition.is_none() && !conduct.dry_run && conduct.done.is_none() => {
            Some(id)
        }
        _ => None,
    }
}

fn selection(ids: Vec<String>, from: Option<&Path>, condition: Option<String>) -> anyhow::Result<Selection> {
    if let Some(condition) = condition {
        if condition.trim().is_empty() {
            bail!("--where is empty: say which devices, like \"tags.environment = 'lab'\"");
        }
        return Ok(Selection::Where(condition));
    }
    let mut all = ids;
    if let Some(path) = from {
        let (name, text) = read(path)?;
        let listed = listed(&text, &name)?;
        if listed.is_empty() {
            bail!("--from: {name} names no device: nothing was done");
        }
        all.extend(listed);
    }
    let mut known = HashSet::new();
    all.retain(|id| known.insert(id.clone()));
    Ok(Selection::Ids(all))
}

fn read(path: &Path) -> anyhow::Result<(String, String)> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let input = std::io::stdin().lock();
        input.take(LONGEST_FILE + 1).read_to_end(&mut bytes).context("--from: can't read standard input")?;
        if bytes.len() as u64 > LONGEST_FILE {
            bail!("--from: standard input is longer than 64 MiB: hand it over in parts");
        }
        let text = String::from_utf8(bytes).ok().context("--from: standard input is no text in UTF-8")?;
        return Ok(("standard input".into(), text));
    }
    let name = path.display().to_string();
    let length = std::fs::metadata(path).map_or(0, |found| found.len());
    if length > LONGEST_FILE {
        bail!("--from: {name} is longer than 64 MiB: split it");
    }
    let text = text_file::read(path).with_context(|| format!("--from: can't read {name}"))?;
    Ok((name, text))
}

/// A line an ID; empty lines and comments are passed over.
fn listed(text: &str, name: &str) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let id = line.trim();
        if id.is_empty() || id.starts_with('#') {
            continue;
        }
        if id.len() > LONGEST_ID || !id.chars().all(may_be_in_an_id) {
            let shown: String = printable(id).chars().take(60).collect();
            bail!(
                "--from: line {number} of {name} is no device ID: {shown:?}; a line has one ID of at most 128 letters, digits \
                 and -:.+%_#*?!(),=@$'"
            );
        }
        ids.push(id.to_owned());
    }
    Ok(ids)
}

fn may_be_in_an_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@$'".contains(c)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_id_a_line_and_each_counts_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ids.txt");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            selection(vec!["a".into()], Some(&file), None).map_err(|error| error.to_string())
        };
        let ids = |ids: &[&str]| Ok(Selection::Ids(ids.iter().map(|id| (*id).to_owned()).collect()));
        assert_eq!(read("\u{feff}b\r\n\r\n# sold\n  a \nc"), ids(&["a", "b", "c"]));
        assert!(read("# none\n\n").unwrap_err().contains("names no device: nothing was done"));
        let error = read("b\nBad Name;x\n").unwrap_err();
        assert!(error.contains("line 2 of") && error.contains("\"Bad Name;x\""), "{error}");
        assert!(read(&"x".repeat(129)).unwrap_err().contains("line 1 of"));
        let many: String = (0..100_000).map(|number| format!("box-{number}\n")).collect();
        assert!(matches!(read(&many), Ok(Selection::Ids(ids)) if ids.len() == 100_001));
        let error = selection(Vec::new(), None, Some(" ".into())).unwrap_err().to_string();
        assert!(error.starts_with("--where is empty"), "{error}");
    }
}
