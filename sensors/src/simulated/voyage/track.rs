//! The line along which a leg goes.

use crate::gps::Position;
use crate::simulated::gps_receiver::wrap;

/// A corner of a track.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Point {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
    /// Metres above mean sea level.
    pub(super) altitude_m: f64,
}

impl Point {
    pub(super) fn position(&self) -> Position {
        Position { latitude: self.latitude, longitude: wrap(self.longitude) }
    }
}

/// Corners with their distance from the start. Between corners the way is straight in longitude and
/// latitude. Longitudes go on beyond 180, so that a track across that meridian has no gap.
#[derive(Debug, Clone)]
pub(super) struct Track {
    corners: Vec<(f64, Point)>,
}

impl Track {
    pub(super) fn new(points: &[Point]) -> Self {
        let mut corners: Vec<(f64, Point)> = Vec::with_capacity(points.len());
        for point in points {
            let mut point = *point;
            let mut distance_km = 0.0;
            if let Some((so_far, last)) = corners.last() {
                point.longitude = last.longitude + wrap(point.longitude - last.longitude);
                distance_km = so_far + last.position().distance_m(&point.position()) / 1000.0;
            }
            corners.push((distance_km, point));
        }
        Self { corners }
    }

    pub(super) fn length_km(&self) -> f64 {
        self.corners.last().map_or(0.0, |(distance, _)| *distance)
    }

    /// The place so many kilometres from the start, and the course there in degrees. Beyond the end, the end.
    pub(super) fn at(&self, km: f64) -> (Point, f64) {
        let after = self.corners.partition_point(|(distance, _)| *distance <= km);
        let to = after.clamp(1, self.corners.len().max(2) - 1);
        let (Some((from_km, from)), Some((to_km, to))) = (self.corners.get(to - 1), self.corners.get(to))
        else {
            return (self.corners.first().map(|(_, point)| *point).unwrap_or_default(), 0.0);
        };
        let share = if to_km > from_km { ((km - from_km) / (to_km - from_km)).clamp(0.0, 1.0) } else { 0.0 };
        let between = |a: f64, b: f64| a + (b - a) * share;
        let point = Point {
            longitude: between(from.longitude, to.longitude),
            latitude: between(from.latitude, to.latitude),
            altitude_m: between(from.altitude_m, to.altitude_m),
        };
        let east = (to.longitude - from.longitude) * point.latitude.to_radians().cos();
        let north = to.latitude - from.latitude;
        (point, east.atan2(north).to_degrees().rem_euclid(360.0))
    }
}
