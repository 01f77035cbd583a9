//! The settings in force: taken from the twin, kept on disk, watched by whoever follows them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::config::DeliveryMode;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;
use crate::settings::answer::Answer;
use crate::settings::defaults::Defaults;
use crate::settings::desired::Settings;
use crate::settings::properties::{Delivery, TelemetryInterval};

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
        let file = StateDirectory::new(state_directory).settings();
        let (settings, result) = match state_file::read::<Settings>(&file) {
            Ok(settings) => (settings.unwrap_or_default(), Ok(())),
            Err(error) => (Settings::default(), Err(error)),
        };
        let interval = watch::Sender::new(settings.value::<TelemetryInterval>(&defaults));
        (Self { settings, defaults, interval, file, answered: Vec::new() }, result)
    }

    /// The time between readings.
    pub fn interval(&self) -> watch::Receiver<Duration> {
        self.interval.subscribe()
    }

    /// How readings share messages.
    pub fn delivery(&self) -> DeliveryMode {
        self.settings.value::<Delivery>(&self.defaults)
    }

    /// Applies the desired section of the twin at once. Gives all answers, for reporting, and those that are new, for
    /// telling; and what is to be stored, where something has changed.
    pub fn apply(&mut self, desired: &Map<String, Value>, version: u64) -> Applied {
        let before = self.settings.clone();
        let answers = self.settings.apply(desired, version, &self.defaults);
        let interval = self.settings.value::<TelemetryInterval>(&self.defaults);
        self.interval.send_if_modified(|current| std::mem::replace(current, interval) != interval);
        let changed = (self.settings != before)
            .then(|| ToStore { file: self.file.clone(), settings: self.settings.clone() });
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
        Applied { reported, news, changed }
    }
}

/// What came of applying desired properties.
#[derive(Debug)]
pub struct Applied {
    /// To be reported.
    pub reported: Map<String, Value>,
    /// Answers that were not given before.
    pub news: Vec<Answer>,
    /// What is to be stored; `None` where nothing has changed.
    pub changed: Option<ToStore>,
}

/// Settings that a restart must find. To store them takes as long as the disk does.
#[derive(Debug)]
pub struct ToStore {
    file: PathBuf,
    settings: Settings,
}

impl ToStore {
    /// Where they go.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Stores them.
    pub fn store(&self) -> io::Result<()> {
        state_file::replace(&self.file, &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEFAULTS: Defaults = Defaults {
        interval: Duration::from_mins(1),
        delivery: DeliveryMode { batch_backlog: true, gzip: false },
    };

    fn apply(settings: &mut InForce, desired: Value, version: u64) -> Applied {
        let Value::Object(desired) = desired else { panic!() };
        settings.apply(&desired, version)
    }

    #[test]
    fn what_was_applied_is_in_force_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, loaded) = InForce::load(directory.path(), DEFAULTS);
        loaded.unwrap();
        let mut interval = settings.interval();
        assert_eq!(*interval.borrow_and_update(), Duration::from_mins(1));
        let desired = json!({"telemetryInterval": 5, "delivery": {"gzip": true}, "cargo": "gouda"});
        apply(&mut settings, desired, 1).changed.unwrap().store().unwrap();
        assert!(interval.has_changed().unwrap());
        let (settings, loaded) = InForce::load(directory.path(), DEFAULTS);
        loaded.unwrap();
        assert_eq!(*settings.interval().borrow(), Duration::from_secs(5));
        assert_eq!(settings.delivery(), DeliveryMode { batch_backlog: true, gzip: true });
        let stored = std::fs::read_to_string(directory.path().join("settings.json")).unwrap();
        assert!(!stored.contains("gouda"), "a property without a meaning costs no flash: {stored}");
    }

    #[test]
    fn a_change_of_other_properties_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let applied = apply(&mut settings, json!({"cargo": "gouda", "telemetryInterval": "x"}), 1);
        assert!(applied.changed.is_none());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn news_are_told_once_and_the_answer_to_what_is_gone_is_withdrawn() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let first = apply(&mut settings, json!({"cargo": "gouda"}), 1);
        assert_eq!(first.news.len(), first.reported.len());
        assert_eq!(first.reported["cargo"]["ac"], 200);
        let same = apply(&mut settings, json!({"cargo": "gouda"}), 1);
        assert!(same.news.is_empty() && same.reported == first.reported);
        let gone = apply(&mut settings, json!({}), 2);
        assert!(gone.news.is_empty());
        assert_eq!(gone.reported["cargo"], Value::Null);
        assert_eq!(gone.reported["telemetryInterval"]["ac"], 203);
    }
}
