//! What checks share: the configuration, the clock, the running agent's own word, and what earlier checks heard.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracker_sensors::gps::{Counts, Fix};

use crate::config::{Config, ConfigError};
use crate::platform::clock::{Clock, SystemClock, TimeSource};
use crate::platform::state_directory::StateDirectory;
use crate::status::file::StatusFile;
use crate::status::report::{LastFix, SensorReport, StatusReport};

/// What checks share.
pub(super) struct Context {
    /// The configuration file.
    pub(super) path: PathBuf,
    config: Result<Config, ConfigError>,
    /// Knows the time when NTP does, or when the receiver has told it.
    pub(super) clock: Arc<dyn Clock>,
    /// What the agent that runs here says of itself.
    running: Option<StatusReport>,
    heard: Mutex<Option<Heard>>,
}

/// What came from the GPS receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub(super) counts: Counts,
    pub(super) fix: Option<Fix>,
}

impl Context {
    pub(super) fn new(path: &Path) -> Self {
        let config = Config::load(path);
        let trust_system = config.as_ref().is_ok_and(|config| config.clock.trust_system);
        let running = config.as_ref().ok().and_then(|config| running(&config.state.directory));
        let clock = Arc::new(SystemClock::new(trust_system));
        if let Some((utc, monotonic)) = running.as_ref().and_then(|status| time_of(status, clock.boot())) {
            clock.learn(utc, monotonic);
        }
        Self { path: path.into(), config, clock, running, heard: Mutex::new(None) }
    }

    /// The configuration, or why there is none.
    pub(super) fn config(&self) -> Result<&Config, &ConfigError> {
        self.config.as_ref()
    }

    /// Whether an agent works in the state directory now.
    pub(super) fn agent_runs(&self) -> bool {
        self.running.is_some()
    }

    /// The running agent's word on a sensor: it holds the bus, and two at once would disturb it.
    pub(super) fn agents_word(&self, sensor: &str) -> Option<SensorReport> {
        let running = self.running.as_ref()?;
        Some(running.device.sensors.get(sensor).cloned().unwrap_or_default())
    }

    /// The running agent's last fix.
    pub(super) fn agents_fix(&self) -> Option<LastFix> {
        self.running.as_ref()?.device.last_fix
    }

    /// Whether the running agent has the time from its receiver, and so has [`Context::clock`].
    pub(super) fn agent_told_time(&self) -> bool {
        self.agent_runs() && self.clock.source() == TimeSource::Gps
    }

    /// What came from the GPS receiver while the port was checked.
    pub(super) fn heard(&self) -> MutexGuard<'_, Option<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What GPS has told the running agent: the time, and the monotonic time of this boot to which it belongs.
fn time_of(status: &StatusReport, boot: &str) -> Option<(DateTime<Utc>, Duration)> {
    let is_from_gps = status.boot == boot && status.device.time_source == TimeSource::Gps;
    is_from_gps.then_some((status.device.time?.0, status.written_at()))
}

/// The status of the agent that works in this directory, empty when it can't be read; `None` when none does.
fn running(state_directory: &Path) -> Option<StatusReport> {
    let works = StateDirectory::new(state_directory).is_locked();
    works.then(|| StatusFile::read(state_directory).ok().flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_the_agents_word_on_the_time_when_it_has_it_from_gps_in_this_boot() {
        let status = |source: &str| -> StatusReport {
            serde_json::from_value(json!({
                "boot": "b", "timeSource": source, "time": "2026-11-21T09:47:01.250Z", "writtenAtUptime": 61.25,
            }))
            .unwrap()
        };
        let (utc, uptime) = time_of(&status("gps"), "b").unwrap();
        assert_eq!(utc.to_rfc3339(), "2026-11-21T09:47:01.250+00:00");
        assert_eq!(uptime, Duration::from_millis(61_250));
        assert_eq!(time_of(&status("gps"), "another boot"), None);
        assert_eq!(time_of(&status("kernel"), "b"), None, "the kernel is asked itself");
        assert_eq!(time_of(&StatusReport::default(), "b"), None);
    }
}
