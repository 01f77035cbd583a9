//! The journeys that are compiled in: legs and stops from door to door.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value;

use super::track::{Point, Track};

/// Name and file of each journey.
const FILES: [(&str, &str); 12] = [
    ("ahmedabad-daventry-garments", include_str!("../../../data/routes/ahmedabad-daventry-garments.geojson")),
    ("cognac-allentown-spirits", include_str!("../../../data/routes/cognac-allentown-spirits.geojson")),
    ("curico-guangzhou-cherries", include_str!("../../../data/routes/curico-guangzhou-cherries.geojson")),
    ("duisburg-singapore-suez", include_str!("../../../data/routes/duisburg-singapore-suez.geojson")),
    ("gumi-chicago-yellowhead", include_str!("../../../data/routes/gumi-chicago-yellowhead.geojson")),
    ("laoroya-ningbo-zinc", include_str!("../../../data/routes/laoroya-ningbo-zinc.geojson")),
    ("quevedo-cologne-bananas", include_str!("../../../data/routes/quevedo-cologne-bananas.geojson")),
    ("suzhou-chicago-pacific", include_str!("../../../data/routes/suzhou-chicago-pacific.geojson")),
    ("teawamutu-shanghai-cheddar", include_str!("../../../data/routes/teawamutu-shanghai-cheddar.geojson")),
    ("tzaneen-venlo-oranges", include_str!("../../../data/routes/tzaneen-venlo-oranges.geojson")),
    ("varginha-amsterdam-coffee", include_str!("../../../data/routes/varginha-amsterdam-coffee.geojson")),
    ("woerden-tokyo-gouda-cape", include_str!("../../../data/routes/woerden-tokyo-gouda-cape.geojson")),
];

/// How a leg is travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// On the road.
    Truck,
    /// On an intermodal train.
    Rail,
    /// Between berth and sea lane.
    Harbour,
    /// At sea.
    Sea,
    /// Through the Suez or Panama Canal.
    Canal,
}

impl Mode {
    /// Whether the container is aboard a ship.
    pub fn is_afloat(self) -> bool {
        matches!(self, Self::Harbour | Self::Sea | Self::Canal)
    }
}

/// One journey as planned.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) cargo: String,
    /// Set temperature of a reefer in °C; nothing for a dry container.
    pub(super) setpoint_c: Option<f64>,
    pub(super) stages: Vec<Stage>,
}

/// A part of a journey. The first and the last are stops.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Stop { name: String, what: String, dwell_h: f64, place: Point },
    Leg { mode: Mode, speed_kmh: f64, track: Track, towards: String },
}

impl Route {
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// The journey of this name, which is read once and shared by all who travel it.
    pub(super) fn named(name: &str) -> Option<Arc<Self>> {
        static READ: [OnceLock<Arc<Route>>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
        let index = FILES.iter().position(|(known, _)| *known == name)?;
        let (name, text) = FILES[index];
        let route = READ[index].get_or_init(|| {
            let read = parse(name, text);
            Arc::new(read.expect("the journeys compiled in are well-formed: a test reads all of them"))
        });
        Some(Arc::clone(route))
    }
}

#[derive(Deserialize)]
struct Collection {
    properties: CollectionProperties,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct CollectionProperties {
    title: String,
    cargo: String,
    setpoint_c: Option<f64>,
}

#[derive(Deserialize)]
struct Feature {
    properties: FeatureProperties,
    geometry: Geometry,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum FeatureProperties {
    Stop { name: String, what: String, dwell_h: f64 },
    Leg { mode: Mode, speed_kmh: f64 },
}

#[derive(Deserialize)]
struct Geometry {
    coordinates: Value,
}

fn parse(name: &'static str, text: &str) -> Result<Route, serde_json::Error> {
    let collection: Collection = serde_json::from_str(text)?;
    let mut stages = Vec::with_capacity(collection.features.len());
    for feature in collection.features {
        let points = points(&feature.geometry.coordinates);
        stages.push(match feature.properties {
            FeatureProperties::Stop { name, what, dwell_h } => {
                Stage::Stop { name, what, dwell_h, place: points.first().copied().unwrap_or_default() }
            }
            FeatureProperties::Leg { mode, speed_kmh } => {
                Stage::Leg { mode, speed_kmh, track: Track::new(&points), towards: String::new() }
            }
        });
    }
    name_destinations(&mut stages);
    let CollectionProperties { title, cargo, setpoint_c } = collection.properties;
    Ok(Route { name, title, cargo, setpoint_c, stages })
}

/// Each leg leads to the next stop.
fn name_destinations(stages: &mut [Stage]) {
    let mut next = String::new();
    for stage in stages.iter_mut().rev() {
        match stage {
            Stage::Stop { name, .. } => next.clone_from(name),
            Stage::Leg { towards, .. } => towards.clone_from(&next),
        }
    }
}

/// Flattens the coordinates of a point, a line, or a line that was cut at 180 degrees.
fn points(coordinates: &Value) -> Vec<Point> {
    let Some(items) = coordinates.as_array() else {
        return Vec::new();
    };
    if let Some(longitude) = items.first().and_then(Value::as_f64) {
        let number = |index: usize| items.get(index).and_then(Value::as_f64).unwrap_or_default();
        return vec![Point { longitude, latitude: number(1), altitude_m: number(2) }];
    }
    items.iter().flat_map(points).collect()
}
