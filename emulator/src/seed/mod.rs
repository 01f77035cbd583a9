//! A seed: what a cloud is to hold when it begins, in one file that says what is to be, in JSON or TOML.
//!
//! ```text
//! {"certificates":     [{"name", "certificatePath" or "certificate"}],   CA certificates, taken for verified
//!  "enrollmentGroups": [{"enrollmentGroupId", "attestation", …}],        as DPS has them in REST
//!  "enrollments":      [{"registrationId", "attestation", …}],
//!  "devices":          [{"id", "hub", "authentication", "tags", "properties": {"desired"}, …}],   as a hub imports them
//!  "modules":          [{"id", "moduleId", "hub", "authentication", "tags", "properties": {"desired"}, …}],
//!  "faults":           [{"service", "fault", "device", "times", "probability", …}]}
//! ```
//!
//! What is there already becomes as the file says; what the file does not name is left alone. All or nothing: who plants a seed
//! before the emulator listens has written nothing if it fails.

mod error;
mod text;
mod plant;

use std::path::PathBuf;

pub use error::SeedError;
use serde_json::Value;
use text::Text;

use crate::dps::Dps;

/// The lists of a seed, in the order in which they are planted.
const LISTS: [&str; 6] = ["certificates", "enrollmentGroups", "enrollments", "devices", "modules", "faults"];

/// Entries of all lists together.
const MAX_ENTRIES: usize = 200_000;

/// A seed that was read, and not planted yet.
#[derive(Debug)]
pub struct Seed {
    text: Text,
    content: Value,
    /// Paths in it are below this directory.
    directory: PathBuf,
}

/// What was planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// CA certificates.
    pub certificates: usize,
    /// Enrollment groups.
    pub enrollment_groups: usize,
    /// Individual enrollments.
    pub enrollments: usize,
    /// Device identities, with their twins.
    pub devices: usize,
    /// Module identities, with their twins.
    pub modules: usize,
    /// Faults that are in force.
    pub faults: usize,
}

impl Seed {
    /// Reads a seed: JSON if it begins with a brace, else TOML. `directory`: below it are the files that it names.
    pub fn parse(text: &str, directory: impl Into<PathBuf>) -> Result<Self, SeedError> {
        let text = Text::new(text);
        let content = text.parse()?;
        let members = content.as_object().ok_or_else(|| SeedError::at(1, "the file", "is not an object"))?;
        let mut entries = 0;
        for (name, list) in members {
            if !LISTS.contains(&name.as_str()) {
                let why = format!("is not known; a seed has {}", LISTS.join(", "));
                return Err(SeedError::new(text.line_of(name), name, why));
            }
            let list = list
                .as_array()
                .ok_or_else(|| SeedError::new(text.line_of(name), name, "has to be a list of objects"))?;
            entries += list.len();
        }
        if entries > MAX_ENTRIES {
            return Err(SeedError::at(
                1,
                "the file",
                format!("has {entries} entries; {MAX_ENTRIES} are allowed"),
            ));
        }
        Ok(Self { text, content, directory: directory.into() })
    }

    /// Plants it in a provisioning service and its hubs.
    pub fn plant(&self, dps: &Dps) -> Result<Planted, SeedError> {
        let mut planted = Planted::default();
        for list in LISTS {
            let entries = self.content[list].as_array().into_iter().flatten();
            for (index, entry) in entries.enumerate() {
                let one = plant::one(dps, list, entry, &self.directory);
                one.map_err(|why| self.wrong(list, index, entry, why))?;
                let count = match list {
                    "certificates" => &mut planted.certificates,
                    "enrollmentGroups" => &mut planted.enrollment_groups,
                    "enrollments" => &mut planted.enrollments,
                    "devices" => &mut planted.devices,
                    "modules" => &mut planted.modules,
                    _ => &mut planted.faults,
                };
                *count += 1;
            }
        }
        Ok(planted)
    }

    fn wrong(&self, list: &str, index: usize, entry: &Value, why: String) -> SeedError {
        let name = plant::name_of(entry);
        let what = match name {
            Some(name) => format!("{list}[{index}], \"{}\"", name.chars().take(128).collect::<String>()),
            None => format!("{list}[{index}]"),
        };
        SeedError::new(name.and_then(|name| self.text.line_of_entry(list, name)), what, why)
    }
}

#[cfg(test)]
mod tests;
