//! What the page is looking at, and what can be done there.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time;

/// What is behind the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Simulated containers and an emulator, in this process.
    Simulation,
    /// An emulator that runs as a program of its own.
    Emulator,
    /// A real IoT hub.
    Hub,
}

/// Of `GET /api/session`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// What is behind it.
    pub mode: Mode,
    /// For the head of the page.
    pub title: String,
    /// Of this program.
    pub version: String,
    /// Whether this link can change anything.
    pub read_only: bool,
    /// Host names.
    pub hubs: Vec<String>,
    /// Of the provisioning service, where there is one.
    pub id_scope: Option<String>,
    /// Whether messages of devices are received.
    pub telemetry: TelemetryState,
    /// Whether the backend answers; a sentence why not.
    pub away: Option<String>,
    /// What is wrong with the history, in a sentence. What backends say here does not count.
    #[serde(default)]
    pub history_trouble: Option<String>,
    /// What can be done.
    pub can: Abilities,
    /// The fleet's time.
    pub time: TimeState,
    /// Of when there is a history; null while there is none. What backends say here does not count.
    pub history: Option<Span>,
}

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The oldest.
    #[serde(with = "time")]
    pub first: DateTime<Utc>,
    /// The newest.
    #[serde(with = "time")]
    pub last: DateTime<Utc>,
}

/// Whether messages of devices are received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TelemetryState {
    /// They are.
    pub is_available: bool,
    /// Why not, in a sentence.
    pub reason: Option<String>,
}

/// What the backend can do. A link that is read-only can do none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Abilities {
    /// Desired properties can be set.
    pub twin: bool,
    /// Direct methods.
    pub methods: bool,
    /// Messages from the cloud.
    pub messages: bool,
    /// Enrollments, registrations and certificates.
    pub enrollments: bool,
    /// Trouble on purpose.
    pub faults: bool,
    /// Pause, faster, slower.
    pub time: bool,
    /// The check of the evidence.
    pub verify: bool,
    /// A story is played that can be steered.
    pub scenario: bool,
}

impl Abilities {
    /// All that there are, but for a story, which is not always played.
    pub const ALL: Self = Self {
        twin: true,
        methods: true,
        messages: true,
        enrollments: true,
        faults: true,
        time: true,
        verify: true,
        scenario: false,
    };
}

/// The fleet's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TimeState {
    /// Now.
    #[serde(with = "time")]
    pub now: DateTime<Utc>,
    /// Simulated hours a second; null where time is real.
    pub speed: Option<f64>,
    /// Whether it stands still.
    pub is_paused: bool,
}
