//! All fences in force.

use serde_json::Value;

use super::fence::Fence;
use super::geojson;

/// All fences in force. Their names differ.
#[derive(Debug, Clone, Default)]
pub struct Fences {
    fences: Vec<Fence>,
    /// Indices, the smallest area first.
    by_area: Vec<usize>,
}

impl Fences {
    /// Reads a list of GeoJSON Features, at most [`MOST_FENCES`](super::MOST_FENCES): polygons, and points with a `radius`; all of it or none. An
    /// error is a sentence that names the member.
    pub fn read(value: &Value) -> Result<Self, String> {
        geojson::fences(value).map(Self::new)
    }

    pub(super) fn new(fences: Vec<Fence>) -> Self {
        let mut by_area: Vec<usize> = (0..fences.len()).collect();
        by_area.sort_by(|a, b| fences[*a].area().total_cmp(&fences[*b].area()));
        Self { fences, by_area }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fences.is_empty()
    }

    /// In the order of the list.
    pub fn all(&self) -> &[Fence] {
        &self.fences
    }

    /// The smallest of those for which `is` holds, by index.
    pub(super) fn smallest(&self, is: impl Fn(usize) -> bool) -> Option<&Fence> {
        self.by_area.iter().find(|index| is(**index)).map(|index| &self.fences[*index])
    }
}
