//! `container-tracker run`: the device service.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;
use tracker_sensors::bme280::{Address, EnvironmentSensor, Settings};
use tracker_sensors::gps::{PlausibilitySettings, Receiver, ReceiverSettings, SerialSource};

use crate::assignment::AssignmentFile;
use crate::clock::{Clock, SystemClock, build_date};
use crate::config::{Bme280Config, Config, GpsConfig};
use crate::event::Events;
use crate::identity::Identity;
use crate::timing::Timing;
use crate::tls;
use crate::tracker::Tracker;

/// A fleet that is powered at the same moment is spread over this time.
const FIRST_WAIT: Duration = Duration::from_secs(5);

pub(super) fn run(path: &Path, level: tracing::Level) -> anyhow::Result<()> {
    super::start_log(level);
    let config = Config::load(path)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(config.clock.trust_system));
    let device = check_identity(&config, &*clock)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    runtime.block_on(async {
        let environment = environment_sensor(&config.sensors.bme280);
        let gps = gps_receiver(&config.sensors.gps);
        let events = Events::log(device);
        let timing = Timing::default();
        let tracker = Tracker { config, environment, gps, clock, events, first_wait: FIRST_WAIT, timing };
        tracker.run(super::asked_to_stop()).await.map(|_| ())
    })
}

/// A tracker that has never been online is told about a bad identity at once, by ending: somebody is installing it.
/// One that has an assignment goes on measuring whatever happens to its certificate, and looks at the file again and
/// again: nobody is there.
fn check_identity(config: &Config, clock: &dyn Clock) -> anyhow::Result<String> {
    let installed = AssignmentFile::new(&config.state.directory).read().ok().flatten();
    let identity = Identity::load(&config.identity);
    match (identity, installed) {
        (Ok(identity), installed) => {
            if installed.is_none() {
                tls::roots(config.connection.roots.as_deref())?;
                if let Some(now) = clock.utc() {
                    identity.validity(now)?;
                }
            }
            Ok(identity.registration_id.to_string())
        }
        (Err(_), Some(assignment)) => Ok(assignment.device_id),
        (Err(error), None) => Err(error.into()),
    }
}

fn environment_sensor(config: &Bme280Config) -> Option<EnvironmentSensor> {
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

fn gps_receiver(config: &GpsConfig) -> Option<Receiver> {
    if !config.enabled {
        return None;
    }
    let plausibility = PlausibilitySettings { build_date: Some(build_date().date_naive()), time_scale: 1.0 };
    let settings = ReceiverSettings::new(plausibility, Instant::now());
    Some(Receiver::new(SerialSource::new(&config.port, config.baud), settings))
}
