//! Fences as GeoJSON (RFC 7946): each a Feature with `properties.name`, a Polygon, or a Point with `properties.radius`.
//!
//! `properties` may have more members, as map editors put colours there; Feature and geometry may have none that GeoJSON does
//! not know.

use geo::Coord;
use serde_json::{Map, Value};

use super::fence::{Fence, MOST_FENCES};
use super::ring::{Ring, RingFault};
use super::shape::{HoleFault, Shape, hole_fault};
use super::simple::Fold;

/// Characters of a name: it goes into every reading taken there.
const LONGEST_NAME: usize = 64;
/// Metres.
const SMALLEST_RADIUS: f64 = 10.0;
const LARGEST_RADIUS: f64 = 5_000_000.0;

/// All fences of a list.
pub(super) fn fences(value: &Value) -> Result<Vec<Fence>, String> {
    let Value::Array(features) = value else {
        let of_collection =
            if value.get("features").is_some() { ": of a FeatureCollection, its `features`" } else { "" };
        return Err(format!("it must be a list of GeoJSON Features{of_collection}"));
    };
    if features.len() > MOST_FENCES {
        return Err(format!(
            "{} fences are too many: at most {MOST_FENCES}, [{MOST_FENCES}] is one more",
            features.len()
        ));
    }
    let mut fences: Vec<Fence> = Vec::with_capacity(features.len());
    for (index, value) in features.iter().enumerate() {
        let (name, fence) = feature(value).map_err(|why| format!("[{index}]{why}"))?;
        if let Some(other) = fences.iter().position(|other| **other.name() == *name) {
            return Err(format!("[{index}].properties.name: {name:?} is the name of [{other}] already"));
        }
        fences.push(fence.map_err(|why| format!("[{index}] {name:?}: {why}"))?);
    }
    Ok(fences)
}

/// A Feature's name, and its fence. A sentence about what comes before the name begins with a dot or a colon, to follow the
/// index.
fn feature(value: &Value) -> Result<(&str, Result<Fence, String>), String> {
    let Some(feature) =
        value.as_object().filter(|feature| feature.get("type").is_some_and(|is| is == "Feature"))
    else {
        return Err(": it must be an object with \"type\": \"Feature\"".into());
    };
    let properties = feature.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or(".properties: it must be an object with a name")?;
    let Some(name) = properties.get("name").and_then(Value::as_str) else {
        return Err(".properties.name: every fence needs one, a text".into());
    };
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.trim() != name || name.chars().any(char::is_control) {
        return Err(format!(
            ".properties.name: it must have 1 to {LONGEST_NAME} characters, no control characters, no space at its ends"
        ));
    }
    let shape = known(feature, "", &["type", "properties", "geometry", "id", "bbox"])
        .and_then(|()| shape(feature.get("geometry").unwrap_or(&Value::Null), properties));
    Ok((name, shape.map(|shape| Fence::new(name, shape))))
}

fn shape(geometry: &Value, properties: &Map<String, Value>) -> Result<Shape, String> {
    let Value::Object(geometry) = geometry else {
        return Err("geometry: it must be an object, a Polygon or a Point".into());
    };
    known(geometry, "geometry.", &["type", "coordinates", "bbox"])?;
    let coordinates = geometry.get("coordinates").unwrap_or(&Value::Null);
    let radius = properties.get("radius");
    match geometry.get("type").and_then(Value::as_str) {
        Some("Point") => circle(coordinates, radius),
        Some("Polygon") if radius.is_some() => {
            Err("properties.radius: only a Point has one, this is a Polygon".into())
        }
        Some("Polygon") => polygon(coordinates),
        Some("MultiPolygon") => Err(
            "geometry.type: each polygon is a fence of its own; over the antimeridian one polygon may go on"
                .into(),
        ),
        _ => Err("geometry.type: it must be \"Polygon\" or \"Point\"".into()),
    }
}

/// Whether an object has these members and no others.
fn known(object: &Map<String, Value>, prefix: &str, members: &[&str]) -> Result<(), String> {
    match object.keys().find(|name| !members.contains(&name.as_str())) {
        Some(name) => {
            let name: String = name.chars().take(LONGEST_NAME).collect();
            Err(format!("{prefix}{name}: GeoJSON has no such member here; more may stand in properties"))
        }
        None => Ok(()),
    }
}

fn circle(coordinates: &Value, radius: Option<&Value>) -> Result<Shape, String> {
    let centre = position(coordinates).map_err(|why| format!("geometry.coordinates: {why}"))?;
    let Some(radius) = radius else {
        return Err("properties.radius: a Point needs one, in metres".into());
    };
    match radius.as_f64().filter(|radius| (SMALLEST_RADIUS..=LARGEST_RADIUS).contains(radius)) {
        Some(radius_m) => Ok(Shape::Circle { centre, radius_m }),
        None => Err(format!(
            "properties.radius: it must be a number of metres from {SMALLEST_RADIUS} to {LARGEST_RADIUS}, and is {}",
            short(radius)
        )),
    }
}

fn polygon(coordinates: &Value) -> Result<Shape, String> {
    let Some(rings) = coordinates.as_array().filter(|rings| !rings.is_empty()) else {
        return Err("geometry.coordinates: a Polygon has a list of rings, the outer one first".into());
    };
    let ring = |(index, value): (usize, &Value)| {
        ring(value).map_err(|why| format!("geometry.coordinates[{index}]{why}"))
    };
    let mut rings: Vec<Ring> = rings.iter().enumerate().map(ring).collect::<Result<_, _>>()?;
    let holes = rings.split_off(1);
    // There is one.
    let outer = rings.swap_remove(0);
    if let Some((ring, fault)) = hole_fault(&outer, &holes) {
        let why = match fault {
            HoleFault::Meets(other) => format!("this hole meets the border of ring [{other}]"),
            HoleFault::Outside => "this hole is not inside the outer ring".into(),
            HoleFault::In(other) => format!("this hole and the hole [{other}] lie in each other"),
        };
        return Err(format!("geometry.coordinates[{ring}]: {why}"));
    }
    Ok(Shape::Polygon { outer, holes })
}

fn ring(value: &Value) -> Result<Ring, String> {
    let Some(values) = value.as_array() else {
        return Err(": a ring is a list of positions".into());
    };
    let mut positions = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        positions.push(position(value).map_err(|why| format!("[{index}]: {why}"))?);
    }
    if positions.len() < 4 {
        return Err(": a ring has four positions at least, the last of them the first again".into());
    }
    if positions.first() != positions.last() {
        return Err(": the ring is not closed: its last position must be its first again".into());
    }
    Ring::new(&positions).map_err(|fault| match fault {
        RingFault::Crosses(Fold { first, second }) => format!(
            ": the ring crosses itself: the edge from [{first}] and the edge from [{second}] meet (counted from 0)"
        ),
        RingFault::NoArea => ": the ring has no area".into(),
        RingFault::WhichPole => {
            ": the ring goes around a pole and over the equator, so that nobody can tell which pole is in it".into()
        }
        RingFault::TooLong => ": the ring goes around the earth more than once".into(),
    })
}

/// Longitude and latitude; a height after them is passed over.
fn position(value: &Value) -> Result<Coord, String> {
    let numbers = value.as_array().filter(|numbers| (2..=3).contains(&numbers.len()));
    let numbers = numbers.and_then(|numbers| numbers.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
    let Some([x, y, ..]) = numbers.as_deref() else {
        return Err("a position is [longitude, latitude], two numbers".into());
    };
    if !(-180.0..=180.0).contains(x) {
        return Err(format!("the longitude {x} is not from -180 to 180"));
    }
    if !(-90.0..=90.0).contains(y) {
        return Err(format!(
            "the latitude {y} is not from -90 to 90; GeoJSON has the longitude first: are they swapped?"
        ));
    }
    Ok(Coord { x: *x, y: *y })
}

/// A wrong value, as far as a sentence quotes it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(20).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
