//! Fences and tracker against slow, plain models, and what is said of lists that are wrong.

mod following;
mod lists;

use std::time::Duration;

use geo::{Distance, Haversine, Point};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fence, Fences, Fix};

fn feature(name: &str, geometry: &Value, radius: Option<f64>) -> Value {
    let mut properties = json!({"name": name});
    if let Some(radius) = radius {
        properties["radius"] = json!(radius);
    }
    json!({"type": "Feature", "properties": properties, "geometry": geometry})
}

fn circle(name: &str, (x, y): (f64, f64), radius: f64) -> Value {
    feature(name, &json!({"type": "Point", "coordinates": [wrapped(x), y]}), Some(radius))
}

/// `rings`: as they are drawn, not closed.
fn polygon(name: &str, rings: &[Vec<(f64, f64)>]) -> Value {
    let ring = |ring: &Vec<(f64, f64)>| -> Vec<[f64; 2]> {
        ring.iter().chain(ring.first()).map(|(x, y)| [wrapped(*x), *y]).collect()
    };
    let rings: Vec<_> = rings.iter().map(ring).collect();
    feature(name, &json!({"type": "Polygon", "coordinates": rings}), None)
}

/// A longitude as GeoJSON has it.
fn wrapped(longitude: f64) -> f64 {
    if (-180.0..=180.0).contains(&longitude) {
        longitude
    } else {
        (longitude + 180.0).rem_euclid(360.0) - 180.0
    }
}

fn fences(features: &[Value]) -> Fences {
    Fences::read(&json!(features)).unwrap_or_else(|why| panic!("{why}"))
}

/// A ring around a point, star-shaped: in no order of angles does it cross itself.
fn star(centre: (f64, f64), spokes: &[f64]) -> Vec<(f64, f64)> {
    let angle = std::f64::consts::TAU / spokes.len() as f64;
    let spoke = |(index, length): (usize, &f64)| {
        let (sin, cos) = (index as f64 * angle).sin_cos();
        (centre.0 + length * sin, centre.1 + length * cos)
    };
    spokes.iter().enumerate().map(spoke).collect()
}

/// By the angles under which a point sees the edges: the plainest definition of a winding number.
fn winds_around(ring: &[(f64, f64)], point: (f64, f64)) -> bool {
    let seen = |(x, y): (f64, f64)| (y - point.1).atan2(x - point.0);
    let angles = ring.iter().zip(ring.iter().cycle().skip(1)).map(|(a, b)| {
        let turn = seen(*b) - seen(*a);
        turn - std::f64::consts::TAU * (turn / std::f64::consts::TAU).round()
    });
    angles.sum::<f64>().abs() > std::f64::consts::PI
}

fn centre() -> impl Strategy<Value = (f64, f64)> {
    (prop_oneof![-180.0..180.0_f64, 179.0..180.0_f64, -180.0..-179.0_f64, Just(180.0)], -75.0..75.0_f64)
}

proptest! {
    #[test]
    fn a_polygon_holds_what_its_winding_number_says(
        centre in centre(), spokes in prop::collection::vec(0.05..3.0_f64, 3..12), hole in 0.1..0.9_f64,
        points in prop::collection::vec((-3.5..3.5_f64, -3.5..3.5_f64), 40),
    ) {
        let outer = star(centre, &spokes);
        let inner = star(centre, &spokes.iter().map(|spoke| spoke * hole).collect::<Vec<_>>());
        let all = fences(&[polygon("solid", std::slice::from_ref(&outer)), polygon("holed", &[outer.clone(), inner.clone()])]);
        for (x, y) in points {
            let point = (centre.0 + x, centre.1 + y);
            let holds = |fence: &Fence| fence.contains(wrapped(point.0), point.1);
            let (outer, inner) = (winds_around(&outer, point), winds_around(&inner, point));
            prop_assert_eq!(holds(&all.all()[0]), outer, "{:?}", point);
            prop_assert_eq!(holds(&all.all()[1]), outer && !inner, "{:?}", point);
        }
    }

    #[test]
    fn a_ring_around_a_pole_holds_what_is_nearer_to_it(
        border in prop::collection::vec(20.0..89.0_f64, 3..12), first in -180.0..180.0_f64,
        is_south: bool, is_westward: bool,
        points in prop::collection::vec((-180.0..180.0_f64, -90.0..90.0_f64), 40),
    ) {
        let pole = if is_south { -1.0 } else { 1.0 };
        let step = 360.0 / border.len() as f64 * if is_westward { -1.0 } else { 1.0 };
        let ring: Vec<_> =
            border.iter().enumerate().map(|(index, y)| (first + index as f64 * step, y * pole)).collect();
        let all = fences(&[polygon("pole", &[ring])]);
        for (x, y) in points {
            let place = ((x - first) * step.signum()).rem_euclid(360.0) / step.abs();
            let (before, part) = (place.floor() as usize % border.len(), place.fract());
            let height = border[before] * (1.0 - part) + border[(before + 1) % border.len()] * part;
            prop_assume!((y * pole - height).abs() > 1e-6);
            prop_assert_eq!(all.all()[0].contains(x, y), y * pole > height, "{} {}", x, y);
        }
    }

    #[test]
    fn a_circle_holds_what_is_no_farther_than_its_radius(
        centre in (-180.0..=180.0_f64, -90.0..=90.0_f64), radius in 10.0..5e6_f64,
        points in prop::collection::vec((-180.0..180.0_f64, -90.0..90.0_f64), 40),
    ) {
        let all = fences(&[circle("c", centre, radius)]);
        for (x, y) in points {
            let far = Haversine.distance(Point::new(x, y), Point::new(centre.0, centre.1));
            prop_assert_eq!(all.all()[0].contains(x, y), far <= radius, "{} {}: {}", x, y, far);
        }
    }
}

/// Metres in a degree of latitude.
const DEGREE: f64 = 111_195.08;

/// Where one is so many metres to the east and to the north.
fn moved((x, y): (f64, f64), (east, north): (f64, f64)) -> (f64, f64) {
    (x + east / DEGREE / y.to_radians().cos(), y + north / DEGREE)
}

fn fix(at: u64, (x, y): (f64, f64), hdop: Option<f64>) -> Fix {
    Fix { at: Duration::from_secs(at), longitude: wrapped(x), latitude: y, hdop }
}

#[test]
fn coordinates_are_longitude_first() {
    let all = fences(&[circle("gate", (4.0, 51.0), 50.0)]);
    let (x, y) = (4.0, 51.0);
    assert!(all.all()[0].contains(x, y) && !all.all()[0].contains(y, x));
}
