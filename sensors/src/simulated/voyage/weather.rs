//! Weather outside the container: what is usual for place, season and hour, and its changes from day to day.
//!
//! A model for plausible numbers, not a climatology: sea-level means by latitude, larger swings over land
//! than over sea, 6.5 °C less for each kilometre of height, the standard atmosphere for pressure.

use std::f64::consts::{PI, TAU};

use chrono::{DateTime, Datelike, Timelike, Utc};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::track::Point;

/// The weather of one voyage.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    /// Departures from the usual, each within about -1..1.
    warmth: SmoothNoise,
    depression: SmoothNoise,
    moisture: SmoothNoise,
    clouds: SmoothNoise,
}

/// The air outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside {
    pub(super) temperature_c: f64,
    pub(super) dew_point_c: f64,
    pub(super) pressure_hpa: f64,
    /// Warmth of the sun on a roof: 0 at night, 1 under a clear sky with the sun overhead.
    pub(super) sun: f64,
    /// 0 clear to 1 overcast.
    pub(super) clouds: f64,
}

impl Outside {
    /// Illuminance on the ground in lx: 110 000 under a clear sky with the sun overhead, by night that of the lamps where
    /// containers are handled.
    pub(super) fn light_lx(&self) -> f64 {
        let (noon, lamps) = (110_000.0, 100.0);
        lamps + noon * self.sun
    }
}

impl Weather {
    pub(super) fn new(seed: u64, length_h: f64) -> Self {
        let noise = |stream: u64, period_h: f64| {
            SmoothNoise::new(seed.wrapping_mul(31).wrapping_add(stream), period_h, length_h)
        };
        Self {
            warmth: noise(1, 40.0),
            depression: noise(2, 30.0),
            moisture: noise(3, 24.0),
            clouds: noise(4, 9.0),
        }
    }

    pub(super) fn at(&self, hours: f64, utc: DateTime<Utc>, place: &Point, afloat: bool) -> Outside {
        let latitude = place.latitude;
        let year = f64::from(utc.ordinal0()) / 365.25;
        let utc_hour = f64::from(utc.num_seconds_from_midnight()) / 3600.0;
        let local_hour = (utc_hour + place.longitude / 15.0).rem_euclid(24.0);
        let clouds = (0.5 + 0.6 * self.clouds.at(hours)).clamp(0.0, 1.0);
        let temperature_c = self.temperature(hours, latitude, year, local_hour, clouds, afloat)
            - 0.0065 * place.altitude_m.max(0.0);
        // Dry air under clear skies, damp air at sea.
        let spread = if afloat { 3.5 } else { 7.0 } * (1.0 - 0.6 * self.moisture.at(hours));
        let mean_c = temperature_c - daily_swing(clouds, afloat) * daily_curve(local_hour);
        Outside {
            temperature_c,
            dew_point_c: (mean_c - spread).min(temperature_c - 0.3),
            pressure_hpa: self.pressure(hours, latitude, local_hour, place.altitude_m),
            sun: sun_height(latitude, year, local_hour) * (1.0 - 0.75 * clouds),
            clouds,
        }
    }

    fn temperature(&self, hours: f64, latitude: f64, year: f64, hour: f64, clouds: f64, afloat: bool) -> f64 {
        let mean = 27.5 - 0.0068 * latitude * latitude;
        // The sea follows the sun later and less than the land.
        let (swing, warmest) =
            if afloat { (0.10 * latitude.abs(), 0.63) } else { (0.24 * latitude.abs(), 0.55) };
        let season = swing * (TAU * (year - warmest)).cos() * latitude.signum();
        let weather = if afloat { 2.0 } else { 4.0 } * self.warmth.at(hours);
        mean + season + weather + daily_swing(clouds, afloat) * daily_curve(hour)
    }

    fn pressure(&self, hours: f64, latitude: f64, local_hour: f64, altitude_m: f64) -> f64 {
        let weather = (3.0 + 0.28 * latitude.abs().min(60.0)) * self.depression.at(hours);
        // The atmosphere's own tide, highest about 10 and 22 o'clock.
        let tide = 1.4 * latitude.to_radians().cos().powi(3) * (2.0 * TAU * (local_hour - 10.0) / 24.0).cos();
        let sea_level = 1013.0 + weather + tide;
        sea_level * (1.0 - altitude_m / 44330.8).max(0.0).powf(1.0 / 0.190_263)
    }
}

/// Half the difference between day and night.
fn daily_swing(clouds: f64, afloat: bool) -> f64 {
    if afloat { 0.8 } else { 7.0 - 4.0 * clouds }
}

/// -1 before sunrise to 1 in mid-afternoon.
fn daily_curve(local_hour: f64) -> f64 {
    (TAU * (local_hour - 15.0) / 24.0).cos()
}

/// Sine of the sun's height, 0 below the horizon.
fn sun_height(latitude: f64, year: f64, local_hour: f64) -> f64 {
    let declination = -23.44f64.to_radians() * (TAU * (year + 10.0 / 365.25)).cos();
    let latitude = latitude.to_radians();
    let hour_angle = PI * (local_hour - 12.0) / 12.0;
    let sine = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour_angle.cos();
    sine.max(0.0)
}

/// Pressure of saturated vapour over water in hPa (Magnus formula; the sensor too reports relative to water
/// below 0 °C).
pub(super) fn saturation_hpa(temperature_c: f64) -> f64 {
    6.112 * (17.62 * temperature_c / (243.12 + temperature_c)).exp()
}

/// Random values a period apart with a smooth curve through them.
#[derive(Debug, Clone)]
struct SmoothNoise {
    period_h: f64,
    values: Vec<f64>,
}

impl SmoothNoise {
    fn new(seed: u64, period_h: f64, length_h: f64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let count = (length_h / period_h).ceil() as usize + 4;
        Self { period_h, values: (0..count).map(|_| random.random_range(-1.0..=1.0)).collect() }
    }

    fn at(&self, hours: f64) -> f64 {
        let place = (hours / self.period_h).max(0.0);
        let index = place as usize;
        let share = place.fract();
        let value = |index: usize| self.values[index % self.values.len()];
        let smooth = share * share * (3.0 - 2.0 * share);
        value(index) + (value(index + 1) - value(index)) * smooth
    }
}
