//! A reefer on its way from Rotterdam to Felixstowe: what chip and receiver feel, as the story goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tracker_sensors::bme280::{EnvironmentSensor, Settings};
use tracker_sensors::gps::Position;
use tracker_sensors::simulated::{
    Air, Bme280Chip, GpsReceiver, GpsReceiverSettings, SimulatedClock, Situation, published_calibration,
};

use crate::instruments::bme280::Bme280;
use crate::instruments::gps::Gps;
use crate::instruments::instrument::Instrument;

/// Where it comes from and goes to.
pub(super) const FROM: &str = "Rotterdam Maasvlakte";
pub(super) const TO: &str = "Felixstowe";
const QUAY: (f64, f64) = (51.95, 4.02);
const BERTH: (f64, f64) = (51.955, 1.30);
/// 15 knots, and the way in a straight line.
const SPEED_KMH: f64 = 28.0;
pub(super) const WAY_KM: f64 = 186.4;

/// °C, of the air around the cheese while there is power.
const SET_C: f64 = 4.8;
/// Without power the walls let in so much an hour, at the most.
const WARMING_C_PER_H: f64 = 2.0;
/// With power again the air is cold again in so many hours, but for a third.
const COOLING_H: f64 = 0.5;

/// A handle on it. Clones are the same container.
#[derive(Clone)]
pub(super) struct Reefer {
    clock: SimulatedClock,
    plot: Arc<Mutex<Plot>>,
}

/// What has happened so far, in hours of the voyage.
#[derive(Debug, Default)]
struct Plot {
    sailed: Option<f64>,
    power_failed: Option<f64>,
    /// When power came back, and how warm it was then.
    power_back: Option<(f64, f64)>,
}

impl Reefer {
    /// At the quay, with power.
    pub(super) fn new(clock: SimulatedClock) -> Self {
        Self { clock, plot: Arc::default() }
    }

    /// The tracker's instruments, on chip and receiver.
    pub(super) fn instruments(&self) -> Vec<Box<dyn Instrument>> {
        let chip = Bme280Chip::new(0x76, published_calibration());
        let felt = self.clone();
        chip.set_source(move || felt.air());
        let sensor = EnvironmentSensor::new(chip.clone(), chip.delay(), Settings::default());
        let seen = self.clone();
        let settings = GpsReceiverSettings { cold_start_epochs: 0, ..GpsReceiverSettings::default() };
        let receiver = GpsReceiver::new(move || seen.situation(), settings);
        vec![Box::new(Bme280::new(sensor)), Box::new(Gps::emulated(receiver, &self.clock))]
    }

    /// The ship leaves.
    pub(super) fn sail(&self) {
        self.plot().sailed = Some(self.clock.hours());
    }

    /// The plug is pulled.
    pub(super) fn fail_power(&self) {
        self.plot().power_failed = Some(self.clock.hours());
    }

    /// Somebody has put it in again.
    pub(super) fn restore_power(&self) {
        let hours = self.clock.hours();
        let mut plot = self.plot();
        plot.power_back = Some((hours, plot.temperature(hours)));
    }

    fn air(&self) -> Air {
        let hours = self.clock.hours();
        Air { temperature_c: self.plot().temperature(hours), pressure_hpa: 1013.0, humidity_rh: 84.0 }
    }

    fn situation(&self) -> Situation {
        let hours = self.clock.hours();
        let gone_km = self.plot().sailed.map_or(0.0, |sailed| (hours - sailed) * SPEED_KMH);
        let share = (gone_km / WAY_KM).clamp(0.0, 1.0);
        let between = |from: f64, to: f64| from + (to - from) * share;
        let is_sailing = share > 0.0 && share < 1.0;
        Situation {
            utc: self.clock.at(hours),
            position: Position { latitude: between(QUAY.0, BERTH.0), longitude: between(QUAY.1, BERTH.1) },
            altitude_m: 25.0,
            speed_kn: if is_sailing { SPEED_KMH / 1.852 } else { 0.0 },
            course_deg: is_sailing.then_some(270.0),
            sky_visible: true,
        }
    }

    fn plot(&self) -> MutexGuard<'_, Plot> {
        self.plot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plot {
    /// °C, so many hours after the beginning.
    fn temperature(&self, hours: f64) -> f64 {
        // The compressor goes on and off.
        let regulated = SET_C + 0.2 * (hours * 7.0).sin();
        match (self.power_failed, self.power_back) {
            (_, Some((since, from))) => regulated + (from - SET_C) * (-(hours - since) / COOLING_H).exp(),
            (Some(since), None) => regulated + (hours - since) * WARMING_C_PER_H,
            (None, None) => regulated,
        }
    }
}

/// The desired property `geofences`: both ports.
pub(super) fn fences() -> Value {
    let fence = |name: &str, (latitude, longitude): (f64, f64)| {
        json!({
            "type": "Feature",
            "properties": {"name": name, "radius": 4000},
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        })
    };
    json!([fence(FROM, QUAY), fence(TO, BERTH)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warms_without_power_and_is_cold_again_an_hour_after_it_is_back() {
        let mut plot = Plot::default();
        assert!((plot.temperature(1.0) - SET_C).abs() < 0.3);
        plot.power_failed = Some(1.0);
        assert!(plot.temperature(2.5) > 7.0);
        let warmest = plot.temperature(4.0);
        assert!(warmest > 10.0);
        plot.power_back = Some((4.0, warmest));
        assert!(plot.temperature(4.1) > 7.0 && plot.temperature(5.5) < 6.0);
    }

    #[test]
    fn the_way_is_as_long_as_it_says() {
        let at = |(latitude, longitude): (f64, f64)| Position { latitude, longitude };
        let km = at(QUAY).distance_m(&at(BERTH)) / 1000.0;
        assert!((km - WAY_KM).abs() < 0.5, "{km}");
    }
}
