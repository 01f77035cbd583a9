//! A driver together with its health.

use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use tokio::sync::watch;

use super::{Bme280, Chip, Environment, Error, Settings};
use crate::health::{Health, Monitor, State};

/// The environment sensor as the agent sees it: any bus behind it, real or simulated.
pub struct EnvironmentSensor {
    driver: Box<dyn Driver>,
    monitor: Monitor,
}

/// A [`Bme280`] whose bus is not named, so that real and simulated ones have the same type.
trait Driver: Send {
    fn measure(&mut self) -> Result<Environment, Error>;
    fn chip(&self) -> Option<Chip>;
    fn starts(&self) -> u64;
}

impl<B: I2c + Send, D: DelayNs + Send> Driver for Bme280<B, D> {
    fn measure(&mut self) -> Result<Environment, Error> {
        self.measure()
    }

    fn chip(&self) -> Option<Chip> {
        self.chip()
    }

    fn starts(&self) -> u64 {
        self.starts()
    }
}

impl EnvironmentSensor {
    /// A sensor on this bus. The bus is not touched before the first measurement.
    pub fn new<B, D>(bus: B, delay: D, settings: Settings) -> Self
    where
        B: I2c + Send + 'static,
        D: DelayNs + Send + 'static,
    {
        Self { driver: Box::new(Bme280::new(bus, delay, settings)), monitor: Monitor::new() }
    }

    /// The sensor's health, to be watched.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.monitor.watch()
    }

    /// Measures once and updates the health; `now` is the owner's monotonic clock. Blocks for about 50 ms,
    /// at most 0.5 s: on an async runtime call it where blocking is allowed.
    ///
    /// # Errors
    /// As [`Bme280::measure`]: nothing usable came; the next call starts the chip afresh.
    pub fn measure(&mut self, now: Duration) -> Result<Environment, Error> {
        let result = self.driver.measure();
        let starts = self.driver.starts();
        self.monitor.count(|counters| {
            *counters.starts = starts;
            match &result {
                Ok(environment) if environment.faults.is_empty() => *counters.readings += 1,
                _ => *counters.failures += 1,
            }
        });
        let (state, cause) = match &result {
            Err(error) => (State::Failed, Some(error.to_string())),
            Ok(environment) if environment.temperature_c.is_none() => {
                (State::Failed, Some(join(environment)))
            }
            Ok(environment) if !environment.faults.is_empty() => (State::Degraded, Some(join(environment))),
            Ok(_) if self.driver.chip() == Some(Chip::Bmp280) => {
                let text = "a BMP280 is fitted, not a BME280: temperature and pressure only, no humidity";
                (State::Degraded, Some(text.to_owned()))
            }
            Ok(_) => (State::Ok, None),
        };
        self.monitor.report(now, state, cause);
        result
    }
}

fn join(environment: &Environment) -> String {
    let faults: Vec<String> = environment.faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
