//! `status.json`: what the running agent is doing, for `container-tracker status` and for scripts.
//!
//! It lies in the runtime directory that systemd gives the service (in memory), or else in the state directory, where
//! it is written less often to spare the SD card. It is replaced atomically and never flushed: after a power cut
//! nobody runs whose status it would be.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::background::Background;
use crate::platform::plain_file;
use crate::platform::runtime_directory;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;
use crate::status::report::StatusReport;

const NAME: &str = "status.json";
/// In memory it is written so often, although nothing special happens.
const EVERY: Duration = Duration::from_secs(10);
/// On the SD card.
const EVERY_ON_DISK: Duration = Duration::from_mins(1);
/// News is written at once, and further news so much later at the earliest.
const NEWS_EVERY: Duration = Duration::from_secs(1);
/// On the SD card.
const NEWS_EVERY_ON_DISK: Duration = Duration::from_secs(3);

/// Where the running agent writes its status.
#[derive(Debug, Clone)]
pub struct StatusFile {
    path: PathBuf,
    every: Duration,
    news_every: Duration,
    state_directory: PathBuf,
    background: Background,
}

impl StatusFile {
    /// In `$RUNTIME_DIRECTORY`, or else in the state directory.
    pub fn new(state_directory: &Path) -> Self {
        let (path, every, news_every) = match runtime_directory::of_this_process() {
            Some(directory) => (directory.join(NAME), EVERY, NEWS_EVERY),
            None => (StateDirectory::new(state_directory).status(), EVERY_ON_DISK, NEWS_EVERY_ON_DISK),
        };
        let (state_directory, background) = (absolute(state_directory), Background::default());
        Self { path, every, news_every, state_directory, background }
    }

    /// The state directory of the agent that writes it, as an absolute path.
    pub fn state_directory(&self) -> &Path {
        &self.state_directory
    }

    /// How often it is written although nothing special happens.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The shortest time between two writes of news.
    pub fn news_every(&self) -> Duration {
        self.news_every
    }

    /// Replaces it, soon, and tells then whether it could: the disk may be slow.
    pub fn write(&self, status: StatusReport, told: impl FnOnce(io::Result<()>) + Send + 'static) {
        let file = self.clone();
        self.background.run(&self.path, move || told(file.replace(&status)));
    }

    fn replace(&self, status: &StatusReport) -> io::Result<()> {
        let temporary = state_file::replacement(&self.path);
        // By way of a value, which sorts the fields.
        let text = serde_json::to_vec_pretty(&serde_json::to_value(status)?)?;
        plain_file::create(&temporary, state_file::READABLE)?.write_all(&text)?;
        fs::rename(&temporary, &self.path)
    }

    /// Takes it away: the agent ends in good order.
    pub async fn remove(&self) {
        let path = self.path.clone();
        // What stays behind is seen to be old.
        self.background.run(&self.path, move || drop(state_file::remove(&path)));
        self.background.done().await;
    }

    /// What the agent that works in `state_directory` last wrote, wherever that is; `None` when there is nothing.
    pub fn read(state_directory: &Path) -> io::Result<Option<StatusReport>> {
        let wanted = absolute(state_directory);
        let mut paths = vec![StateDirectory::new(state_directory).status()];
        paths.push(Path::new(runtime_directory::OF_THE_UNIT).join(NAME));
        paths.extend(runtime_directory::of_this_process().map(|directory| directory.join(NAME)));
        let (mut newest, mut problem) = (None::<StatusReport>, None);
        for path in paths {
            match state_file::read::<StatusReport>(&path) {
                Ok(Some(status)) if status.state_directory == wanted => {
                    if newest.as_ref().is_none_or(|other| other.written_at() < status.written_at()) {
                        newest = Some(status);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let why = format!("{}: {error}", path.display());
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
fn absolute(directory: &Path) -> PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.into())
}
