//! How far the container went.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::numbers::rounded;

/// Metres: mean radius of the earth.
const RADIUS_M: f64 = 6_371_008.8;
/// Metres: a fix that is nearer than this to the last one that counted may be noise.
const LEAST_M: f64 = 100.0;

/// A latitude and a longitude, in degrees.
pub(super) type Position = (f64, f64);

/// The way so far, along great circles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Route {
    metres: f64,
    anchor: Option<Position>,
}

impl Route {
    pub(super) fn take(&mut self, position: Position) {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(position);
            return;
        };
        let leg = distance_m(anchor, position);
        if leg >= LEAST_M {
            self.metres += leg;
            self.anchor = Some(position);
        }
    }

    /// In km; null where no position was ever known.
    pub(super) fn report(&self) -> Value {
        self.anchor.map_or(Value::Null, |_| rounded(self.metres / 1000.0, 1))
    }
}

/// By the haversine formula, which is good for short ways too.
pub(super) fn distance_m((lat1, lon1): Position, (lat2, lon2): Position) -> f64 {
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let chord = half(lat2 - lat1) + lat1.to_radians().cos() * lat2.to_radians().cos() * half(lon2 - lon1);
    2.0 * RADIUS_M * chord.clamp(0.0, 1.0).sqrt().asin()
}
