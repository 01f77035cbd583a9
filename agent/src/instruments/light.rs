//! The light sensor, a VEML7700: how bright it is, dark behind closed doors.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tracker_sensors::health::Health;
use tracker_sensors::light::LightSensor;

use super::fields::Fields;
use super::health::SensorHealth;
use super::instrument::{Examined, Instrument, Measuring, Start};
use super::sampled::Sampled;
use super::sampler::Sensor;
#[cfg(feature = "lab")]
use super::simulation::Simulation;

/// What `check` says of it.
pub const EXAMINED: Examined =
    Examined { name: "light", holds: "a VEML7700 answers on the I2C bus and measures" };

/// `[sensors.light]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LightConfig {
    /// On: the container has such a sensor.
    pub enabled: bool,
    /// The I2C bus.
    pub bus: PathBuf,
}

impl Default for LightConfig {
    fn default() -> Self {
        Self { enabled: false, bus: "/dev/i2c-1".into() }
    }
}

/// The chip, in a thread of its own once it has started.
pub struct Light(Sampled<LightSensor>);

impl Light {
    /// This sensor.
    pub fn new(sensor: LightSensor) -> Self {
        Self(Sampled::new(sensor))
    }

    /// The one of the configuration; `None` where it is switched off, or the system has no I2C.
    pub fn configured(config: &LightConfig) -> Option<Box<dyn Instrument>> {
        if !config.enabled {
            return None;
        }
        #[cfg(target_os = "linux")]
        {
            use tracker_sensors::i2c::{LinuxDelay, LinuxI2c};
            Some(Box::new(Self::new(LightSensor::new(LinuxI2c::new(&config.bus), LinuxDelay))))
        }
        #[cfg(not(target_os = "linux"))]
        {
            tracing::warn!("no I2C on this system, sensors.light is of no use: the light is absent");
            None
        }
    }

    /// The one of a simulated container.
    #[cfg(feature = "lab")]
    pub fn simulated(simulation: &Simulation) -> Box<dyn Instrument> {
        Box::new(Self::new(simulation.container.light_sensor()))
    }
}

impl Instrument for Light {
    fn name(&self) -> &'static str {
        EXAMINED.name
    }

    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()> {
        self.0.start(start)
    }

    fn health(&self) -> SensorHealth {
        self.0.health()
    }

    fn measure(&mut self, due: Instant) -> Option<Measuring<'_>> {
        self.0.measure(due)
    }

    fn read(&mut self, fields: &mut Fields) {
        fields.number("light", self.0.take(), 2);
    }
}

impl Sensor for LightSensor {
    type Measurement = f64;

    fn measure(&mut self, now: Duration) -> Option<f64> {
        Self::measure(self, now).ok()
    }

    fn health(&self) -> watch::Receiver<Health> {
        Self::health(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use tokio::task::JoinSet;
    use tracker_sensors::health::State;
    use tracker_sensors::simulated::{ChipFault, Veml7700Chip};

    use super::*;
    use crate::platform::clock::SystemClock;
    use crate::platform::heartbeat::Vitals;

    #[tokio::test]
    async fn a_chip_that_is_unplugged_is_absent_and_comes_back() {
        let chip = Veml7700Chip::new();
        chip.set_light(100.0);
        let mut light = Light::new(LightSensor::new(chip.clone(), chip.delay()));
        let (vitals, mut tasks) = (Vitals::default(), JoinSet::new());
        let clock = Arc::new(SystemClock::new(true));
        light.start(&mut Start { clock, vitals: &vitals, tasks: &mut tasks }).unwrap();
        let mut read = async || {
            light.measure(Instant::now()).unwrap().await;
            let mut fields = Fields::default();
            light.read(&mut fields);
            (serde_json::from_str::<Value>(&fields.into_json()).unwrap(), light.health().current().state)
        };
        let (fields, state) = read().await;
        let lux = fields["light"].as_f64().unwrap();
        assert!((99.0..=101.0).contains(&lux) && state == State::Ok, "{fields}");
        chip.set_fault(Some(ChipFault::NoAcknowledge));
        assert_eq!(read().await, (json!({}), State::Failed));
        chip.set_fault(None);
        assert_eq!(read().await.1, State::Ok);
    }
}
