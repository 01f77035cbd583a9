//! What the live stream says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{StoryEntry, time};

/// What has changed since the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// In the fleet's time.
    #[serde(with = "time")]
    pub time: DateTime<Utc>,
    /// Of each container that has changed, its `id` and the members of its row that have.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    pub devices: Vec<Map<String, Value>>,
    /// IDs of those that are no more.
    pub gone: Vec<String>,
    /// What has happened, the oldest first.
    pub entries: Vec<StoryEntry>,
}

/// The reader has missed something and has to fetch the fleet anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Lagged {
    /// So many messages or deltas; 0 where nobody knows.
    pub lost: u64,
}
