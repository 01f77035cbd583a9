//! Trouble on purpose.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum FaultKind {
    /// Packets are taken, and nothing comes of them.
    BlackHole,
    /// Packets arrive late.
    Latency,
    /// Whoever publishes too often is disconnected.
    Throttle,
    /// The hub does not let anybody in.
    HubGone,
}

/// Whom it strikes: `"all"`, or a list of device IDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Targets {
    /// The word `all`.
    All(All),
    /// These.
    Devices(Vec<String>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum All {
    /// `all`.
    All,
}

impl Targets {
    /// Everybody.
    pub const ALL: Self = Self::All(All::All);

    /// Whether this device is among them.
    pub fn strike(&self, device: &str) -> bool {
        match self {
            Self::All(_) => true,
            Self::Devices(devices) => devices.iter().any(|id| id == device),
        }
    }
}

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// By which it is ended.
    pub id: u64,
    /// What goes wrong, as the page knows it; null for one that was asked for elsewhere and has no such name.
    pub kind: Option<FaultKind>,
    /// In a few words.
    pub text: String,
    /// Whom it strikes.
    pub devices: Targets,
    /// When it ends by itself, by the clock of this computer.
    #[serde(with = "time::option")]
    pub until: Option<DateTime<Utc>>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Faults {
    /// In the order in which they were asked for.
    pub faults: Vec<Fault>,
}

/// A fault to be injected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultWish {
    /// What is to go wrong.
    pub kind: FaultKind,
    /// Whom it is to strike.
    pub devices: Targets,
    /// For how many seconds of this computer's clock; until it is ended without.
    pub seconds: Option<u64>,
    /// For `latency`: how late packets arrive, 1 to 600000.
    pub latency_ms: Option<u64>,
    /// For `throttle`: messages allowed in a second, 1 and more.
    pub per_second: Option<u32>,
    /// For `hubGone`: which hub; all without.
    pub hub: Option<String>,
}

/// What was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// By which it is ended.
    pub id: u64,
}
