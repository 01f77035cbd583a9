//! Boxes of longitude and latitude that may lie across the antimeridian.

use geo::Coord;

/// Of the sphere that distances and areas are those of, in metres: the mean radius of GRS 80, as `geo` has it.
pub(super) const EARTH_RADIUS: f64 = 6_371_008.771_415_059;
/// Metres in a degree of latitude.
pub(super) const METRES: f64 = EARTH_RADIUS * std::f64::consts::PI / 180.0;

/// A box. Its longitudes are those of an unwrapped shape: `west` may be any number, `east` is no less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) south: f64,
    pub(super) north: f64,
    pub(super) west: f64,
    pub(super) east: f64,
}

impl Bounds {
    /// Around all of these; there must be one.
    pub(super) fn of(coords: impl IntoIterator<Item = Coord>) -> Self {
        let nothing = Self {
            south: f64::INFINITY,
            north: f64::NEG_INFINITY,
            west: f64::INFINITY,
            east: f64::NEG_INFINITY,
        };
        coords.into_iter().fold(nothing, |bounds, Coord { x, y }| Self {
            south: bounds.south.min(y),
            north: bounds.north.max(y),
            west: bounds.west.min(x),
            east: bounds.east.max(x),
        })
    }

    /// So much larger on every side.
    pub(super) fn with_margin(self, Margin { latitude, longitude }: Margin) -> Self {
        Self {
            south: self.south - latitude,
            north: self.north + latitude,
            west: self.west - longitude,
            east: self.east + longitude,
        }
    }

    /// Whether the two have anything in common, all the way round the earth.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.south <= other.north && other.south <= self.north && self.turns(other).next().is_some()
    }

    /// By how many degrees `other` has to be moved to the east to lie over this box: whole turns, each of which must be tried.
    pub(super) fn turns(&self, other: &Self) -> impl Iterator<Item = f64> + use<> {
        let first = ((self.west - other.east) / 360.0).ceil();
        let last = ((self.east - other.west) / 360.0).floor();
        (first as i32..=last as i32).map(|turn| f64::from(turn) * 360.0)
    }
}

/// A distance as degrees, somewhere on the earth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margin {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl Margin {
    /// So many metres at this latitude; at the poles all longitudes are near.
    pub(super) fn new(metres: f64, latitude: f64) -> Self {
        let degrees = metres / METRES;
        // Where it is narrowest within the margin.
        let narrowest = (latitude.abs() + degrees).min(90.0).to_radians().cos();
        Self { latitude: degrees, longitude: (degrees / narrowest.max(1e-9)).min(180.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(west: f64, east: f64) -> Bounds {
        Bounds { south: -1.0, north: 1.0, west, east }
    }

    #[test]
    fn boxes_meet_across_the_antimeridian() {
        let fiji = bounds(177.0, 182.0);
        for (west, east, meets) in [
            (-179.0, -179.0, true),
            (-178.0, -178.0, true),
            (-177.9, -177.9, false),
            (176.0, 176.9, false),
            (537.0, 538.0, true),
            (-185.0, -182.0, true),
        ] {
            assert_eq!(fiji.meets(&bounds(west, east)), meets, "{west} {east}");
        }
        assert_eq!(bounds(-180.0, 180.0).turns(&bounds(180.0, 180.0)).collect::<Vec<_>>(), [-360.0, 0.0]);
    }

    #[test]
    fn a_margin_is_wide_near_a_pole() {
        let equator = Margin::new(1000.0, 0.0);
        assert!((equator.latitude - 0.008_993).abs() < 1e-6 && equator.longitude >= equator.latitude);
        assert!(Margin::new(1000.0, 60.0).longitude > 2.0 * equator.latitude);
        assert_eq!(Margin::new(1000.0, 90.0).longitude, 180.0);
    }
}
