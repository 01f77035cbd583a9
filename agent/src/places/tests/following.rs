//! The tracker against a plain model, and over restarts, at borders, on a voyage.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Crossing, CrossingKind, Fence, Fences, Standing, Tracker};
use super::{DEGREE, centre, circle, fences, fix, moved, polygon, star, wrapped};

/// Some fences around a point, in metres to east and north of it.
fn around(centre: (f64, f64)) -> impl Strategy<Value = Vec<Value>> + use<> {
    let offset = || (-1500.0..1500.0_f64, -1500.0..1500.0_f64);
    let round =
        (offset(), 20.0..1200.0_f64).prop_map(move |(at, radius)| circle("", moved(centre, at), radius));
    let flat = (offset(), prop::collection::vec(40.0..1200.0_f64, 3..9)).prop_map(move |(at, spokes)| {
        polygon(
            "",
            &[star((0.0, 0.0), &spokes)
                .iter()
                .map(|spoke| moved(centre, (at.0 + spoke.0, at.1 + spoke.1)))
                .collect()],
        )
    });
    prop::collection::vec(prop_oneof![round, flat], 1..5).prop_map(|mut features| {
        for (index, feature) in features.iter_mut().enumerate() {
            feature["properties"]["name"] = json!(format!("fence {index}"));
        }
        features
    })
}

/// One fence of the plain model: looks at every point of the border, and at every point of the line, in metres to the east
/// and north of the place where all happens.
struct Plain<'a> {
    fence: &'a Fence,
    centre: (f64, f64),
    border: Vec<(f64, f64)>,
    deep: f64,
    is_in: Option<bool>,
    outside: Option<(f64, f64)>,
}

/// Metres between the points that the plain model looks at, and so what it may be wrong by.
const GRAIN: f64 = 10.0;

impl<'a> Plain<'a> {
    fn new(fence: &'a Fence, feature: &Value, centre: (f64, f64)) -> Self {
        let numbers = |value: &Value| (value[0].as_f64().unwrap(), value[1].as_f64().unwrap());
        let flat = |value: &Value| metres(centre, numbers(value));
        let geometry = &feature["geometry"]["coordinates"];
        let corners: Vec<(f64, f64)> = match feature["properties"]["radius"].as_f64() {
            Some(radius) => {
                let spokes = vec![radius; (radius * 7.0 / GRAIN) as usize + 8];
                star(flat(geometry), &spokes)
            }
            None => geometry[0].as_array().unwrap()[1..].iter().map(flat).collect(),
        };
        let edges = corners.iter().zip(corners.iter().cycle().skip(1));
        let border = edges.clone().flat_map(|(a, b)| between(*a, *b)).collect();
        let area = edges.clone().map(|(a, b)| a.0 * b.1 - a.1 * b.0).sum::<f64>().abs() / 2.0;
        let length = edges.map(|(a, b)| apart(*a, *b)).sum::<f64>();
        Self { fence, centre, border, deep: area / length / 2.0, is_in: None, outside: None }
    }

    fn holds(&self, at: (f64, f64)) -> bool {
        let (x, y) = moved(self.centre, at);
        self.fence.contains(wrapped(x), y)
    }

    fn to_border(&self, at: (f64, f64)) -> f64 {
        self.border.iter().map(|border| apart(*border, at)).fold(f64::MAX, f64::min)
    }

    /// What happened; an error where the grain is too coarse to say.
    fn fix(&mut self, at: (f64, f64), margin: f64) -> Result<Option<CrossingKind>, ()> {
        let (far, is_in) = (self.to_border(at), self.holds(at));
        let needed = if is_in { margin.min(self.deep) } else { margin };
        if (far - needed).abs() < GRAIN + needed / 100.0 {
            return Err(());
        }
        let is_sure = far > needed;
        let kind = match (self.is_in, is_in, is_sure, self.outside) {
            (None, true, ..) => Some(CrossingKind::Inside),
            (Some(false), true, true, _) => Some(CrossingKind::Enter),
            (Some(true), false, true, _) => Some(CrossingKind::Exit),
            (Some(false), false, true, Some(from)) => {
                self.crosses(from, at)?.then_some(CrossingKind::Crossed)
            }
            _ => None,
        };
        if self.is_in.is_none() || is_sure {
            self.is_in = Some(is_in);
        }
        if self.is_in == Some(true) {
            self.outside = None;
        } else if is_sure {
            self.outside = Some(at);
        }
        Ok(kind)
    }

    /// A line that only touches a corner may, or may not.
    fn crosses(&self, from: (f64, f64), to: (f64, f64)) -> Result<bool, ()> {
        match between(from, to).filter(|at| self.holds(*at)).count() {
            0 if between(from, to).any(|at| self.to_border(at) < 2.0 * GRAIN) => Err(()),
            0 => Ok(false),
            1..4 => Err(()),
            _ => Ok(true),
        }
    }
}

fn apart(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The way from one point to another near it, to the east and to the north.
fn metres(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    let east = to.0 - from.0;
    ((east - 360.0 * (east / 360.0).round()) * from.1.to_radians().cos() * DEGREE, (to.1 - from.1) * DEGREE)
}

/// Points on a straight line, as close as the grain.
fn between(a: (f64, f64), b: (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
    let points = (apart(a, b) / GRAIN).ceil().max(1.0);
    let at = move |part: f64| (a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part);
    (0..=points as u32).map(move |point| at(f64::from(point) / points))
}

/// A position, in metres, and how exact its fix is.
type Stop = ((f64, f64), Option<f64>);

/// A walk: steps of any size, rests at which the position wanders about, and how exact each fix is.
fn walk() -> impl Strategy<Value = Vec<Stop>> {
    let at = prop_oneof![
        (-1500.0..1500.0_f64, -1500.0..1500.0_f64),
        (-300.0..300.0_f64, -300.0..300.0_f64),
        (-2500.0..2500.0_f64, -2500.0..2500.0_f64),
    ];
    let hdop = || prop::option::of(0.5..12.0_f64);
    let rest = prop::collection::vec(((-120.0..120.0_f64, -120.0..120.0_f64), hdop()), 0..4);
    prop::collection::vec((at, hdop(), rest), 1..12).prop_map(|stops| {
        let fixes = |(at, hdop, rest): ((f64, f64), Option<f64>, Vec<Stop>)| {
            let wandering = rest.into_iter().map(move |(by, hdop)| ((at.0 + by.0, at.1 + by.1), hdop));
            std::iter::once((at, hdop)).chain(wandering)
        };
        stops.into_iter().flat_map(fixes).collect()
    })
}

fn placed() -> impl Strategy<Value = ((f64, f64), Vec<Value>)> {
    centre().prop_flat_map(|centre| (Just(centre), around(centre)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_tracker_tells_what_a_plain_model_tells((centre, features) in placed(), walk in walk()) {
        let all = fences(&features);
        let mut plain: Vec<_> =
            all.all().iter().zip(&features).map(|(fence, feature)| Plain::new(fence, feature, centre)).collect();
        let mut tracker = Tracker::new(all.clone().into(), &Standing::default());
        for (step, (to, hdop)) in walk.into_iter().enumerate() {
            let fix = fix(step as u64, moved(centre, to), hdop);
            let mut expected = Vec::new();
            for fence in &mut plain {
                let Ok(kind) = fence.fix(to, fix.margin_m()) else { return Ok(()) };
                expected.extend(kind.map(|kind| (kind, fence.fence.name().to_string())));
            }
            expected.sort();
            let mut told = names(&tracker.fix(&fix).0);
            told.sort();
            prop_assert_eq!(told, expected, "at step {}", step);
        }
    }

    #[test]
    fn events_alternate_and_a_restart_changes_none((centre, features) in placed(), at in 0..15_usize, walk in walk()) {
        let all: std::sync::Arc<Fences> = fences(&features).into();
        let mut one = Tracker::new(all.clone(), &Standing::default());
        let mut two = Tracker::new(all.clone(), &Standing::default());
        let mut inside = std::collections::BTreeSet::new();
        for (step, (to, hdop)) in walk.into_iter().enumerate() {
            if step == at {
                let stored = serde_json::to_string(&two.standing()).unwrap();
                two = Tracker::new(all.clone(), &serde_json::from_str(&stored).unwrap());
            }
            let fix = fix(step as u64, moved(centre, to), hdop);
            let before = one.standing();
            let ((told, has_changed), (again, _)) = (one.fix(&fix), two.fix(&fix));
            prop_assert_eq!(has_changed, one.standing() != before);
            // Only the line over the restart can't be drawn.
            let but_crossed = |told: &[Crossing]| {
                let mut names = names(told);
                names.retain(|(kind, _)| *kind != CrossingKind::Crossed);
                names
            };
            prop_assert_eq!(but_crossed(&told), but_crossed(&again));
            for Crossing { kind, fence, .. } in told {
                match kind {
                    CrossingKind::Inside | CrossingKind::Enter => prop_assert!(inside.insert(fence)),
                    CrossingKind::Exit => prop_assert!(inside.remove(&fence)),
                    CrossingKind::Crossed => prop_assert!(!inside.contains(&fence)),
                }
            }
            prop_assert_eq!(one.place().is_some(), !inside.is_empty());
        }
    }

    #[test]
    fn noise_at_the_border_is_no_event(
        (_, features) in placed(), noise in prop::collection::vec((0.0..1.0_f64, 0.0..std::f64::consts::TAU, 0.5..20.0_f64), 200),
    ) {
        let all = fences(&features[..1]);
        let corner = &features[0]["geometry"]["coordinates"][0][0];
        if !corner.is_array() {
            return Ok(());
        }
        let corner = (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap());
        let mut tracker = Tracker::new(all.into(), &Standing { inside: vec![], outside: vec!["fence 0".into()] });
        for (step, (part, direction, hdop)) in noise.into_iter().enumerate() {
            let mut fix = fix(step as u64, corner, Some(hdop));
            let off = fix.margin_m() * part * 0.99;
            let at = moved(corner, (off * direction.sin(), off * direction.cos()));
            (fix.longitude, fix.latitude) = (wrapped(at.0), at.1);
            let told = tracker.fix(&fix).0;
            // Deep inside a small fence it counts as entered, once.
            prop_assert!(told.is_empty() || names(&told)[0].0 == CrossingKind::Enter, "{:?}", told);
        }
    }
}

fn names(told: &[Crossing]) -> Vec<(CrossingKind, String)> {
    told.iter().map(|crossing| (crossing.kind, crossing.fence.to_string())).collect()
}

#[test]
fn a_voyage_is_told_place_by_place() {
    let yard = circle("yard", (4.30, 51.95), 800.0);
    let port = polygon("Rotterdam", &[vec![(3.95, 51.85), (4.55, 51.85), (4.55, 52.0), (3.95, 52.0)]]);
    let strait = polygon("Strait of Dover", &[vec![(1.2, 51.1), (1.3, 50.9), (1.6, 50.9), (1.5, 51.1)]]);
    let mut tracker = Tracker::new(fences(&[port, yard, strait]).into(), &Standing::default());
    let mut told = Vec::new();
    for (step, at) in [(4.30, 51.95), (4.32, 51.95), (4.0, 51.99), (3.5, 52.0), (1.8, 51.2), (1.0, 50.8)]
        .into_iter()
        .enumerate()
    {
        let place = tracker.place().map(ToString::to_string);
        let (crossings, _) = tracker.fix(&fix(step as u64, at, Some(1.0)));
        told.push((
            place.unwrap_or_default(),
            names(&crossings)
                .into_iter()
                .map(|(kind, name)| format!("{} {name}", kind.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        ));
    }
    let told: Vec<_> = told.iter().map(|(place, told)| (place.as_str(), told.as_str())).collect();
    assert_eq!(
        told,
        [
            ("", "inside Rotterdam, inside yard"),
            ("yard", "exit yard"),
            ("Rotterdam", "crossed yard"),
            ("Rotterdam", "exit Rotterdam"),
            ("", ""),
            ("", "crossed Strait of Dover"),
        ]
    );
}

#[test]
fn a_small_fence_can_be_entered_and_other_fences_of_the_same_name_go_on() {
    let gate = (4.3, 51.95);
    let mut tracker = Tracker::new(fences(&[circle("gate", gate, 25.0)]).into(), &Standing::default());
    assert!(tracker.fix(&fix(0, moved(gate, (900.0, 0.0)), Some(3.0))).1);
    assert_eq!(names(&tracker.fix(&fix(1, gate, Some(3.0))).0), [(CrossingKind::Enter, "gate".to_owned())]);
    tracker.set(fences(&[circle("gate", gate, 60.0), circle("yard", gate, 500.0)]).into());
    assert_eq!(names(&tracker.fix(&fix(2, gate, Some(3.0))).0), [(CrossingKind::Inside, "yard".to_owned())]);
    tracker.set(fences(&[circle("gate", moved(gate, (5000.0, 0.0)), 60.0)]).into());
    assert_eq!(names(&tracker.fix(&fix(3, gate, Some(3.0))).0), [(CrossingKind::Exit, "gate".to_owned())]);
    tracker.set(Fences::default().into());
    assert!(
        tracker.is_idle() && tracker.place().is_none() && tracker.fix(&fix(4, gate, None)) == (vec![], false)
    );
}
