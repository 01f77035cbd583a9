//! What is said of a running agent, field by field: `status.json`, and as far as it is about the device, the answer to the
//! direct method `getStatus`.
//!
//! The agent that writes a file and the program that reads it may be of different versions, so fields that the reader does
//! not know are passed over, and those that are missing are as in [`Default`]. Names and meanings of fields stay as they
//! are once a version with them is out: scripts read them too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use tracker_sensors::health::{self, Health};

use crate::event::recent::{LastDelivered, Trouble};
use crate::journal::JournalStats;
use crate::platform::clock::TimeSource;
use crate::platform::timestamp::Timestamp;
#[cfg(feature = "lab")]
use crate::status::close_up::{Measurement, Sky};
use crate::status::connection::State;
use crate::status::issued::IssuedReport;

/// The content of `status.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct StatusReport {
    /// What the device is doing. Its fields stand among the others.
    #[serde(flatten, skip_deserializing)]
    pub device: DeviceStatus,
    /// Process ID of the agent.
    pub pid: u32,
    /// The boot of the machine in which it runs, by the kernel's name.
    pub boot: String,
    /// When this was written, in seconds since that boot.
    pub written_at_uptime: f64,
    /// A reader who finds it older than this knows that nobody keeps it current.
    #[serde(default = "stale_after_seconds")]
    pub stale_after_seconds: u64,
    /// Absolute path of the state directory, by which a reader finds its own agent among several.
    pub state_directory: PathBuf,
    /// Whether the first reading is in the journal.
    pub ready: bool,
    /// How long [`DeviceStatus::state`] has been what it is.
    pub in_state_seconds: u64,
    /// Why the device is not online, in a sentence for people; absent while nothing has kept it from that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_cause: Option<String>,
    /// What carries MQTT where that is another than usual, and through which proxy it goes: `websocket`,
    /// `mqtt by the proxy proxy:3128`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The interval between readings that is in force; versions before this field was there did not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u64>,
    /// Whether the agent writes the file anew when it gets the signal USR1, by which others would end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub written_on_usr1: bool,
    /// Essential tasks that make no progress.
    pub hung: Vec<String>,
    /// The last reading that the hub has acknowledged since the start.
    pub last_delivered: Option<LastDelivered>,
    /// The leaf certificate in its file, unless it can't be read.
    pub certificate: Option<CertificateReport>,
    /// The root of servers' certificates that ends first; absent while none is in use, and where the system's store has none of
    /// Azure's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_root_end: Option<RootReport>,
    /// What Azure has issued; absent where it is to issue nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<IssuedReport>,
    /// Why readings are kept in memory; null while the disk works.
    pub journal_trouble: Option<String>,
    /// The journal that could not be used and was set aside since the start.
    pub journal_set_aside: Option<String>,
    /// The last warnings and errors, oldest first.
    pub troubles: Vec<Trouble>,
    /// What was measured last; absent where the agent does not tell.
    #[cfg(feature = "lab")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
    /// What the GPS receiver says of itself; absent where the agent does not tell.
    #[cfg(feature = "lab")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sky: Option<Sky>,
}

impl Serialize for StatusReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for StatusReport {
    /// Reads the object twice, once for each of the two: what serde makes to read both at once is 20 KB of firmware.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let report = Self::deserialize(&object).map_err(D::Error::custom)?;
        let device = DeviceStatus::deserialize(&object).map_err(D::Error::custom)?;
        Ok(Self { device, ..report })
    }
}

/// The answer to `getStatus`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceStatus {
    /// Version of the agent.
    pub version: String,
    /// Universal time, if it is known.
    pub time: Option<Timestamp>,
    /// Who tells it.
    pub time_source: TimeSource,
    /// Seconds since the machine was booted.
    pub uptime_seconds: u64,
    /// Where the device stands; a report without it tells nothing.
    pub state: Option<State>,
    /// Host name of the assigned hub.
    pub hub: Option<String>,
    /// Another client uses this device's identity.
    pub taken_over: bool,
    /// Readings on their way.
    pub journal: JournalReport,
    /// Every instrument by its name. Which there are is up to the device, and more kinds will come.
    pub sensors: BTreeMap<String, SensorReport>,
    /// Where the device is, if the receiver has a fix.
    pub last_fix: Option<LastFix>,
    /// Fences that it is in by the last fix that told, the smallest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Alarms that are raised, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub active_alarms: BTreeMap<String, ActiveAlarmReport>,
}

/// An alarm that is raised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActiveAlarmReport {
    /// `warning` or `critical`.
    pub severity: String,
    /// When it began; null while the time is not known.
    pub since: Option<Timestamp>,
    /// Somebody has said that it is known.
    pub acknowledged: bool,
}

/// Counts of readings, as in [`JournalStats`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JournalReport {
    /// Taken since the start.
    pub taken: u64,
    /// Handed to the network since the start, repetitions included.
    pub sent: u64,
    /// Acknowledged since the start.
    pub acknowledged: u64,
    /// That wait to be acknowledged.
    pub backlog: u64,
    /// That a coarser history gave up, ever.
    pub thinned: u64,
    /// Lost since the start because neither disk nor memory could take them.
    pub dropped: u64,
}

/// How an instrument is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SensorReport {
    /// How far it can be relied on.
    pub state: SensorState,
    /// Why, in a sentence for people; empty while all is well.
    pub cause: String,
}

/// How far an instrument can be relied on, see [`health::State`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SensorState {
    /// Nothing known yet.
    Starting,
    /// Gives what it should.
    Ok,
    /// Gives something, or nothing for an ordinary reason.
    Degraded,
    /// Gives nothing.
    Failed,
    /// The report does not say, or has a word of another version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastFix {
    /// Latitude in degrees, north is positive.
    pub lat: f64,
    /// Longitude in degrees, east is positive.
    pub lon: f64,
    /// When, by the receiver's own word.
    pub time: Option<Timestamp>,
}

/// The leaf certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateReport {
    /// Its common name, which is the registration ID.
    pub common_name: Option<String>,
    /// Its last moment.
    pub not_after: Option<Timestamp>,
    /// Whole days until then, negative afterwards; null while the time is not known.
    pub days_left: Option<i64>,
    /// As many until an issuer in its file ends; absent where none ends before it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_days_left: Option<i64>,
}

/// A root of servers' certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RootReport {
    /// Its subject.
    pub name: String,
    /// Its last moment.
    pub not_after: Option<Timestamp>,
    /// Whole days until then, negative afterwards; null while the time is not known.
    pub days_left: Option<i64>,
}

/// Versions before this field was there wrote every ten seconds.
fn stale_after_seconds() -> u64 {
    30
}

impl StatusReport {
    /// When it was written, since the boot of the machine.
    pub fn written_at(&self) -> Duration {
        Duration::try_from_secs_f64(self.written_at_uptime).unwrap_or_default()
    }
}

impl From<JournalStats> for JournalReport {
    fn from(stats: JournalStats) -> Self {
        let JournalStats { taken, sent, acknowledged, backlog, thinned, dropped, .. } = stats;
        Self { taken, sent, acknowledged, backlog, thinned, dropped }
    }
}

impl From<Health> for SensorReport {
    fn from(health: Health) -> Self {
        let state = match health.state {
            health::State::Starting => SensorState::Starting,
            health::State::Ok => SensorState::Ok,
            health::State::Degraded => SensorState::Degraded,
            health::State::Failed => SensorState::Failed,
        };
        Self { state, cause: health.cause.unwrap_or_default() }
    }
}
