//! What was seen last: where the container is, and how cold it is there.

use crate::reading::Stamp;

/// What a measurement says of that, reported or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// When.
    pub stamp: Stamp,
    /// Latitude and longitude in degrees, if the receiver had a fix.
    pub position: Option<(f64, f64)>,
    /// The smallest fence around it.
    pub place: Option<String>,
    /// In °C, if the sensor was well.
    pub temperature: Option<f64>,
}
