//! `status.json`: what the running agent is doing, for `container-tracker status` and whoever else wants to know.
//!
//! It lies in the runtime directory that systemd gives the service (in memory), or else in the state directory, where
//! it is written less often to spare the SD card. It is replaced atomically and never flushed: after a power cut
//! nobody runs whose status it would be.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::platform::state_file;

const NAME: &str = "status.json";
/// Where the unit's `RuntimeDirectory=` is, for readers outside of the service.
const RUNTIME_DIRECTORY: &str = "/run/container-tracker";
/// In memory it is written so often, although nothing special happens.
const EVERY: Duration = Duration::from_secs(10);
/// On the SD card.
const EVERY_ON_DISK: Duration = Duration::from_secs(60);

/// Where the running agent writes its status.
#[derive(Debug, Clone)]
pub struct StatusFile {
    path: PathBuf,
    every: Duration,
}

impl StatusFile {
    /// In `$RUNTIME_DIRECTORY`, or else in the state directory.
    pub fn new(state_directory: &Path) -> Self {
        match runtime_directory() {
            Some(directory) => Self { path: directory.join(NAME), every: EVERY },
            None => Self { path: state_directory.join(NAME), every: EVERY_ON_DISK },
        }
    }

    /// How often it is written although nothing special happens.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Replaces it.
    pub fn write(&self, status: &Value) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        File::create(&temporary)?.write_all(&serde_json::to_vec_pretty(status)?)?;
        fs::rename(&temporary, &self.path)
    }

    /// Takes it away: the agent ends in good order.
    pub fn remove(&self) {
        // What stays behind is seen to be old.
        let _ = state_file::remove(&self.path);
    }

    /// What the agent that works in `state_directory` last wrote, wherever that is; `None` when there is nothing.
    pub fn read(state_directory: &Path) -> io::Result<Option<Value>> {
        let mut directories = vec![state_directory.to_owned(), RUNTIME_DIRECTORY.into()];
        directories.extend(runtime_directory());
        let (mut newest, mut problem) = (None::<Value>, None);
        for directory in directories {
            match state_file::read::<Value>(&directory.join(NAME)) {
                Ok(Some(status)) if is_of(&status, state_directory) => {
                    let written = |status: &Value| status["writtenAtUptime"].as_f64().unwrap_or_default();
                    if newest.as_ref().is_none_or(|other| written(other) < written(&status)) {
                        newest = Some(status);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let why = format!("{}: {error}", directory.join(NAME).display());
                    problem = Some(io::Error::new(error.kind(), why));
                }
            }
        }
        match (newest, problem) {
            (None, Some(problem)) => Err(problem),
            (newest, _) => Ok(newest),
        }
    }
}

/// The same directory may be named relative to another place.
pub fn absolute(directory: &Path) -> PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.into())
}

fn is_of(status: &Value, state_directory: &Path) -> bool {
    let same = |directory: &str| Path::new(directory) == absolute(state_directory);
    status["stateDirectory"].as_str().is_some_and(same)
}

/// systemd names several, separated by colons, when the unit has several.
fn runtime_directory() -> Option<PathBuf> {
    let directories = std::env::var("RUNTIME_DIRECTORY").ok()?;
    directories.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from)
}
