//! `--done`: what was done, a line each, so that the same command goes on where it was.
//!
//! The first line names the command; another one's file is refused. A line counts once it is whole: `ID done`.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const DONE: &str = " done";

/// An open file.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    known: HashSet<String>,
}

impl Ledger {
    /// Opens or makes it.
    pub(super) fn open(path: &Path, command: &str) -> anyhow::Result<Self> {
        let name = path.display();
        let head = format!("# container-tracker cloud {command}");
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("--done: can't read {name}"))?,
        };
        match text.lines().next() {
            Some(first) if first != head => {
                bail!("--done: {name} is not of `cloud {command}`: name another file")
            }
            _ => {}
        }
        let known =
            text.lines().skip(1).filter_map(|line| line.strip_suffix(DONE)).map(str::to_owned).collect();
        let opened = File::options().create(true).append(true).open(path);
        let mut file = opened.with_context(|| format!("--done: can't write {name}"))?;
        if text.is_empty() {
            writeln!(file, "{head}").with_context(|| format!("--done: can't write {name}"))?;
        } else if !text.ends_with('\n') {
            // A line that was cut off stays one of its own.
            writeln!(file).with_context(|| format!("--done: can't write {name}"))?;
        }
        Ok(Self { path: path.to_owned(), file, known })
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    pub(super) fn add(&mut self, id: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(format!("{id}{DONE}\n").as_bytes());
        written.with_context(|| format!("--done: can't write {}", self.path.display()))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_known_again_and_a_line_that_was_cut_off_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("done");
        Ledger::open(&path, "method invoke ping").unwrap().add("a").unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += "sensor-thl-00";
        std::fs::write(&path, text).unwrap();
        Ledger::open(&path, "method invoke ping").unwrap().add("b").unwrap();
        let ledger = Ledger::open(&path, "method invoke ping").unwrap();
        assert!(
            ledger.has("a")
                && ledger.has("b")
                && !ledger.has("sensor-thl-00")
                && !ledger.has("sensor-thl-00b")
        );
        let error = Ledger::open(&path, "device delete").unwrap_err().to_string();
        assert!(error.ends_with("is not of `cloud device delete`: name another file"), "{error}");
    }
}
