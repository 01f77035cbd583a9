//! A closed line on the earth, in longitudes that go on over the antimeridian.
//!
//! In a plane of longitude and latitude a line over the antimeridian jumps by 360 degrees, and one around a pole does not
//! come back to where it began. So longitudes are unwrapped: each goes on from the one before, the shorter way. A ring that
//! then ends a whole turn beside its begin lies around a pole, and is closed by way of it: up the meridian of the vertex
//! that is nearest to the pole, which nothing else of the ring crosses.

use geo::coordinate_position::{CoordPos, coord_pos_relative_to_ring};
use geo::{Area, Coord, Distance, Euclidean, Haversine, Intersects, Line, LineString, Point, Polygon};

use super::bounds::{Bounds, EARTH_RADIUS, METRES, Margin};
use super::simple::{self, Fold, Vertex};

/// A ring that does not cross itself.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    /// Closed, in unwrapped longitudes; over a pole where it lies around one.
    outline: LineString,
    /// So many of its edges, from the first, are its own. The others lead over the pole.
    own_edges: usize,
    bounds: Bounds,
}

/// Why positions make no ring.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RingFault {
    /// It meets itself.
    Crosses(Fold),
    /// All of it lies in a line.
    NoArea,
    /// It is around a pole and on both sides of the equator, so that nobody can tell which pole is meant.
    WhichPole,
    /// It goes around the earth more than once.
    TooLong,
}

impl Ring {
    /// The ring through these positions, of which the last is the first again.
    pub(super) fn new(positions: &[Coord]) -> Result<Self, RingFault> {
        let ring = Self::unwrapped(positions, false);
        // From -180 to 180 is no way at all, unless that is no ring: then somebody means all longitudes there are.
        let goes_round = |pair: &[Coord]| (pair[1].x - pair[0].x).abs() == 360.0;
        if ring.is_err() && positions.windows(2).any(goes_round) {
            return Self::unwrapped(positions, true).or(ring);
        }
        ring
    }

    fn unwrapped(positions: &[Coord], round: bool) -> Result<Self, RingFault> {
        let mut vertices = unwrap(positions, round);
        let (Some(first), Some(last)) = (vertices.first(), vertices.last()) else {
            return Err(RingFault::NoArea);
        };
        let turn = last.at.x - first.at.x;
        let around_pole = turn.abs() > 180.0;
        if turn.abs() > 540.0 {
            return Err(RingFault::TooLong);
        }
        let pole = if around_pole { Some(begin_at_pole(&mut vertices, turn)?) } else { None };
        if let Some(fold) = simple::fold(&vertices, around_pole.then_some(turn)) {
            return Err(RingFault::Crosses(fold));
        }
        let own_edges = vertices.len() - 1;
        let mut outline: Vec<Coord> = vertices.iter().map(|vertex| vertex.at).collect();
        if let Some(pole) = pole {
            let (begin, end) = (outline[0], outline[own_edges]);
            outline.extend([Coord { x: end.x, y: pole }, Coord { x: begin.x, y: pole }, begin]);
        }
        let bounds = Bounds::of(outline.iter().copied());
        if !around_pole && bounds.east - bounds.west > 360.0 {
            return Err(RingFault::TooLong);
        }
        let ring = Self { outline: LineString::new(outline), own_edges, bounds };
        if ring.area() > 0.0 { Ok(ring) } else { Err(RingFault::NoArea) }
    }

    /// The box around it.
    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Whether this point lies in the ring or on it.
    pub(super) fn contains(&self, point: Coord) -> bool {
        let mut turns = self.bounds.turns(&Bounds::of([point]));
        turns.any(|turn| {
            let point = Coord { x: point.x + turn, y: point.y };
            coord_pos_relative_to_ring(point, &self.outline) != CoordPos::Outside
        })
    }

    /// Whether the border is within so many metres; far fewer than a degree.
    pub(super) fn is_near(&self, point: Coord, metres: f64) -> bool {
        let margin = Margin::new(metres, point.y);
        let around = Bounds::of([point]).with_margin(margin);
        let width = point.y.to_radians().cos() * METRES;
        self.bounds.turns(&around).any(|turn| {
            // Flat, which it is as far as the margin goes, and straight where the edge is.
            let flat =
                |end: Coord| Coord { x: (end.x - point.x - turn) * width, y: (end.y - point.y) * METRES };
            self.border().any(|edge| {
                edge.start.y.min(edge.end.y) <= around.north
                    && edge.start.y.max(edge.end.y) >= around.south
                    && Euclidean.distance(&Point::new(0.0, 0.0), &Line::new(flat(edge.start), flat(edge.end)))
                        < metres
            })
        })
    }

    /// Whether a line, straight in unwrapped longitude and latitude, meets the border.
    pub(super) fn is_cut_by(&self, line: Line) -> bool {
        let bounds = Bounds::of([line.start, line.end]);
        self.bounds.turns(&bounds).any(|turn| {
            let moved = |end: Coord| Coord { x: end.x + turn, y: end.y };
            let line = Line::new(moved(line.start), moved(line.end));
            self.border().any(|edge| edge.intersects(&line))
        })
    }

    /// In square metres.
    pub(super) fn area(&self) -> f64 {
        // Lambert's cylinder: on it areas are as on the sphere.
        let cylinder = |at: &Coord| Coord { x: at.x.to_radians(), y: at.y.to_radians().sin() };
        let outline = self.outline.coords().map(cylinder).collect();
        Polygon::new(outline, Vec::new()).unsigned_area() * EARTH_RADIUS.powi(2)
    }

    /// Length of the border in metres.
    pub(super) fn length(&self) -> f64 {
        self.border().map(|edge| Haversine.distance(edge.start_point(), edge.end_point())).sum()
    }

    /// A vertex.
    pub(super) fn first(&self) -> Coord {
        self.outline.0[0]
    }

    /// Edges that are border on the earth: not what leads over a pole, nor the seam of a ring that takes in all longitudes.
    pub(super) fn border(&self) -> impl Iterator<Item = Line> {
        let Bounds { west, east, .. } = self.bounds;
        let goes_round = east - west >= 360.0;
        self.outline.lines().take(self.own_edges).filter(move |Line { start, end }| {
            let at_pole = start.y == end.y && start.y.abs() == 90.0;
            let is_seam = goes_round && start.x == end.x && (start.x == west || start.x == east);
            !at_pole && !is_seam
        })
    }
}

/// Each longitude goes on from the one before, the shorter way round; along a pole, which is one point, as it is written.
/// `round`: so also from -180 to 180. Positions that stand twice are left out.
fn unwrap(positions: &[Coord], round: bool) -> Vec<Vertex> {
    let mut vertices: Vec<Vertex> = Vec::with_capacity(positions.len());
    let mut before: Option<Coord> = None;
    // Counted, not added up: a ring must come back to the very number that it began with.
    let mut turns = 0.0;
    for (position, at) in positions.iter().enumerate() {
        if let Some(before) = before {
            let step = at.x - before.x;
            let at_pole = before.y == at.y && at.y.abs() == 90.0;
            let as_written = at_pole || step.abs() <= 180.0 || (round && step.abs() == 360.0);
            turns -= if as_written { 0.0 } else { step.signum() };
        }
        before = Some(*at);
        let at = Coord { x: at.x + 360.0 * turns, y: at.y };
        if vertices.last().is_none_or(|last| last.at != at) {
            vertices.push(Vertex { at, position });
        }
    }
    vertices
}

/// Lets a ring around a pole, `turn` long, begin where it is nearest to the pole. Gives the latitude of the pole.
fn begin_at_pole(vertices: &mut Vec<Vertex>, turn: f64) -> Result<f64, RingFault> {
    let all = |is: fn(&f64) -> bool| vertices.iter().all(|vertex| is(&vertex.at.y));
    let pole = match (all(|y| *y > 0.0), all(|y| *y < 0.0)) {
        (true, _) => 90.0,
        (_, true) => -90.0,
        _ => return Err(RingFault::WhichPole),
    };
    vertices.pop();
    let distances = vertices.iter().map(|vertex| (pole - vertex.at.y).abs());
    let nearest = distances.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(index, _)| index);
    vertices.rotate_left(nearest);
    let moved = vertices.len() - nearest;
    for vertex in &mut vertices[moved..] {
        vertex.at.x += turn;
    }
    let Vertex { at: Coord { x, y }, position } = vertices[0];
    vertices.push(Vertex { at: Coord { x: x + turn, y }, position });
    Ok(pole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(positions: &[(f64, f64)]) -> Result<Ring, RingFault> {
        let mut coords: Vec<Coord> = positions.iter().map(|(x, y)| Coord { x: *x, y: *y }).collect();
        coords.push(coords[0]);
        Ring::new(&coords)
    }

    /// Points in it and points out of it.
    fn assert_holds(ring: &Ring, inside: &[(f64, f64)], outside: &[(f64, f64)]) {
        for (x, y) in inside {
            assert!(ring.contains(Coord { x: *x, y: *y }), "{x} {y} lies in it");
        }
        for (x, y) in outside {
            assert!(!ring.contains(Coord { x: *x, y: *y }), "{x} {y} lies out of it");
        }
    }

    #[test]
    fn a_ring_over_the_antimeridian() {
        let fiji = ring(&[(177.0, -20.0), (-178.0, -20.0), (-178.0, -15.0), (177.0, -15.0)]).unwrap();
        let (inside, outside) =
            ([(179.0, -17.0), (-179.0, -17.0), (180.0, -17.0), (-180.0, -17.0)], [(0.0, -17.0)]);
        assert_holds(&fiji, &inside, &outside);
        assert_holds(&fiji, &[(177.5, -15.5)], &[(176.9, -17.0), (-177.9, -17.0), (179.0, -14.0)]);
        let on_it =
            ring(&[(179.0, 0.0), (180.0, 0.0), (-180.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.0, 1.0)]);
        assert_holds(&on_it.unwrap(), &[(180.0, 0.5), (-179.5, 0.5)], &[(-178.0, 0.5), (0.0, 0.5)]);
        // Some 200 km by 555 km: larger than a box of that size on the other side of the earth by nothing.
        let same = ring(&[(-3.0, -20.0), (2.0, -20.0), (2.0, -15.0), (-3.0, -15.0)]).unwrap();
        assert!(
            (fiji.area() / same.area() - 1.0).abs() < 1e-9
                && (fiji.length() / same.length() - 1.0).abs() < 1e-9
        );
    }

    #[test]
    fn a_ring_around_a_pole() {
        for turn in [[0.0, 90.0, 180.0, -90.0], [0.0, -90.0, 180.0, 90.0]] {
            let arctic = ring(&[(turn[0], 70.0), (turn[1], 60.0), (turn[2], 66.0), (turn[3], 60.0)]).unwrap();
            assert_holds(&arctic, &[(0.0, 90.0), (45.0, 80.0), (-170.0, 66.5), (90.0, 60.5)], &[]);
            assert_holds(
                &arctic,
                &[],
                &[(0.0, 69.0), (45.0, 64.0), (180.0, 65.0), (90.0, -60.5), (7.0, -90.0)],
            );
            assert!(arctic.is_cut_by(Line::new(Coord { x: 45.0, y: 50.0 }, Coord { x: 45.0, y: 80.0 })));
            // The meridian by which it is closed is no border.
            assert!(!arctic.is_cut_by(Line::new(Coord { x: -5.0, y: 80.0 }, Coord { x: 5.0, y: 80.0 })));
            assert!(!arctic.is_near(Coord { x: 0.0, y: 80.0 }, 500.0));
        }
        // It hangs over itself: down from some of its vertices the way is free, up it is not.
        let mut hanging = [(20.0, 65.0), (0.0, 70.0), (90.0, 60.0), (180.0, 60.0), (-90.0, 60.0)];
        for _ in 0..hanging.len() {
            hanging.rotate_left(1);
            assert_holds(
                &ring(&hanging).unwrap(),
                &[(10.0, 70.0), (10.0, 66.0), (0.0, 90.0), (19.9, 65.01)],
                &[(10.0, 68.2), (10.0, 64.0), (20.1, 65.1)],
            );
        }
        let across = ring(&[(0.0, 10.0), (120.0, -10.0), (-120.0, 10.0)]);
        assert_eq!(across.unwrap_err(), RingFault::WhichPole);
    }

    #[test]
    fn a_ring_as_wide_as_the_earth() {
        let antarctica = ring(&[(-180.0, -90.0), (180.0, -90.0), (180.0, -60.0), (-180.0, -60.0)]).unwrap();
        assert_holds(
            &antarctica,
            &[(0.0, -90.0), (180.0, -61.0), (-180.0, -61.0), (3.0, -75.0)],
            &[(0.0, -59.0)],
        );
        assert!(!antarctica.is_near(Coord { x: 180.0, y: -75.0 }, 500.0), "the antimeridian is no border");
        let coast =
            [(-180.0, -84.0), (-60.0, -75.0), (60.0, -70.0), (180.0, -84.0), (180.0, -90.0), (-180.0, -90.0)];
        assert_holds(
            &ring(&coast).unwrap(),
            &[(60.0, -71.0), (180.0, -89.0)],
            &[(60.0, -69.0), (180.0, -83.0)],
        );
        let tropics = ring(&[(-180.0, -23.0), (180.0, -23.0), (180.0, 23.0), (-180.0, 23.0)]).unwrap();
        assert_holds(&tropics, &[(0.0, 0.0), (180.0, 0.0), (-179.0, 22.0)], &[(0.0, 24.0), (180.0, -24.0)]);
    }

    #[test]
    fn what_is_no_ring() {
        assert_eq!(
            ring(&[(0.0, 0.0), (1.0, 1.0), (1.0, 1.0)]).unwrap_err(),
            RingFault::Crosses(Fold { first: 0, second: 1 })
        );
        assert_eq!(ring(&[(4.0, 52.0), (4.0, 52.0), (4.0, 52.0)]).unwrap_err(), RingFault::NoArea);
        let bow = ring(&[(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]);
        assert_eq!(bow.unwrap_err(), RingFault::Crosses(Fold { first: 0, second: 2 }));
        let over_the_antimeridian = ring(&[(179.0, 0.0), (-179.0, 1.0), (-179.0, 0.0), (179.0, 1.0)]);
        assert_eq!(over_the_antimeridian.unwrap_err(), RingFault::Crosses(Fold { first: 0, second: 2 }));
        let twice = [0.0, 120.0, -120.0, 0.0, 120.0, -120.0].map(|x| (x, 60.0));
        assert_eq!(ring(&twice).unwrap_err(), RingFault::TooLong);
        let knot = ring(&[
            (0.0, 60.0),
            (120.0, 60.0),
            (-120.0, 60.0),
            (-100.0, 70.0),
            (-120.0, 70.0),
            (-110.0, 50.0),
        ]);
        assert!(matches!(knot.unwrap_err(), RingFault::Crosses(_)));
    }
}
