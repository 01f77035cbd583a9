//! The settings in force: taken from the twin, kept on disk, watched by whoever follows them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::config::DeliveryMode;
use crate::platform::state_file;
use crate::settings::desired::{Answer, Defaults, Settings};

/// The settings in force.
#[derive(Debug)]
pub struct InForce {
    settings: Settings,
    defaults: Defaults,
    interval: watch::Sender<Duration>,
    file: PathBuf,
    answered: Vec<Answer>,
}

impl InForce {
    /// The settings stored in `state_directory`, or those of the configuration. An error says why the stored ones can't
    /// be used; the configuration's are then in force.
    pub fn load(state_directory: &Path, defaults: Defaults) -> (Self, io::Result<()>) {
        let file = state_directory.join("settings.json");
        let (settings, result) = match state_file::read::<Settings>(&file) {
            Ok(settings) => (settings.unwrap_or_default(), Ok(())),
            Err(error) => (Settings::default(), Err(error)),
        };
        let interval = watch::Sender::new(settings.telemetry_interval(defaults));
        (Self { settings, defaults, interval, file, answered: Vec::new() }, result)
    }

    /// The time between readings.
    pub fn interval(&self) -> watch::Receiver<Duration> {
        self.interval.subscribe()
    }

    /// How readings share messages.
    pub fn delivery(&self) -> DeliveryMode {
        self.settings.delivery(self.defaults)
    }

    /// Applies the desired section of the twin at once. Gives all answers, for reporting, and those that are new, for
    /// telling; and whether what changed could be stored.
    pub fn apply(&mut self, desired: &Map<String, Value>, version: u64) -> Applied {
        let before = self.settings.clone();
        let answers = self.settings.apply(desired, version, self.defaults);
        let interval = self.settings.telemetry_interval(self.defaults);
        self.interval.send_if_modified(|current| std::mem::replace(current, interval) != interval);
        let stored =
            if self.settings == before { Ok(()) } else { state_file::replace(&self.file, &self.settings) };
        let news = answers.iter().filter(|answer| !self.answered.contains(answer)).cloned().collect();
        let mut reported: Map<String, Value> = answers
            .iter()
            .map(|answer| (answer.property.clone(), answer.acknowledgement.to_value()))
            .collect();
        // An answer to a property that is gone from the twin is withdrawn.
        for gone in self.answered.iter().filter(|old| !answers.iter().any(|new| new.property == old.property))
        {
            reported.insert(gone.property.clone(), Value::Null);
        }
        self.answered = answers;
        Applied { reported, news, stored }
    }
}

/// What came of applying desired properties.
#[derive(Debug)]
pub struct Applied {
    /// To be reported.
    pub reported: Map<String, Value>,
    /// Answers that were not given before.
    pub news: Vec<Answer>,
    /// Whether the settings could be stored.
    pub stored: io::Result<()>,
}
