//! A fence: a place with a name and a border.

use std::sync::Arc;

use geo::Coord;

use super::bounds::{Bounds, Margin};
use super::line::Way;
use super::shape::{Shape, Side};

/// Fences that a tracker takes.
pub const MOST_FENCES: usize = 50;

/// A place with a name and a border.
#[derive(Debug, Clone)]
pub struct Fence {
    name: Arc<str>,
    shape: Shape,
    bounds: Bounds,
    area: f64,
    /// Metres from the border at which whoever is inside is so for sure, however inexact the fix is: or a small fence could
    /// never be entered.
    deep: f64,
}

impl Fence {
    pub(super) fn new(name: &str, shape: Shape) -> Self {
        let (bounds, area) = (shape.bounds(), shape.area());
        // Of a circle a quarter of the radius, of a long strip a quarter of its width.
        let deep = area / shape.length().max(f64::MIN_POSITIVE) / 2.0;
        Self { name: name.into(), shape, bounds, area, deep }
    }

    /// Its name; no other fence has it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In square metres.
    pub(super) fn area(&self) -> f64 {
        self.area
    }

    /// Whether a position, in degrees, lies in it or on its border.
    pub fn contains(&self, longitude: f64, latitude: f64) -> bool {
        let point = Coord { x: longitude, y: latitude };
        self.bounds.meets(&Bounds::of([point])) && self.shape.side(point, 0.0, 0.0).is_in
    }

    /// On which side of the border a point lies, whose position may be wrong by so much. `margin` is `metres` as degrees.
    pub(super) fn side(&self, point: Coord, metres: f64, margin: Margin) -> Side {
        if !self.bounds.meets(&Bounds::of([point]).with_margin(margin)) {
            return Side { is_in: false, is_sure: true };
        }
        self.shape.side(point, metres, metres.min(self.deep))
    }

    /// Whether no part of the border is nearer than so many metres.
    pub(super) fn is_border_beyond(&self, point: Coord, metres: f64) -> bool {
        let around = Bounds::of([point]).with_margin(Margin::new(metres, point.y));
        !self.bounds.meets(&around) || self.shape.side(point, metres, metres).is_sure
    }

    /// Whether the way between two points outside leads through it.
    pub(super) fn is_cut_by(&self, way: &Way) -> bool {
        self.shape.is_cut_by(way, &self.bounds)
    }
}
