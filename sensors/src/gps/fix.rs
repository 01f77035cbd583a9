//! A position fix.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::Serialize;
use std::time::Duration;

use super::Kind;

/// Kilometres per hour in a knot.
const KMH_PER_KNOT: f64 = 1.852;
/// Mean radius of the earth in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place on the earth: WGS 84, degrees, north and east positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Position {
    /// -90..90.
    pub latitude: f64,
    /// -180..180.
    pub longitude: f64,
}

impl Position {
    /// Great-circle distance in metres, on a sphere (0.5 % off at most).
    pub fn distance_m(&self, other: &Self) -> f64 {
        // The sentences of one epoch mostly agree to the last digit.
        if self == other {
            return 0.0;
        }
        let (lat1, lat2) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_lat = (lat2 - lat1) / 2.0;
        let half_lon = (other.longitude - self.longitude).to_radians() / 2.0;
        let chord = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_M * chord.sqrt().min(1.0).asin()
    }
}

/// One epoch of a receiver that has a fix: what all its sentences of one moment say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    /// UTC time of day. A leap second is 23:59:59 with more than a second of nanoseconds.
    pub time: NaiveTime,
    /// UTC date as the receiver gave it, or as carried on from its last one. Absent until it has given one.
    pub date: Option<NaiveDate>,
    /// Where.
    pub position: Position,
    /// Metres above mean sea level.
    pub altitude_m: Option<f64>,
    /// Speed over ground in knots.
    pub speed_kn: Option<f64>,
    /// Course over ground in degrees true; often absent at rest.
    pub course_deg: Option<f64>,
    /// Quality digit of GGA: 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 RTK float.
    pub quality: Option<u8>,
    /// Satellites used; older receivers count no further than 12.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// The kinds of sentences that gave this position.
    pub sources: Vec<Kind>,
    /// How far the positions of the epoch's sentences lie apart, in metres.
    pub spread_m: f64,
    /// Offset in the stream of the byte after the epoch's last position sentence.
    pub end: u64,
    /// When the epoch's first position sentence came, on the clock handed to the decoder.
    pub received_at: Duration,
}

impl Fix {
    /// Date and time, when the date is known.
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        Some(NaiveDateTime::new(self.date?, self.time).and_utc())
    }

    /// Speed over ground in km/h.
    pub fn speed_kmh(&self) -> Option<f64> {
        self.speed_kn.map(|speed| speed * KMH_PER_KNOT)
    }

    /// The kinds of sentences that gave the position, as `GGA+RMC`.
    pub fn source(&self) -> String {
        let names: Vec<&str> = self.sources.iter().map(|kind| kind.name()).collect();
        names.join("+")
    }
}
