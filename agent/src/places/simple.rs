//! Whether a ring meets itself.

use geo::line_intersection::{LineIntersection, line_intersection};
use geo::{Coord, Line};

use super::bounds::Bounds;

/// A vertex and where it stands in the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vertex {
    pub(super) at: Coord,
    pub(super) position: usize,
}

/// Two edges of a ring that meet where they must not, each by the position that it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) first: usize,
    pub(super) second: usize,
}

struct Edge {
    line: Line,
    index: usize,
    /// Moved by a whole turn.
    is_moved: bool,
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

/// The first two edges that meet, but for neighbours at their common vertex; the last vertex is the first again. `turn`: a
/// ring around a pole ends so far beside its begin, and goes on for ever, one turn after the other.
pub(super) fn fold(vertices: &[Vertex], turn: Option<f64>) -> Option<Fold> {
    let count = vertices.len() - 1;
    let edges = |by: f64| {
        let moved = move |at: Coord| Coord { x: at.x + by, y: at.y };
        vertices.windows(2).enumerate().map(move |(index, pair)| {
            let line = Line::new(moved(pair[0].at), moved(pair[1].at));
            let Bounds { west, east, south, north } = Bounds::of([line.start, line.end]);
            Edge { line, index, is_moved: by != 0.0, west, east, south, north }
        })
    };
    let mut all: Vec<Edge> = edges(0.0).collect();
    all.extend(turn.into_iter().flat_map(edges));
    // From west to east: only what overlaps is looked at.
    all.sort_unstable_by(|a, b| a.west.total_cmp(&b.west));
    let mut found: Option<(usize, usize)> = None;
    for (place, edge) in all.iter().enumerate() {
        for other in all[place + 1..].iter().take_while(|other| other.west <= edge.east) {
            if edge.is_moved && other.is_moved || !meet(edge, other, count, turn.is_some()) {
                continue;
            }
            let pair = (edge.index.min(other.index), edge.index.max(other.index));
            if found.is_none_or(|found| pair < found) {
                found = Some(pair);
            }
        }
    }
    let (first, second) = found?;
    Some(Fold { first: vertices[first].position, second: vertices[second].position })
}

/// Whether two edges of a ring of so many have more in common than neighbours have.
fn meet(a: &Edge, b: &Edge, count: usize, is_endless: bool) -> bool {
    if a.north < b.south || b.north < a.south {
        return false;
    }
    let follows = |a: &Edge, b: &Edge| {
        let (before, after) =
            (a.index + count * usize::from(a.is_moved), b.index + count * usize::from(b.is_moved));
        before + 1 == after || (!is_endless && a.index == count - 1 && b.index == 0)
    };
    match line_intersection(a.line, b.line) {
        None => false,
        Some(LineIntersection::Collinear { intersection }) if intersection.start != intersection.end => true,
        Some(_) => !follows(a, b) && !follows(b, a),
    }
}
