//! A sensor that is asked over a bus, before and after its thread has started, and what it measured last.

use std::io;

use tokio::sync::watch;
use tokio::time::Instant;
use tracker_sensors::health::Health;

use super::health::SensorHealth;
use super::instrument::{Measuring, Start};
use super::sampler::{Sampler, Sensor};

/// A sensor, in a thread of its own once it has started.
pub(super) struct Sampled<S: Sensor> {
    health: watch::Receiver<Health>,
    sensor: Option<S>,
    sampler: Option<Sampler<S>>,
    measured: Option<S::Measurement>,
}

impl<S: Sensor> Sampled<S> {
    /// A sensor that has not started.
    pub(super) fn new(sensor: S) -> Self {
        Self { health: sensor.health(), sensor: Some(sensor), sampler: None, measured: None }
    }

    /// Gives it its thread.
    pub(super) fn start(&mut self, start: &Start<'_>) -> io::Result<()> {
        if let Some(sensor) = self.sensor.take() {
            self.sampler = Some(Sampler::new(sensor, start.clock.clone())?);
        }
        Ok(())
    }

    /// How it is.
    pub(super) fn health(&self) -> SensorHealth {
        match &self.sampler {
            Some(sampler) => sampler.health(),
            None => SensorHealth::of(self.health.clone()),
        }
    }

    /// Measures at `due`, for [`Sampled::take`].
    pub(super) fn measure(&mut self, due: Instant) -> Option<Measuring<'_>> {
        let Self { sampler, measured, .. } = self;
        let sampler = sampler.as_ref()?;
        Some(Box::pin(async move { *measured = sampler.measure(due).await }))
    }

    /// What it measured, once.
    pub(super) fn take(&mut self) -> Option<S::Measurement> {
        self.measured.take()
    }
}
