//! All fences in force.

use serde_json::Value;

use super::fence::Fence;
use super::geojson;

/// All fences in force. Their names differ.
#[derive(Debug, Clone, Default)]
pub struct Fences(Vec<Fence>);

impl Fences {
    /// Reads a list of GeoJSON Features, at most [`MOST_FENCES`](super::MOST_FENCES): polygons, and points with a `radius`; all
    /// of it or none. An error is a sentence that names the member.
    pub fn read(value: &Value) -> Result<Self, String> {
        geojson::fences(value).map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the list.
    pub fn all(&self) -> &[Fence] {
        &self.0
    }
}
