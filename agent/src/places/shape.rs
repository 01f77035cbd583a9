//! What a fence can be: a circle, or a polygon with holes.

use geo::{Bearing, Coord, Distance, Euclidean, Haversine, Line, Point};

use super::bounds::{Bounds, EARTH_RADIUS, METRES, Margin};
use super::line::Way;
use super::ring::Ring;

/// An area of the earth's surface.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Circle { centre: Coord, radius_m: f64 },
    Polygon { outer: Ring, holes: Vec<Ring> },
}

/// Where a fix lies, as sure as it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// The position itself lies in the area or on its border.
    pub(super) is_in: bool,
    /// The border is too far away for the fix to be wrong about that.
    pub(super) is_sure: bool,
}

impl Shape {
    /// The box around it.
    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Circle { centre, radius_m } => {
                let degrees = radius_m / METRES;
                // The meridians that touch a circle: sin(longitude) = sin(radius) / cos(latitude). None do around a pole.
                let reach = degrees.to_radians().sin() / centre.y.to_radians().cos();
                let over_pole = centre.y.abs() + degrees >= 90.0;
                let longitude = if over_pole { 180.0 } else { reach.min(1.0).asin().to_degrees() };
                Bounds::of([*centre]).with_margin(Margin { latitude: degrees, longitude })
            }
            Self::Polygon { outer, .. } => *outer.bounds(),
        }
    }

    /// In square metres.
    pub(super) fn area(&self) -> f64 {
        match self {
            // Of a cap, and not of a disc.
            Self::Circle { radius_m, .. } => {
                std::f64::consts::TAU * EARTH_RADIUS.powi(2) * (1.0 - (radius_m / EARTH_RADIUS).cos())
            }
            Self::Polygon { outer, holes } => outer.area() - holes.iter().map(Ring::area).sum::<f64>(),
        }
    }

    /// Length of its border in metres.
    pub(super) fn length(&self) -> f64 {
        match self {
            Self::Circle { radius_m, .. } => {
                std::f64::consts::TAU * EARTH_RADIUS * (radius_m / EARTH_RADIUS).sin()
            }
            Self::Polygon { outer, holes } => outer.length() + holes.iter().map(Ring::length).sum::<f64>(),
        }
    }

    /// On which side of the border a point lies, and whether it is farther from it than `outside` metres, `inside` metres
    /// where it lies in the area.
    pub(super) fn side(&self, point: Coord, outside: f64, inside: f64) -> Side {
        match self {
            Self::Circle { centre, radius_m } => {
                let beyond = distance(*centre, point) - radius_m;
                let is_in = beyond <= 0.0;
                Side { is_in, is_sure: if is_in { -beyond >= inside } else { beyond >= outside } }
            }
            Self::Polygon { outer, holes } => {
                let is_in = outer.contains(point) && !holes.iter().any(|hole| hole.contains(point));
                let margin = if is_in { inside } else { outside };
                let mut rings = std::iter::once(outer).chain(holes);
                Side { is_in, is_sure: !rings.any(|ring| ring.is_near(point, margin)) }
            }
        }
    }

    /// Whether the way between two points, both outside, leads through the area.
    pub(super) fn is_cut_by(&self, way: &Way, bounds: &Bounds) -> bool {
        let mut near = way.pieces().filter(|(_, piece)| bounds.meets(piece)).map(|(line, _)| line);
        match self {
            Self::Circle { centre, radius_m } => near.any(|line| passes(*centre, line) <= *radius_m),
            Self::Polygon { outer, holes } => {
                near.any(|line| std::iter::once(outer).chain(holes).any(|ring| ring.is_cut_by(line)))
            }
        }
    }
}

/// How far from a point a short line passes, in metres: the line is straight on a map around the point.
fn passes(centre: Coord, line: Line) -> f64 {
    let flat = |end: Coord| {
        let far = distance(centre, end);
        let (sin, cos) = Haversine.bearing(Point::from(centre), Point::from(end)).to_radians().sin_cos();
        Coord { x: far * sin, y: far * cos }
    };
    Euclidean.distance(&Point::new(0.0, 0.0), &Line::new(flat(line.start), flat(line.end)))
}

fn distance(a: Coord, b: Coord) -> f64 {
    Haversine.distance(Point::from(a), Point::from(b))
}

/// What is wrong with a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HoleFault {
    /// Its border meets that of the ring around it, or of another hole.
    Meets(usize),
    /// It is not in the ring around it.
    Outside,
    /// It is in another hole.
    In(usize),
}

/// The first hole that is wrong; rings are numbered as in GeoJSON, the outer one is 0.
pub(super) fn hole_fault(outer: &Ring, holes: &[Ring]) -> Option<(usize, HoleFault)> {
    for (index, hole) in holes.iter().enumerate() {
        let ring = index + 1;
        let others = std::iter::once(outer).chain(&holes[..index]);
        if let Some((other, _)) = others.enumerate().find(|(_, other)| borders_meet(hole, other)) {
            return Some((ring, HoleFault::Meets(other)));
        }
        if !outer.contains(hole.first()) {
            return Some((ring, HoleFault::Outside));
        }
        let nested = |other: &Ring| other.contains(hole.first()) || hole.contains(other.first());
        if let Some(other) = holes[..index].iter().position(nested) {
            return Some((ring, HoleFault::In(other + 1)));
        }
    }
    None
}

fn borders_meet(a: &Ring, b: &Ring) -> bool {
    if !a.bounds().meets(b.bounds()) {
        return false;
    }
    b.border().any(|edge| {
        let bounds = Bounds::of([edge.start, edge.end]);
        a.bounds().meets(&bounds) && a.is_cut_by(edge)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(x: f64, y: f64, radius_m: f64) -> Shape {
        Shape::Circle { centre: Coord { x, y }, radius_m }
    }

    #[test]
    fn a_circle_is_in_its_box_wherever_it_lies() {
        for (x, y, radius) in [
            (4.0, 52.0, 500.0),
            (179.999, -17.0, 5e3),
            (0.0, 89.99, 5e3),
            (10.0, -80.0, 1e6),
            (0.0, 0.0, 5e6),
        ] {
            let (shape, centre) = (circle(x, y, radius), Point::new(x, y));
            let bounds = shape.bounds();
            for bearing in 0..360 {
                use geo::Destination;
                let border = Haversine.destination(centre, f64::from(bearing), radius * 0.9999);
                assert!(bounds.meets(&Bounds::of([border.into()])), "{x} {y} {radius} {bearing}");
                assert!(shape.side(border.into(), 0.0, 0.0).is_in);
                let beyond = Haversine.destination(centre, f64::from(bearing), radius * 1.0001);
                assert!(!shape.side(beyond.into(), 0.0, 0.0).is_in);
            }
        }
        assert!(
            circle(4.0, 52.0, 1000.0).bounds().with_margin(Margin { latitude: 0.0, longitude: 0.0 }).east
                < 4.02
        );
    }

    #[test]
    fn area_and_length_of_a_circle_are_those_of_a_disc_while_it_is_small() {
        let shape = circle(4.0, 52.0, 1000.0);
        assert!((shape.area() / (std::f64::consts::PI * 1e6) - 1.0).abs() < 1e-6);
        assert!((shape.length() / (std::f64::consts::TAU * 1e3) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_way_through_a_circle_cuts_it_and_one_beside_it_does_not() {
        for (x, y) in [(4.0, 52.0), (180.0, 0.0), (-180.0, 10.0), (0.0, 89.999)] {
            let shape = circle(x, y, 300.0);
            let margin = Margin::new(1000.0, y);
            let at = |east: f64, north: f64| Coord {
                x: x + margin.longitude * east,
                y: y + margin.latitude * north,
            };
            let cuts =
                |from: Coord, to: Coord| shape.is_cut_by(&Way::new(from, to).unwrap(), &shape.bounds());
            assert!(cuts(at(0.1, -2.0), at(0.1, 0.9).min_latitude()), "{x} {y}");
            if y < 80.0 {
                assert!(cuts(at(-1.0, 0.2), at(1.0, 0.2)), "{x} {y}");
                assert!(!cuts(at(-1.0, 0.4), at(1.0, 0.4)), "{x} {y}");
                assert!(!cuts(at(-1.0, 0.0), at(-0.5, 0.0)), "{x} {y}");
            }
        }
    }

    trait MinLatitude {
        fn min_latitude(self) -> Self;
    }

    impl MinLatitude for Coord {
        /// Not beyond the pole.
        fn min_latitude(self) -> Self {
            Coord { x: self.x, y: self.y.min(90.0) }
        }
    }
}
