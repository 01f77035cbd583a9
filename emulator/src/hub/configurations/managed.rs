//! What configurations have done to one twin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A configuration in a twin that it targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationInfo {
    /// Whether anything of it counts.
    pub status: ConfigurationStatus,
}

/// Whether a configuration counts for a twin that it targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigurationStatus {
    /// Others with higher priority have decided all of it, or the twin can't take it.
    Targeted,
    /// All of it, or a part, is in the twin.
    Applied,
}

/// What configurations have done to one twin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::hub) struct Managed {
    /// Those that target it, by ID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configurations: BTreeMap<String, ConfigurationInfo>,
    /// Of the agent of an edge device: the deployments that target the device.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deployments: BTreeMap<String, ConfigurationInfo>,
    /// What they have set of the desired properties.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
}

impl Managed {
    /// As the twin shows them.
    pub(in crate::hub) fn shown(&self) -> BTreeMap<String, ConfigurationInfo> {
        self.configurations.iter().chain(&self.deployments).map(|(id, info)| (id.clone(), *info)).collect()
    }

    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.configurations.is_empty() && self.deployments.is_empty() && self.set.is_empty()
    }
}
