//! The certificates that Azure has issued, as `status.json` tells them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identity::operational::{Operational, Summary};
use crate::platform::state_directory::StateDirectory;
use crate::platform::timestamp::Timestamp;
use crate::platform::watched_file::WatchedFile;

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuedReport {
    /// What the hub may be shown, the best first.
    pub certificates: Vec<IssuedCertificate>,
    /// Whether one was asked for that has not come yet.
    pub is_asked_for: bool,
    /// What can't be read, in sentences.
    pub troubles: Vec<String>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuedCertificate {
    /// `current`: the hub has taken it; `next`: not yet.
    pub slot: String,
    /// SHA-256 of it, in hexadecimal.
    pub thumbprint: String,
    /// Its last moment.
    pub not_after: Option<Timestamp>,
    /// Whole days until then, negative afterwards; null while the time is not known.
    pub days_left: Option<i64>,
    /// When another one is to be asked for.
    pub renewal_due: Option<Timestamp>,
    /// How often the hub has refused it since it took it last; more than 3 are not counted.
    pub refusals: u8,
}

impl IssuedReport {
    /// How they stand at `now`, if that is known.
    pub fn of(summary: &Summary, now: Option<DateTime<Utc>>) -> Self {
        let Summary { pairs, request, troubles } = summary;
        let certificates = pairs.iter().map(|pair| IssuedCertificate {
            slot: pair.slot.name().into(),
            thumbprint: pair.thumbprint.clone(),
            not_after: Some(Timestamp(pair.not_after)),
            // The last hours are no day, and not yet the end.
            days_left: now.map(|now| (pair.not_after - now).num_seconds().div_euclid(86_400)),
            renewal_due: Some(Timestamp(pair.renewal_due)),
            refusals: pair.refusals,
        });
        Self {
            certificates: certificates.collect(),
            is_asked_for: request.is_some(),
            troubles: troubles.clone(),
        }
    }
}

/// Looks at them again when something has changed in their folder.
#[derive(Debug)]
pub struct Issued {
    operational: Operational,
    state_directory: PathBuf,
    read: Option<(WatchedFile, Summary)>,
}

impl Issued {
    /// Those in this state directory.
    pub fn new(operational: Operational, state_directory: &Path) -> Self {
        Self { operational, state_directory: state_directory.into(), read: None }
    }

    /// As [`IssuedReport::of`].
    pub fn report(&mut self, now: Option<DateTime<Utc>>) -> IssuedReport {
        if self.read.as_ref().is_none_or(|(folder, _)| folder.has_changed()) {
            let folder = WatchedFile::new(&StateDirectory::new(&self.state_directory).operational());
            let summary = Summary::look(&self.operational, &self.state_directory);
            let summary = summary
                .unwrap_or_else(|error| Summary { troubles: vec![error.to_string()], ..Summary::default() });
            self.read = Some((folder, summary));
        }
        self.read.as_ref().map(|(_, summary)| IssuedReport::of(summary, now)).unwrap_or_default()
    }
}
