//! What the map draws beside containers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Position;

/// Where the containers have been lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tails {
    /// By device ID, the newest last; null is a gap.
    #[cfg_attr(test, schema(value_type = BTreeMap<String, Vec<Option<Vec<f64>>>>))]
    pub tails: BTreeMap<String, Vec<Option<Position>>>,
}

/// The fences that the fleet knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Places {
    /// Each once, however many devices know it.
    pub fences: Vec<Fence>,
}

/// One fence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// The one device that knows it; null where several do.
    pub device: Option<String>,
    /// As it is called.
    pub name: String,
    /// GeoJSON: a `Point` with a radius, or a `Polygon`.
    #[cfg_attr(test, schema(value_type = Object))]
    pub geometry: Value,
    /// Metres, of a circle.
    pub radius: Option<f64>,
}
