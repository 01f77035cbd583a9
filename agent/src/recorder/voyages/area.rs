//! Fences and the way of a box among them, and what a plain model tells of it: on flat maps of a few kilometres, with nothing of
//! the geometry that the agent uses.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::{Value, json};

use super::story::{Before, HOUR, MINUTE, Step};

/// Metres in a degree of latitude.
const DEGREE: f64 = 111_195.08;
/// Metres by which the flat map may be wrong nearby.
const GRAIN: f64 = 30.0;
/// Places around which voyages lead, longitude first: Rotterdam, and on both sides of the antimeridian.
const CENTRES: [(f64, f64); 3] = [(4.30, 51.95), (179.95, -17.6), (-179.97, 52.0)];
/// Metres from the centre that a box goes to the east and to the north, at the most.
const REACH: f64 = 25_000.0;

/// A place with a name.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    pub(super) name: String,
    centre: (f64, f64),
    shape: Shape,
}

/// Metres.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Its radius.
    Circle(f64),
    /// Half of what it measures from west to east, and from south to north.
    Box(f64, f64),
}

/// A fence as the device is told of it: a feature of GeoJSON.
impl Fence {
    pub(super) fn feature(&self) -> Value {
        let (x, y) = self.centre;
        let (geometry, radius) = match self.shape {
            Shape::Circle(radius) => (json!({"type": "Point", "coordinates": [x, y]}), Some(radius)),
            Shape::Box(east, north) => {
                let corner = |right: f64, up: f64| {
                    let (x, y) = moved(self.centre, (east * right, north * up));
                    [x, y]
                };
                let ring =
                    [corner(-1., -1.), corner(1., -1.), corner(1., 1.), corner(-1., 1.), corner(-1., -1.)];
                (json!({"type": "Polygon", "coordinates": [ring]}), None)
            }
        };
        let mut properties = json!({"name": self.name});
        if let Some(radius) = radius {
            properties["radius"] = radius.into();
        }
        json!({"type": "Feature", "properties": properties, "geometry": geometry})
    }

    /// In square metres.
    pub(super) fn area(&self) -> f64 {
        match self.shape {
            Shape::Circle(radius) => std::f64::consts::PI * radius * radius,
            Shape::Box(east, north) => 4.0 * east * north,
        }
    }

    /// Half of its area over its border: a margin that is no larger lets it be entered.
    fn deep(&self) -> f64 {
        match self.shape {
            Shape::Circle(radius) => radius / 4.0,
            Shape::Box(east, north) => east * north / (east + north) / 2.0,
        }
    }

    /// Metres from its border; inside of it they are negative.
    fn out_by(&self, at: (f64, f64)) -> f64 {
        let (east, north) = metres(self.centre, at);
        match self.shape {
            Shape::Circle(radius) => east.hypot(north) - radius,
            Shape::Box(half_east, half_north) => {
                let (right, up) = (east.abs() - half_east, north.abs() - half_north);
                if right > 0.0 && up > 0.0 { right.hypot(up) } else { right.max(up) }
            }
        }
    }

    /// How near the straight way from one place to another comes to its border, negative where it leads through it.
    fn passed_by(&self, from: (f64, f64), to: (f64, f64)) -> f64 {
        let length = {
            let (east, north) = metres(from, to);
            east.hypot(north)
        };
        let points = (length / GRAIN).ceil().max(1.0) as u32;
        let step = (near(to.0 - from.0), to.1 - from.1);
        let at = |point: u32| {
            let part = f64::from(point) / f64::from(points);
            (from.0 + step.0 * part, from.1 + step.1 * part)
        };
        // Far from it nobody needs to look closely.
        if self.out_by(from) > length + 1000.0 {
            return self.out_by(from) - length;
        }
        (0..=points).map(|point| self.out_by(at(point))).fold(f64::MAX, f64::min)
    }
}

/// What is told of a fence.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) at: i64,
    pub(super) place: String,
    pub(super) state: &'static str,
    /// Of a way that leads through it, when it began.
    pub(super) begin: Option<i64>,
}

/// How a box stands to one fence.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    is_in: Option<bool>,
    outside: Option<(i64, (f64, f64))>,
}

/// The plain model.
pub(super) struct Places<'a> {
    fences: &'a [Fence],
    standings: Vec<Standing>,
}

impl<'a> Places<'a> {
    pub(super) fn new(fences: &'a [Fence]) -> Self {
        Self { fences, standings: vec![Standing::default(); fences.len()] }
    }

    /// The program starts anew: where it was before is known, the way from there is not.
    pub(super) fn restart(&mut self) {
        self.standings.iter_mut().for_each(|standing| standing.outside = None);
    }

    /// What is told of a fix; `None` where the maps differ too much to say.
    pub(super) fn fix(&mut self, at: i64, here: (f64, f64), hdop: f64) -> Option<Vec<Line>> {
        let margin = (hdop * 20.0).clamp(20.0, 500.0);
        let (mut standings, mut lines) = (self.standings.clone(), Vec::new());
        for (fence, standing) in self.fences.iter().zip(&mut standings) {
            let out = fence.out_by(here);
            let (is_in, far) = (out <= 0.0, out.abs());
            let needed = if is_in { margin.min(fence.deep()) } else { margin };
            let unsure = GRAIN + far / 100.0;
            if (far - needed).abs() < unsure || (standing.is_in.is_none() && far < unsure) {
                return None;
            }
            let is_sure = far > needed;
            let mut begin = None;
            let state = match (standing.is_in, is_in, is_sure, standing.outside) {
                (None, true, ..) => Some("inside"),
                (Some(false), true, true, _) => Some("enter"),
                (Some(true), false, true, _) => Some("exit"),
                (Some(false), false, true, Some((since, from))) => {
                    let by = fence.passed_by(from, here);
                    let (east, north) = metres(from, here);
                    if by.abs() < 2.0 * GRAIN + east.hypot(north) / 100.0 {
                        return None;
                    }
                    begin = Some(since).filter(|_| by < 0.0);
                    begin.map(|_| "crossed")
                }
                _ => None,
            };
            if standing.is_in.is_none() || is_sure {
                standing.is_in = Some(is_in);
            }
            if standing.is_in == Some(false) && is_sure {
                standing.outside = Some((at, here));
            }
            lines.extend(state.map(|state| Line { at, place: fence.name.clone(), state, begin }));
        }
        self.standings = standings;
        Some(lines)
    }

    /// The smallest fence that the box is in.
    pub(super) fn place(&self) -> Option<&str> {
        let these =
            self.fences.iter().zip(&self.standings).filter(|(_, standing)| standing.is_in == Some(true));
        these.min_by(|a, b| a.0.area().total_cmp(&b.0.area())).map(|(fence, _)| fence.name.as_str())
    }
}

/// Where a voyage leads.
pub(super) struct Area {
    pub(super) fences: Vec<Fence>,
    centre: (f64, f64),
    /// When the box is where, in metres from the centre; it stays, or goes straight to the next.
    way: Vec<(i64, (f64, f64))>,
    /// Times without a fix.
    shadows: Vec<(i64, i64)>,
}

impl Area {
    pub(super) fn new(chance: &mut ChaCha8Rng, until: i64) -> Self {
        let centre = CENTRES[chance.random_range(0..CENTRES.len())];
        let mut anywhere =
            |reach: f64| (chance.random_range(-reach..reach), chance.random_range(-reach..reach));
        let spots: Vec<(f64, f64)> = (0..5).map(|_| anywhere(REACH)).collect();
        let mut fences: Vec<Fence> = Vec::new();
        for (index, spot) in spots.iter().enumerate() {
            let shape = match index {
                0 => Shape::Box(chance.random_range(3000.0..9000.0), chance.random_range(2000.0..6000.0)),
                1 => Shape::Box(chance.random_range(300.0..900.0), REACH),
                _ => Shape::Circle(chance.random_range(150.0..4000.0)),
            };
            fences.push(Fence { name: format!("place {index}"), centre: moved(centre, *spot), shape });
        }
        // A gate within the first.
        let gate = Shape::Circle(chance.random_range(200.0..900.0));
        fences.push(Fence { name: "gate".into(), centre: fences[0].centre, shape: gate });
        let (mut way, mut at, mut here) = (Vec::new(), 0, spots[0]);
        while at <= until {
            way.push((at, here));
            at += chance.random_range(20 * MINUTE..10 * HOUR);
            way.push((at, here));
            let to = if chance.random_bool(0.6) {
                let spot = spots[chance.random_range(0..spots.len())];
                (spot.0 + chance.random_range(-1500.0..1500.0), spot.1 + chance.random_range(-1500.0..1500.0))
            } else {
                (chance.random_range(-REACH..REACH), chance.random_range(-REACH..REACH))
            };
            let metres_per_ms = chance.random_range(8.0..40.0) * 1000.0 / HOUR as f64;
            at += ((to.0 - here.0).hypot(to.1 - here.1) / metres_per_ms) as i64 + MINUTE;
            here = to;
        }
        way.push((at, here));
        let (mut shadows, mut from) = (Vec::new(), 0);
        while from < until {
            from += chance.random_range(2 * HOUR..40 * HOUR);
            let to = from + chance.random_range(10 * MINUTE..9 * HOUR);
            shadows.push((from, to));
            from = to;
        }
        Self { fences, centre, way, shadows }
    }

    fn position(&self, at: i64) -> (f64, f64) {
        let next = self.way.partition_point(|(then, _)| *then <= at).clamp(1, self.way.len() - 1);
        let [(from_at, from), (to_at, to)] = [self.way[next - 1], self.way[next]];
        let part = ((at - from_at) as f64 / (to_at - from_at) as f64).clamp(0.0, 1.0);
        (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
    }

    /// Gives each step its fix; where the plain model could not say what follows of it, the receiver has none.
    pub(super) fn fill(&mut self, chance: &mut ChaCha8Rng, steps: &mut [Step]) {
        let mut places = Places::new(&self.fences);
        for step in steps {
            if step.before != Before::Nothing {
                places.restart();
            }
            let is_dark = self.shadows.iter().any(|(from, to)| (*from..*to).contains(&step.at));
            let (east, north) = self.position(step.at);
            let noise = (chance.random_range(-8.0..8.0), chance.random_range(-8.0..8.0));
            let (x, y) = moved(self.centre, (east + noise.0, north + noise.1));
            let here = ((x * 1e7).round() / 1e7, (y * 1e7).round() / 1e7);
            let hdop = f64::from(chance.random_range(70..320_u32)) / 100.0;
            if !is_dark && chance.random_bool(0.98) && places.fix(step.at, here, hdop).is_some() {
                step.world.fix = Some((here, hdop));
            }
        }
    }
}

/// A longitude, or the way to one, by the shorter way: -180 to 180.
fn near(degrees: f64) -> f64 {
    degrees - 360.0 * (degrees / 360.0).round()
}

/// From one place to another near it, to the east and to the north.
fn metres(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    (near(to.0 - from.0) * from.1.to_radians().cos() * DEGREE, (to.1 - from.1) * DEGREE)
}

/// Where one is so many metres to the east and to the north.
fn moved((x, y): (f64, f64), (east, north): (f64, f64)) -> (f64, f64) {
    (near(x + east / DEGREE / y.to_radians().cos()), y + north / DEGREE)
}
