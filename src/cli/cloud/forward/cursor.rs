//! How far forwarding has come, in a file: for each partition what the sink has acknowledged last.
//!
//! It is replaced as a whole, after the acknowledgement and never before. Whoever was killed goes on with it, and sends what was on
//! its way again; whoever ended in order sends nothing twice.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracker_protocol::printable;

use crate::cli::cloud::amqp::{Mark, Position};
use crate::platform::{plain_file, state_file};

/// A cursor.
pub(super) struct Cursor {
    file: Option<(PathBuf, File)>,
    content: Content,
    was_there: bool,
    was_at_rest: bool,
}

/// What stands in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    hub: String,
    consumer_group: String,
    to: String,
    /// Where partitions begin of which nothing was read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
    /// Whether it ended in order.
    is_at_rest: bool,
    partitions: BTreeMap<String, Mark>,
}

/// A name by what is forwarded to.
pub(super) fn default_path(to: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = to.replace("://", "-").chars().take(100).map(plain).collect();
    format!("forward-{}.json", name.trim_matches('-')).into()
}

impl Cursor {
    /// None that is kept.
    pub(super) fn none() -> Self {
        Self { file: None, content: Content::default(), was_there: false, was_at_rest: true }
    }

    /// Opens it, or begins one. It is one process's at a time.
    pub(super) fn open(path: &Path, hub: &str, group: &str, to: &str, restart: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        let lock = lock(path)?;
        let fresh = || Content {
            hub: hub.to_owned(),
            consumer_group: group.to_owned(),
            to: to.to_owned(),
            ..Content::default()
        };
        let found: Option<Content> = if restart {
            None
        } else {
            state_file::read(path).with_context(|| {
                format!(
                    "--cursor {shown} can't be read as one; begin anew with --restart, or name another file"
                )
            })?
        };
        for (what, there, wanted) in found.iter().flat_map(|found| {
            [
                ("hub", &found.hub, hub),
                ("consumer group", &found.consumer_group, group),
                ("destination", &found.to, to),
            ]
        }) {
            if there != wanted {
                bail!(
                    "--cursor {shown} is of another {what}, {}, and not of {wanted}; name another file, or begin anew with --restart",
                    printable(there)
                );
            }
        }
        let was_at_rest = found.as_ref().is_none_or(|found| found.is_at_rest);
        let was_there = found.is_some();
        let content = found.unwrap_or_else(fresh);
        Ok(Self { file: Some((path.to_owned(), lock)), content, was_there, was_at_rest })
    }

    /// Notes where it begins, if it does.
    pub(super) fn begin(&mut self, from: &Position) {
        if let (Position::After(time), false) = (from, self.was_there) {
            self.content.since = Some(*time);
        }
    }

    /// What was acknowledged last.
    pub(super) fn marks(&self) -> &BTreeMap<String, Mark> {
        &self.content.partitions
    }

    /// Where partitions begin of which nothing was read yet, if that was written down.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.content.since
    }

    /// Where it begins, in words.
    pub(super) fn words(&self) -> String {
        let Some((path, _)) = self.file.as_ref().filter(|_| self.was_there) else {
            return match self.content.since {
                Some(time) => format!("from {} on", time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
                None => "from now on".to_owned(),
            };
        };
        let again =
            if self.was_at_rest { "" } else { "; what was on its way when it was cut off may come twice" };
        format!("going on as {} says{again}", path.display())
    }

    /// Writes down what was acknowledged.
    pub(super) fn write(&mut self, marks: BTreeMap<String, Mark>, is_at_rest: bool) -> anyhow::Result<()> {
        if !marks.is_empty() {
            self.content.partitions = marks;
        }
        self.content.is_at_rest = is_at_rest;
        let Some((path, _)) = &self.file else { return Ok(()) };
        state_file::replace(&absolute(path), &self.content).with_context(|| {
            format!(
                "can't write {}: what was forwarded since comes twice when it is started again",
                path.display()
            )
        })
    }

    /// It has ended in order.
    pub(super) fn rest(&mut self) -> anyhow::Result<()> {
        self.write(BTreeMap::new(), true)
    }
}

/// A path with a directory in it, which can be opened.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&name);
    let file = file.with_context(|| format!("can't write {}", name.display()))?;
    if plain_file::lock(&file).is_err() {
        bail!("{} is in use by another `cloud forward`; name another file with --cursor", path.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_destination_and_says_whether_it_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cursor.json");
        let open = |to: &str| Cursor::open(&path, "hub", "$Default", to, false);
        let marks = BTreeMap::from([("0".to_owned(), Mark { offset: "40".into(), sequence_number: 3 })]);
        let mut cursor = open("mqtt://a").unwrap();
        assert!(cursor.marks().is_empty() && cursor.words() == "from now on");
        assert!(open("mqtt://a").err().unwrap().to_string().contains("in use"));
        cursor.write(marks.clone(), false).unwrap();
        drop(cursor);
        let mut cursor = open("mqtt://a").unwrap();
        assert!(*cursor.marks() == marks && cursor.words().contains("may come twice"));
        cursor.rest().unwrap();
        drop(cursor);
        assert!(!open("mqtt://a").unwrap().words().contains("twice"));
        assert!(open("mqtt://b").err().unwrap().to_string().contains("another destination, mqtt://a"));
        assert!(Cursor::open(&path, "hub", "$Default", "mqtt://b", true).unwrap().marks().is_empty());
    }

    #[test]
    fn a_name_comes_from_the_destination() {
        let name = default_path("http://localhost:8086/write?db=tracker");
        assert_eq!(name, PathBuf::from("forward-http-localhost-8086-write-db-tracker.json"));
    }
}
