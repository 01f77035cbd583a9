//! A whole container: voyage, chips, receiver and door switch on one clock, ready for the drivers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{
    Air, Bme280Chip, ChipDelay, Conditions, GpsReceiver, GpsReceiverSettings, ReedSwitch, SimulatedClock,
    Situation, Veml7700Chip, Voyage, published_calibration,
};
use crate::bme280::{EnvironmentSensor, Settings};
use crate::light::LightSensor;

/// Root-mean-square noise of one measurement without filter (datasheet tables 11 to 13).
const NOISE: Air = Air { temperature_c: 0.005, pressure_hpa: 0.033, humidity_rh: 0.07 };

/// A door is not moved again for so long in real time, however fast the simulated hours pass: twice what the driver
/// takes to be sure of it.
const REST: Duration = Duration::from_millis(110);

/// A simulated container with all its sensors. Clones share the container.
#[derive(Clone)]
pub struct SimulatedContainer {
    voyage: Arc<Voyage>,
    clock: SimulatedClock,
    chip: Bme280Chip,
    light_chip: Veml7700Chip,
    door: ReedSwitch,
    seed: u64,
}

impl SimulatedContainer {
    /// A container on this voyage. `clock` should start when the voyage does.
    pub fn new(voyage: Voyage, clock: SimulatedClock, seed: u64) -> Self {
        let voyage = Arc::new(voyage);
        let chip = Bme280Chip::new(0x76, published_calibration());
        let (felt, time) = (Arc::clone(&voyage), clock.clone());
        let random = Mutex::new(ChaCha8Rng::seed_from_u64(seed));
        chip.set_source(move || {
            let conditions = felt.at(time.hours());
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            let mut noisy = |value: f64, rms: f64| value + rms * gaussian(&mut random);
            Air {
                temperature_c: noisy(conditions.temperature_c, NOISE.temperature_c),
                pressure_hpa: noisy(conditions.pressure_hpa, NOISE.pressure_hpa),
                humidity_rh: noisy(conditions.humidity_rh, NOISE.humidity_rh),
            }
        });
        let light_chip = Veml7700Chip::new();
        let (seen, time) = (Arc::clone(&voyage), clock.clone());
        light_chip.set_source(move || seen.at(time.hours()).light_lx);
        let door = door_switch(&voyage, &clock);
        Self { voyage, clock, chip, light_chip, door, seed }
    }

    /// The emulated chip: a bus for a driver, and a handle to break things with.
    pub fn chip(&self) -> Bme280Chip {
        self.chip.clone()
    }

    /// Pauses for a driver on [`SimulatedContainer::chip`]; they pass at once.
    pub fn delay(&self) -> ChipDelay {
        self.chip.delay()
    }

    /// The BME280 driver on the emulated chip.
    pub fn environment_sensor(&self, settings: Settings) -> EnvironmentSensor {
        EnvironmentSensor::new(self.chip(), self.delay(), settings)
    }

    /// The emulated light chip: a bus for a driver, and a handle to break things with.
    pub fn light_chip(&self) -> Veml7700Chip {
        self.light_chip.clone()
    }

    /// The VEML7700 driver on the emulated light chip.
    pub fn light_sensor(&self) -> LightSensor {
        LightSensor::new(self.light_chip(), self.light_chip.delay())
    }

    /// The switch at the doors: a line for a driver, and a handle to break things with.
    pub fn door(&self) -> ReedSwitch {
        self.door.clone()
    }

    /// The emulated receiver with ordinary settings.
    pub fn gps_receiver(&self) -> GpsReceiver {
        self.gps_receiver_with(GpsReceiverSettings { seed: self.seed, ..GpsReceiverSettings::default() })
    }

    /// The emulated receiver with settings of your own.
    pub fn gps_receiver_with(&self, settings: GpsReceiverSettings) -> GpsReceiver {
        let (voyage, clock) = (Arc::clone(&self.voyage), self.clock.clone());
        let situation = move || {
            let hours = clock.hours();
            let Conditions { position, altitude_m, speed_kn, course_deg, gnss_visible, .. } =
                voyage.at(hours);
            Situation {
                utc: clock.at(hours),
                position,
                altitude_m,
                speed_kn,
                course_deg,
                sky_visible: gnss_visible,
            }
        };
        GpsReceiver::new(situation, settings)
    }

    /// The voyage.
    pub fn voyage(&self) -> &Voyage {
        &self.voyage
    }

    /// The clock that all parts share.
    pub fn clock(&self) -> SimulatedClock {
        self.clock.clone()
    }

    /// What is true now, for comparison with what the sensors say.
    pub fn conditions(&self) -> Conditions {
        self.voyage.at(self.clock.hours())
    }
}

/// A switch that turns when the voyage opens its doors and shuts them.
fn door_switch(voyage: &Voyage, clock: &SimulatedClock) -> ReedSwitch {
    let door = ReedSwitch::new(voyage.at(0.0).doors_open);
    let openings = voyage.openings().iter();
    let moves =
        openings.flat_map(|&(begin, end)| [(begin, true), (end, false)]).filter(|(hours, _)| *hours > 0.0);
    door.follow(clock, moves, REST);
    door
}

/// The sum of twelve even numbers is near enough to a normal distribution for sensor noise.
fn gaussian(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| random.random_range(-0.5..0.5)).sum()
}
