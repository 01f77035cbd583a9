//! The status file follows the agent: news stands in it long before its usual time.

#![cfg(feature = "lab")]

use std::sync::Arc;
use std::time::Duration;

use container_tracker::event::Events;
use container_tracker::event::recent::Recent;
use container_tracker::instruments::bme280::Bme280;
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::SystemClock;
use container_tracker::status::State;
use container_tracker::status::file::StatusFile;
use container_tracker::status::report::SensorState;
use container_tracker::supervision::{Readers, Supervision};
use container_tracker::tracker::Tracker;
use tokio::time::{sleep, timeout};
use tracker_sensors::bme280::{EnvironmentSensor, Settings};

use crate::support::agent::mild_chip;

#[tokio::test]
async fn the_first_delivery_is_in_the_status_file_before_it_is_due_again() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let config = cloud.device("box").unwrap();
    let state_directory = config.state.directory.clone();
    let clock = Arc::new(SystemClock::new(true));
    let recent = Recent::new(clock.clone());
    let file = StatusFile::new(&state_directory);
    let usual = file.every();
    let chip = mild_chip();
    let sensor = EnvironmentSensor::new(chip.clone(), chip.delay(), Settings::default());
    let tracker = Tracker {
        config,
        instruments: vec![Box::new(Bme280::new(sensor))],
        clock,
        events: recent.listen(Events::log("box")),
        first_wait: Duration::ZERO,
        timing: Timing::default(),
    };
    let supervision = Supervision {
        readers: Some(Readers { file, recent: recent.clone(), transport: None }),
        ..Supervision::default()
    };
    tokio::spawn(tracker.run_supervised(std::future::pending(), supervision));
    let followed = async {
        loop {
            let status = StatusFile::read(&state_directory).ok().flatten().unwrap_or_default();
            if status.last_delivered.is_some() {
                return status;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let status = timeout(usual / 2, followed).await.expect("it does not wait for its usual time");
    assert_eq!(status.device.state, Some(State::Online));
    assert_eq!(status.device.sensors["bme280"].state, SensorState::Ok);
    assert_eq!((status.interval_seconds, status.offline_cause), (Some(3600), None));
    let measurement = status.measurement.expect("it was measured before it was delivered");
    assert!(measurement.uptime <= status.written_at_uptime);
    assert!(measurement.fields["temperature"].is_number(), "{}", measurement.fields);
    assert_eq!(status.sky, None, "it has no receiver");
}
