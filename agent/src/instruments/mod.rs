//! What a tracker measures with: one file an instrument, one trait for all, and the list that everybody walks.
//!
//! ```text
//!  config [sensors.*] ─▶ configured ─▶ Instrument ── start: its thread or tasks
//!                                          │
//!     recorder ── measure, look ───────────┤──▶ read: fields of a reading
//!     status, log, reported, check ────────┴──▶ health
//! ```
//!
//! An instrument knows its sensor, its table in the configuration and its fields in telemetry. It knows no journal and no
//! network, and what it can't measure truly it leaves out.

pub mod fields;
pub mod health;
pub mod instrument;
pub mod sampler;
mod sampled;
#[cfg(feature = "lab")]
pub mod simulation;

pub mod bme280;
pub mod calibration;
pub mod door;
pub mod gps;
pub mod light;

use std::path::PathBuf;

use serde::Deserialize;
use tracker_sensors::gps::Known;

use bme280::{Bme280, Bme280Config};
use door::{Door, DoorConfig};
use gps::{Gps, GpsConfig};
use instrument::{Examined, Instrument};
use light::{Light, LightConfig};
#[cfg(feature = "lab")]
use simulation::{Paused, Simulation};

/// `[sensors]`: a table for each instrument.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensorsConfig {
    /// Temperature, pressure, humidity.
    pub bme280: Bme280Config,
    /// Position.
    pub gps: GpsConfig,
    /// Whether the door is open.
    pub door: DoorConfig,
    /// How bright it is.
    pub light: LightConfig,
}

impl SensorsConfig {
    /// The first key that is wrong, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        self.bme280.problem().or_else(|| self.gps.problem()).or_else(|| self.door.problem())
    }

    /// Where each of them is.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.bme280.bus, &mut self.gps.port, &mut self.door.chip, &mut self.light.bus].into_iter()
    }
}

/// Names of all instruments.
pub const NAMES: [&str; 4] = ["bme280", "gps", "door", "light"];

/// Fields of telemetry that are numbers.
pub const NUMBERS: [&str; 9] =
    ["temperature", "humidity", "pressure", "speed", "course", "satellites", "hdop", "doorOpenings", "light"];

/// Fields of telemetry that are summarised where not every measurement is reported, each with the fields that have minimum, maximum
/// and mean.
pub const SUMMARISED: [[&str; 4]; 4] = [
    ["temperature", "temperatureMin", "temperatureMax", "temperatureMean"],
    ["humidity", "humidityMin", "humidityMax", "humidityMean"],
    ["pressure", "pressureMin", "pressureMax", "pressureMean"],
    ["light", "lightMin", "lightMax", "lightMean"],
];

/// Instruments without a check of their own.
pub const EXAMINED: [&Examined; 2] = [&door::EXAMINED, &light::EXAMINED];

/// The instruments that a configuration switches on; a receiver's date is judged by what is `known` of it.
pub fn configured(config: &SensorsConfig, known: &Known) -> Vec<Box<dyn Instrument>> {
    [
        Bme280::configured(&config.bme280),
        Gps::configured(&config.gps, known),
        Door::configured(&config.door),
        Light::configured(&config.light),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All instruments, on the buses of a simulated container.
#[cfg(feature = "lab")]
pub fn simulated(simulation: &Simulation) -> anyhow::Result<Vec<Box<dyn Instrument>>> {
    Ok(vec![
        Box::new(Paused { instrument: Bme280::simulated(simulation), clock: simulation.clock.clone() }),
        Gps::simulated(simulation)?,
        Door::simulated(simulation),
        Light::simulated(simulation),
    ])
}
