//! The instruments that the configuration names.

use tokio::time::Instant;
use tracker_sensors::bme280::{Address, EnvironmentSensor, Settings};
use tracker_sensors::gps::{PlausibilitySettings, Receiver, ReceiverSettings, SerialSource};

use crate::config::{Bme280Config, GpsConfig};
use crate::platform::clock::build_date;

/// The environment sensor, unless it is switched off or there can be none.
pub(super) fn environment_sensor(config: &Bme280Config) -> Option<EnvironmentSensor> {
    if !config.enabled {
        return None;
    }
    let address = match config.address {
        Some(0x77) => Address::Secondary,
        Some(_) => Address::Primary,
        None => Address::Auto,
    };
    let settings = Settings { address, ..Settings::default() };
    #[cfg(target_os = "linux")]
    {
        use tracker_sensors::bme280::{LinuxDelay, LinuxI2c};
        Some(EnvironmentSensor::new(LinuxI2c::new(&config.bus), LinuxDelay, settings))
    }
    #[cfg(not(target_os = "linux"))]
    {
        tracing::warn!(
            "no I2C on this system, {settings:?} is of no use: temperature, pressure and humidity are absent"
        );
        None
    }
}

/// The GPS receiver, unless it is switched off.
pub(super) fn gps_receiver(config: &GpsConfig) -> Option<Receiver> {
    if !config.enabled {
        return None;
    }
    let plausibility = PlausibilitySettings { build_date: Some(build_date().date_naive()), time_scale: 1.0 };
    let settings = ReceiverSettings::new(plausibility, Instant::now());
    Some(Receiver::new(SerialSource::new(&config.port, config.baud), settings))
}
