//! `geofences`: named places, by which telemetry and events say where the container is.

use std::sync::Arc;

use serde_json::Value;

use crate::places::Fences;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// A list of GeoJSON Features, see [`Fences::read`].
#[derive(Debug)]
pub struct Geofences;

/// Fences, and how the twin says them.
#[derive(Debug)]
pub struct Listed {
    /// To be followed.
    pub fences: Arc<Fences>,
    json: Value,
}

impl Property for Geofences {
    const NAME: &'static str = "geofences";
    const UNSET: &'static str = "not set in the twin; there are no fences";
    const GONE: &'static str = "null or removed is no list of fences; [] takes them away";

    type Value = Listed;

    fn read(value: &Value) -> Result<Listed, String> {
        Ok(Listed { fences: Arc::new(Fences::read(value)?), json: value.clone() })
    }

    fn default(_: &Defaults) -> Listed {
        Listed { fences: Arc::default(), json: Value::Array(Vec::new()) }
    }

    fn write(value: &Listed) -> Value {
        value.json.clone()
    }
}
