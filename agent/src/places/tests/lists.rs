//! Which lists are taken, and what is said of those that are not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Fences, MOST_FENCES, Standing, Tracker};
use super::{circle, feature, fences, fix, polygon, star};

fn square(x: f64, y: f64, size: f64) -> Vec<(f64, f64)> {
    vec![(x, y), (x + size, y), (x + size, y + size), (x, y + size)]
}

fn port() -> Value {
    polygon("port", &[square(4.0, 51.0, 1.0)])
}

/// A list of one fence with another value there.
fn with(pointer: &str, value: Value) -> Value {
    let mut feature = port();
    *feature.pointer_mut(pointer).unwrap() = value;
    json!([feature])
}

fn assert_refused<const N: usize>(cases: [(Value, &str); N]) {
    for (value, words) in cases {
        assert_eq!(Fences::read(&value).unwrap_err(), words);
        assert!(words.chars().count() <= 300, "an answer has room for all of it: {words}");
    }
}

#[test]
fn what_is_wrong_with_a_list_or_a_feature_is_named() {
    let many: Vec<_> = (0..=MOST_FENCES).map(|index| circle(&format!("{index}"), (0.0, 0.0), 50.0)).collect();
    let mut extra = port();
    extra["geometri"] = json!({});
    assert_refused([
        (
            json!({"type": "FeatureCollection", "features": []}),
            "it must be a list of GeoJSON Features: of a FeatureCollection, its `features`",
        ),
        (json!(many), "51 fences are too many: at most 50, [50] is one more"),
        (json!(["port"]), "[0]: it must be an object with \"type\": \"Feature\""),
        (with("/properties", json!(null)), "[0].properties: it must be an object with a name"),
        (with("/properties/name", json!(7)), "[0].properties.name: every fence needs one, a text"),
        (
            with("/properties/name", json!("a\n")),
            "[0].properties.name: it must have 1 to 64 characters, no control characters, no space at its ends",
        ),
        (
            json!([port(), circle("gate", (4.0, 51.0), 50.0), port()]),
            "[2].properties.name: \"port\" is the name of [0] already",
        ),
        (
            json!([extra]),
            "[0] \"port\": geometri: GeoJSON has no such member here; more may stand in properties",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_a_geometry_is_named() {
    assert_refused([
        (
            with("/geometry", json!(null)),
            "[0] \"port\": geometry: it must be an object, a Polygon or a Point",
        ),
        (
            with("/geometry/type", json!("LineString")),
            "[0] \"port\": geometry.type: it must be \"Polygon\" or \"Point\"",
        ),
        (
            with("/geometry/coordinates/0/1", json!([4.0])),
            "[0] \"port\": geometry.coordinates[0][1]: a position is [longitude, latitude], two numbers",
        ),
        (
            with("/geometry/coordinates/0/1", json!([51.95, 104.0])),
            "[0] \"port\": geometry.coordinates[0][1]: the latitude 104 is not from -90 to 90; GeoJSON has the longitude first: are they swapped?",
        ),
        (
            with("/geometry/coordinates/0/1", json!([181, 1])),
            "[0] \"port\": geometry.coordinates[0][1]: the longitude 181 is not from -180 to 180",
        ),
        (
            with("/geometry/coordinates/0/4", json!([4.0, 51.5])),
            "[0] \"port\": geometry.coordinates[0]: the ring is not closed: its last position must be its first again",
        ),
        (
            with("/geometry/coordinates/0", json!([[4, 51], [5, 51], [4, 51]])),
            "[0] \"port\": geometry.coordinates[0]: a ring has four positions at least, the last of them the first again",
        ),
        (
            json!([polygon("bow", &[vec![(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]])]),
            "[0] \"bow\": geometry.coordinates[0]: the ring crosses itself: the edge from [0] and the edge from [2] meet (counted from 0)",
        ),
        (
            json!([polygon("holed", &[square(4.0, 51.0, 1.0), square(4.5, 51.5, 1.0)])]),
            "[0] \"holed\": geometry.coordinates[1]: this hole meets the border of ring [0]",
        ),
        (
            json!([polygon("holed", &[square(4.0, 51.0, 1.0), square(6.0, 51.5, 1.0)])]),
            "[0] \"holed\": geometry.coordinates[1]: this hole is not inside the outer ring",
        ),
        (
            json!([polygon(
                "holed",
                &[square(4.0, 51.0, 1.0), square(4.1, 51.1, 0.5), square(4.2, 51.2, 0.1)]
            )]),
            "[0] \"holed\": geometry.coordinates[2]: this hole and the hole [1] lie in each other",
        ),
        (
            json!([circle("gate", (4.0, 51.0), -5.0)]),
            "[0] \"gate\": properties.radius: it must be a number of metres from 10 to 5000000, and is -5.0",
        ),
        (
            json!([feature("gate", &json!({"type": "Point", "coordinates": [4, 51]}), None)]),
            "[0] \"gate\": properties.radius: a Point needs one, in metres",
        ),
        (
            json!([feature("port", &json!({"type": "Polygon", "coordinates": []}), Some(5.0))]),
            "[0] \"port\": properties.radius: only a Point has one, this is a Polygon",
        ),
    ]);
}

#[test]
fn what_map_editors_add_is_passed_over() {
    let coloured = json!([{"type": "Feature", "id": 7, "bbox": [4, 51, 5, 52], "properties": {"name": "port", "fill": "#f00"},
        "geometry": {"type": "Polygon", "coordinates": [[[4, 51, 0], [5, 51, 0], [5, 52, 0], [4, 51, 0]]]}}]);
    assert_eq!(Fences::read(&coloured).unwrap().all().len(), 1);
}

/// Whether two edges with whole coordinates have more in common than neighbours have, by the plainest rules.
fn edges_meet(a: [(i64, i64); 2], b: [(i64, i64); 2]) -> bool {
    let turn = |p: (i64, i64), q: (i64, i64), r: (i64, i64)| {
        ((q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)).signum()
    };
    let lies_on = |p: (i64, i64), [q, r]: [(i64, i64); 2]| {
        turn(q, r, p) == 0
            && (q.0.min(r.0)..=q.0.max(r.0)).contains(&p.0)
            && (q.1.min(r.1)..=q.1.max(r.1)).contains(&p.1)
    };
    let crosses = turn(a[0], a[1], b[0]) * turn(a[0], a[1], b[1]) < 0
        && turn(b[0], b[1], a[0]) * turn(b[0], b[1], a[1]) < 0;
    let touches: std::collections::BTreeSet<_> = [(a[0], b), (a[1], b), (b[0], a), (b[1], a)]
        .into_iter()
        .filter(|(point, edge)| lies_on(*point, *edge))
        .map(|(point, _)| point)
        .collect();
    let are_neighbours = a[1] == b[0] || b[1] == a[0];
    crosses || touches.len() > usize::from(are_neighbours)
}

proptest! {
    #[test]
    fn a_ring_is_taken_if_no_two_of_its_edges_meet(
        corners in prop::collection::vec((-3..=3_i64, -3..=3_i64), 3..8), moved_by in prop_oneof![Just(0.0), Just(178.0)],
    ) {
        let count = corners.len();
        let edge = |index: usize| [corners[index], corners[(index + 1) % count]];
        // A corner that stands twice is one corner.
        prop_assume!((0..count).all(|index| edge(index)[0] != edge(index)[1]));
        let folds = (0..count).any(|a| (0..a).any(|b| {
            let (first, second) = (edge(b), edge(a));
            let are_neighbours = a == b + 1 || (b == 0 && a == count - 1);
            let meet = edges_meet(first, second);
            // Those that are none and have a corner in common meet in it.
            meet || (!are_neighbours && (first[1] == second[0] || second[1] == first[0]))
        }));
        let ring = corners.iter().map(|(x, y)| (*x as f64 + moved_by, *y as f64)).collect();
        let read = Fences::read(&json!([polygon("ring", &[ring])]));
        prop_assert_eq!(read.is_err(), folds, "{:?}", read.err());
    }

    #[test]
    fn no_list_and_no_fix_is_a_surprise(
        rings in prop::collection::vec(prop::collection::vec((edge_of_the_earth(180.0), edge_of_the_earth(90.0)), 0..7), 0..3),
        fixes in prop::collection::vec((edge_of_the_earth(180.0), edge_of_the_earth(90.0)), 1..6), radius in 1.0..2e7_f64,
    ) {
        let closed = |ring: &Vec<(f64, f64)>| ring.iter().chain(ring.first()).map(|(x, y)| json!([x, y])).collect();
        let rings: Vec<Vec<Value>> = rings.iter().map(closed).collect();
        let (x, y) = fixes[0];
        let list = [
            json!([feature("rings", &json!({"type": "Polygon", "coordinates": rings}), None)]),
            json!([feature("round", &json!({"type": "Point", "coordinates": [x, y]}), Some(radius))]),
        ];
        for fences in list.iter().filter_map(|list| Fences::read(list).ok()) {
            let mut tracker = Tracker::new(fences.into(), &Standing::default());
            for (step, at) in fixes.iter().enumerate() {
                tracker.fix(&fix(step as u64, *at, None));
            }
        }
    }
}

/// Degrees where most goes wrong: at the poles and the antimeridian, and at nought.
fn edge_of_the_earth(most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![Just(-most), Just(most), Just(0.0), Just(-most / 2.0), Just(most / 2.0), -most..=most]
}

#[test]
fn a_twin_full_of_corners_is_judged_edge_by_edge() {
    let spokes: Vec<f64> = (0..1500).map(|index| if index % 2 == 0 { 1.0 } else { 0.9 }).collect();
    let all = fences(&[polygon("gear", &[star((4.0, 51.0), &spokes)])]);
    assert!(all.all()[0].contains(4.0, 51.0) && !all.all()[0].contains(4.0, 52.1));
    let mut folded = star((4.0, 51.0), &spokes);
    folded.swap(700, 900);
    assert!(Fences::read(&json!([polygon("gear", &[folded])])).unwrap_err().contains("crosses itself"));
}
