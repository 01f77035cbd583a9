//! `[sensors]`: what is measured, and where the instruments are.

use std::path::PathBuf;

use serde::Deserialize;

/// `[sensors]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensorsConfig {
    /// Temperature, pressure, humidity.
    pub bme280: Bme280Config,
    /// Position.
    pub gps: GpsConfig,
}

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
}

/// `[sensors.gps]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GpsConfig {
    /// Off: the container has no receiver.
    pub enabled: bool,
    /// The serial port.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
}

impl Default for Bme280Config {
    fn default() -> Self {
        Self { enabled: true, bus: "/dev/i2c-1".into(), address: None }
    }
}

impl Default for GpsConfig {
    fn default() -> Self {
        Self { enabled: true, port: "/dev/serial0".into(), baud: 9600 }
    }
}
