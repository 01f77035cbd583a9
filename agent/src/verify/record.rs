//! What was received of one device, by number.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::input::Received;
use tracker_evidence::{Hash, Statement, canonical, is_statement};

/// One body under a number, as canonical text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    pub(super) body: String,
    pub(super) line: usize,
}

/// All that was received under a number; the same again counts once.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbered {
    pub(super) versions: Vec<Version>,
    /// Hashes that messages which ended with it have carried, each with its line.
    pub(super) stated: Vec<(Hash, usize)>,
}

/// What was received of one device.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) entries: BTreeMap<u64, Numbered>,
    /// Sentences about what could not be read.
    pub(super) unreadable: Vec<String>,
}

impl Record {
    /// Adds a message.
    pub(super) fn add(&mut self, message: Received) {
        let Received { line, bodies, chain, .. } = message;
        let mut last = None;
        for body in bodies {
            let mut text = String::new();
            let seq = canonical::write(&body, &mut text).and_then(|()| number(&text));
            let Some(seq) = seq else {
                self.unreadable.push(format!("line {line} has a reading that can't be read, or has no seq"));
                continue;
            };
            let versions = &mut self.entries.entry(seq).or_default().versions;
            if !versions.iter().any(|version| version.body == text) {
                versions.push(Version { body: text, line });
            }
            last = Some(seq);
        }
        match (last, chain) {
            (Some(seq), Some(Ok(hash))) => {
                let stated = &mut self.entries.entry(seq).or_default().stated;
                if !stated.iter().any(|(known, _)| *known == hash) {
                    stated.push((hash, line));
                }
            }
            (_, Some(Err(text))) => {
                self.unreadable.push(format!("line {line} carries {text:?}, which is no hash"));
            }
            _ => {}
        }
    }

    /// What the device has stated, in its order.
    pub(super) fn statements(&self) -> impl Iterator<Item = (u64, Statement)> {
        self.entries.iter().flat_map(|(seq, numbered)| {
            let bodies = numbered.versions.iter().filter_map(|version| statement(&version.body));
            bodies.map(|statement| (*seq, statement))
        })
    }
}

impl Numbered {
    /// The body, of the first version where there are several.
    pub(super) fn body(&self) -> &str {
        self.versions.first().map_or("{}", |version| version.body.as_str())
    }

    /// When it was taken, where it says so.
    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        let body: Value = serde_json::from_str(self.body()).ok()?;
        DateTime::parse_from_rfc3339(body["time"].as_str()?).ok().map(|time| time.to_utc())
    }
}

/// What a body states, if it is no reading. In canonical form `evidence` need not come first.
pub(super) fn statement(body: &str) -> Option<Statement> {
    let is_one = is_statement(body) || body.contains("\"evidence\":");
    is_one.then(|| serde_json::from_str(body).ok()).flatten()
}

/// Whether a body is that of a reading: no statement, and no event, which says a `state`.
pub(super) fn is_reading(body: &str) -> bool {
    let members = canonical::members(body).unwrap_or_default();
    !members.iter().any(|member| member.name == "evidence" || member.name == "state")
}

fn number(body: &str) -> Option<u64> {
    canonical::members(body)?.into_iter().find(|member| member.name == "seq")?.value.parse().ok()
}
