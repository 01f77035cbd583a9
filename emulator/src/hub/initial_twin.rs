//! The twin that a new device identity begins with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Tags and desired properties that a device identity is created with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InitialTwin {
    /// Tags, seen by the service alone.
    #[serde(default)]
    pub tags: Map<String, Value>,
    /// The part the device sees.
    #[serde(default)]
    pub properties: InitialTwinProperties,
}

/// The properties of an [`InitialTwin`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InitialTwinProperties {
    /// Desired properties.
    #[serde(default)]
    pub desired: Map<String, Value>,
}

impl InitialTwin {
    /// From two JSON objects; anything but an object counts as empty.
    pub fn new(tags: Value, desired: Value) -> Self {
        let object = |value| {
            if let Value::Object(object) = value { object } else { Map::new() }
        };
        Self { tags: object(tags), properties: InitialTwinProperties { desired: object(desired) } }
    }
}
