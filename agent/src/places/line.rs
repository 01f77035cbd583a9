//! The way between two fixes.

use geo::{Coord, Distance, Haversine, InterpolatePoint, Line, Point};

use super::bounds::Bounds;

/// A longer line says nothing about the way that was taken: not a day of sailing, but weeks below other containers.
const LONGEST: f64 = 1_000_000.0;
/// The shortest way is a great circle. So many metres of it are straight in longitude and latitude as well, as far as fences
/// go, unless they pass a pole.
const PIECE: f64 = 50_000.0;
/// Degrees to the north and to the east that are less than a piece wherever they are.
const SHORT: f64 = 0.3;
/// Degrees of longitude in a piece that passes near a pole.
const PIECE_DEGREES: f64 = 2.0;

/// The shortest way from one fix to another, in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    from: Coord,
    to: Coord,
    pieces: u32,
}

impl Way {
    /// `None` where it is too long to say anything.
    pub(super) fn new(from: Coord, to: Coord) -> Option<Self> {
        let degrees = step(from.x, to.x).abs();
        // Most ways are that short, and need no trigonometry.
        if degrees < SHORT && (to.y - from.y).abs() < SHORT {
            return Some(Self { from, to, pieces: 1 });
        }
        let metres = Haversine.distance(Point::from(from), Point::from(to));
        if metres > LONGEST {
            return None;
        }
        let pieces = (metres / PIECE).max(degrees / PIECE_DEGREES).ceil().max(1.0) as u32;
        Some(Self { from, to, pieces })
    }

    /// Lines that are straight in unwrapped longitude and latitude, each with its box.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Line, Bounds)> {
        let Self { from, to, pieces } = *self;
        let at = move |piece: u32| match piece {
            0 => from,
            last if last == pieces => to,
            _ => {
                let ratio = f64::from(piece) / f64::from(pieces);
                Haversine.point_at_ratio_between(Point::from(from), Point::from(to), ratio).into()
            }
        };
        (0..pieces).map(move |piece| {
            let (start, end) = (at(piece), at(piece + 1));
            let line = Line::new(start, Coord { x: start.x + step(start.x, end.x), y: end.y });
            (line, Bounds::of([line.start, line.end]))
        })
    }
}

/// From one longitude to another the shorter way: -180 to 180.
fn step(from: f64, to: f64) -> f64 {
    let step = to - from;
    step - 360.0 * (step / 360.0).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: (f64, f64), to: (f64, f64)) -> Option<Vec<Line>> {
        let way = Way::new(Coord { x: from.0, y: from.1 }, Coord { x: to.0, y: to.1 });
        way.map(|way| way.pieces().map(|(line, _)| line).collect())
    }

    #[test]
    fn a_short_way_is_one_line_also_over_the_antimeridian() {
        let lines = way((179.9, 10.0), (-179.9, 10.0)).unwrap();
        assert_eq!(lines.len(), 1);
        assert!((lines[0].end.x - 180.1).abs() < 1e-9, "{lines:?}");
    }

    #[test]
    fn a_long_way_is_a_great_circle_and_too_long_a_one_none() {
        let lines = way((0.0, 60.0), (15.0, 60.0)).unwrap();
        assert!((17..=18).contains(&lines.len()));
        let northernmost = lines.iter().map(|line| line.end.y).fold(0.0, f64::max);
        assert!((northernmost - 60.2).abs() < 0.02, "{northernmost}");
        let over_the_pole = way((10.0, 89.0), (-170.0, 89.0)).unwrap();
        assert!(over_the_pole.iter().any(|line| line.end.y > 89.9), "{over_the_pole:?}");
        assert!(way((4.0, 52.0), (103.8, 1.3)).is_none());
    }
}
