//! A driver together with its health.

use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use tokio::sync::watch;

use super::{Cause, Error, Veml7700};
use crate::health::{Health, Monitor, State};

/// The light sensor as the agent sees it: any bus behind it, real or simulated.
pub struct LightSensor {
    driver: Box<dyn Driver>,
    monitor: Monitor,
}

/// A [`Veml7700`] whose bus is not named, so that real and simulated ones have the same type.
trait Driver: Send {
    fn measure(&mut self) -> Result<f64, Error>;
    fn starts(&self) -> u64;
}

impl<B: I2c + Send, D: DelayNs + Send> Driver for Veml7700<B, D> {
    fn measure(&mut self) -> Result<f64, Error> {
        self.measure()
    }

    fn starts(&self) -> u64 {
        self.starts()
    }
}

impl LightSensor {
    /// A sensor on this bus. The bus is not touched before the first measurement.
    pub fn new<B, D>(bus: B, delay: D) -> Self
    where
        B: I2c + Send + 'static,
        D: DelayNs + Send + 'static,
    {
        Self { driver: Box::new(Veml7700::new(bus, delay)), monitor: Monitor::new() }
    }

    /// The sensor's health, to be watched.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.monitor.watch()
    }

    /// Measures once, in lx, and updates the health; `now` is the owner's monotonic clock. Blocks for 0.2 s, at most
    /// 0.5 s: on an async runtime call it where blocking is allowed.
    ///
    /// # Errors
    /// As [`Veml7700::measure`]: nothing usable came; the next call starts the chip afresh.
    pub fn measure(&mut self, now: Duration) -> Result<f64, Error> {
        let result = self.driver.measure();
        let starts = self.driver.starts();
        self.monitor.count(|counters| {
            *counters.starts = starts;
            match &result {
                Ok(_) => *counters.readings += 1,
                Err(_) => *counters.failures += 1,
            }
        });
        let (state, cause) = match &result {
            Ok(_) => (State::Ok, None),
            // The chip is well, and there is no fault to be mended.
            Err(error) if error.cause == Cause::TooBright => (State::Degraded, Some(error.to_string())),
            Err(error) => (State::Failed, Some(error.to_string())),
        };
        self.monitor.report(now, state, cause);
        result
    }
}
