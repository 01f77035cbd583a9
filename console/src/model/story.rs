//! What has happened to a container, an entry each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Position, Severity, time};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum StoryKind {
    /// A step of provisioning.
    Provisioning,
    /// DPS or the hub did not let it in.
    Refusal,
    /// It connected or went.
    Connection,
    /// Another client took its connection.
    Takeover,
    /// An alarm began, changed or ended.
    Alarm,
    /// It entered or left a fence.
    Place,
    /// Its door was opened or closed.
    Door,
    /// Its twin changed.
    Twin,
    /// A trip began or ended.
    Trip,
    /// It fell silent or was heard again.
    Silence,
    /// A fault was asked for, or ended.
    Fault,
    /// Somebody did something at the console.
    Operator,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoryEntry {
    /// Counts all entries; 0 for one that has not been kept yet.
    pub id: i64,
    /// Whose; empty for what concerns nobody, or all.
    pub device: String,
    /// When, in the fleet's time.
    #[serde(with = "time")]
    pub time: DateTime<Utc>,
    /// What it is about.
    pub kind: StoryKind,
    /// One line for people. Plain text, never markup.
    pub text: String,
    /// Of an alarm.
    pub severity: Option<Severity>,
    /// Name of the alarm.
    pub alarm: Option<String>,
    /// `raised`, `cleared`, `enter` …, as the device says.
    pub state: Option<String>,
    /// When it began, if the entry is its end.
    #[serde(with = "time::option")]
    pub begin: Option<DateTime<Utc>>,
    /// The worst value.
    pub extreme: Option<f64>,
    /// The limit that was passed.
    pub limit: Option<f64>,
    /// Where it was.
    #[cfg_attr(test, schema(value_type = Option<Vec<f64>>))]
    pub at: Option<Position>,
}

impl StoryEntry {
    /// An entry of this text and no more.
    pub fn new(
        device: impl Into<String>,
        time: DateTime<Utc>,
        kind: StoryKind,
        text: impl Into<String>,
    ) -> Self {
        Self {
            id: 0,
            device: device.into(),
            time,
            kind,
            text: text.into(),
            severity: None,
            alarm: None,
            state: None,
            begin: None,
            extreme: None,
            limit: None,
            at: None,
        }
    }
}

/// Some entries, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoryPage {
    /// The newest first.
    pub entries: Vec<StoryEntry>,
    /// What to give as `before` for older ones; null when there are none.
    pub next: Option<i64>,
}
