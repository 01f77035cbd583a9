//! The BME280 or BMP280: temperature, humidity, pressure.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tracker_sensors::bme280::{Address, Environment, EnvironmentSensor, Settings};
use tracker_sensors::health::Health;

use super::calibration::Calibration;
use super::fields::Fields;
use super::health::SensorHealth;
use super::instrument::{Instrument, Measuring, Start};
use super::sampled::Sampled;
use super::sampler::Sensor;
#[cfg(feature = "lab")]
use super::simulation::Simulation;

/// `[sensors.bme280]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bme280Config {
    /// Off: the container has no such sensor.
    pub enabled: bool,
    /// The I2C bus.
    pub bus: PathBuf,
    /// 0x76 or 0x77; without it both are tried.
    pub address: Option<u8>,
    /// What a laboratory has found.
    pub calibration: Calibration,
}

impl Default for Bme280Config {
    fn default() -> Self {
        let calibration = Calibration::default();
        Self { enabled: true, bus: "/dev/i2c-1".into(), address: None, calibration }
    }
}

impl Bme280Config {
    /// The key that is wrong, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if let Some(wrong) = self.address.filter(|_| self.chosen().is_none()) {
            let why = format!("a BME280 answers at 0x76 or 0x77, not at {wrong:#04x}");
            return Some(("sensors.bme280.address", why));
        }
        self.calibration.problem()
    }

    /// The address to ask at; `None` where no BME280 answers there.
    fn chosen(&self) -> Option<Address> {
        match self.address {
            None => Some(Address::Auto),
            Some(0x76) => Some(Address::Primary),
            Some(0x77) => Some(Address::Secondary),
            Some(_) => None,
        }
    }

    /// The sensor; `None` where it is switched off, or the system has no I2C.
    pub fn sensor(&self) -> Option<EnvironmentSensor> {
        if !self.enabled {
            return None;
        }
        let settings = Settings { address: self.chosen()?, ..Settings::default() };
        #[cfg(target_os = "linux")]
        {
            use tracker_sensors::bme280::{LinuxDelay, LinuxI2c};
            Some(EnvironmentSensor::new(LinuxI2c::new(&self.bus), LinuxDelay, settings))
        }
        #[cfg(not(target_os = "linux"))]
        {
            tracing::warn!(
                "no I2C on this system, {settings:?} is of no use: temperature, pressure and humidity are absent"
            );
            None
        }
    }
}

/// The chip, in a thread of its own once it has started.
pub struct Bme280 {
    sampled: Sampled<EnvironmentSensor>,
    calibration: Calibration,
}

impl Bme280 {
    /// This sensor.
    pub fn new(sensor: EnvironmentSensor) -> Self {
        Self { sampled: Sampled::new(sensor), calibration: Calibration::default() }
    }

    /// The one of the configuration.
    pub fn configured(config: &Bme280Config) -> Option<Box<dyn Instrument>> {
        let calibration = config.calibration.clone();
        Some(Box::new(Self { calibration, ..Self::new(config.sensor()?) }))
    }

    /// The one of a simulated container.
    #[cfg(feature = "lab")]
    pub fn simulated(simulation: &Simulation) -> Box<dyn Instrument> {
        Box::new(Self::new(simulation.container.environment_sensor(Settings::default())))
    }
}

impl Instrument for Bme280 {
    fn name(&self) -> &'static str {
        "bme280"
    }

    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()> {
        self.sampled.start(start)
    }

    fn health(&self) -> SensorHealth {
        self.sampled.health()
    }

    fn measure(&mut self, due: Instant) -> Option<Measuring<'_>> {
        self.sampled.measure(due)
    }

    fn read(&mut self, fields: &mut Fields) {
        if let Some(environment) = self.sampled.take() {
            tell(&corrected(environment, &self.calibration), fields);
        }
    }
}

/// As it would be without what the sensor is off by.
fn corrected(environment: Environment, calibration: &Calibration) -> Environment {
    let Calibration { temperature_offset, humidity_offset, pressure_offset, .. } = calibration;
    Environment {
        temperature_c: environment.temperature_c.map(|value| value + temperature_offset),
        humidity_rh: environment.humidity_rh.map(|value| (value + humidity_offset).clamp(0.0, 100.0)),
        pressure_hpa: environment.pressure_hpa.map(|value| value + pressure_offset),
        ..environment
    }
}

/// Sets the fields of a measurement.
pub fn tell(environment: &Environment, fields: &mut Fields) {
    fields.number("temperature", environment.temperature_c, 2);
    fields.number("humidity", environment.humidity_rh, 2);
    fields.number("pressure", environment.pressure_hpa, 2);
}

impl Sensor for EnvironmentSensor {
    type Measurement = Environment;

    fn measure(&mut self, now: Duration) -> Option<Environment> {
        Self::measure(self, now).ok()
    }

    fn health(&self) -> watch::Receiver<Health> {
        Self::health(self)
    }
}
