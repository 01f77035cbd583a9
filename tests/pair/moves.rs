//! What operators do to a device, one deed at a time, and exactly what comes of it.

use std::time::Duration;

use serde_json::json;
use tracker_emulator::FaultyService;
use tracker_emulator::{FaultKind, Hub};
use tracker_protocol::dps::{Outcome, RefusalKind, Substatus};

use super::cloud::{DEVICE, GROUP};
use super::network::Network;
use super::simulation::Pair;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A device that has been at its hub for an hour.
fn settled() -> Pair {
    let mut pair = Pair::new(1, Network::with_latency(SECOND / 4));
    pair.run_for(HOUR);
    pair.cloud.desire(json!({"telemetryInterval": 60}));
    pair.run_for(MINUTE);
    assert_eq!(pair.difference(), None);
    pair
}

fn home(pair: &Pair) -> Hub {
    pair.cloud.home().unwrap()
}

/// Another hub is to have all devices, and the old one takes this one no more.
fn move_on(pair: &Pair) {
    let dps = pair.cloud.services.dps();
    dps.add_hub("hub-2").unwrap();
    dps.unlink_hub("hub-1").unwrap();
    pair.cloud.turn_away(&home(pair));
}

#[test]
fn a_moved_device_finds_its_new_hub_with_one_question() {
    let mut pair = settled();
    move_on(&pair);
    let moved = pair.now;
    pair.run_while(MINUTE, |pair| home(pair).name() != "hub-2.azure-devices.net");
    // A wish while the device is on its way.
    pair.cloud.desire(json!({"firmware": "2.0"}));
    let back = pair.run_while(MINUTE, |pair| pair.difference().is_some());
    assert!(back - moved < 15 * SECOND, "{:?}", back - moved);
    let log = &pair.device.log;
    assert_eq!((log.dps_attempts.len(), log.hub_attempts.len()), (2, 3));
    let Some(Outcome::Assigned(assigned)) = log.outcomes.last() else { panic!("{:?}", log.outcomes) };
    assert_eq!(assigned.substatus, Some(Substatus::DeviceDataMigrated));
    assert_eq!(log.versions(), [1, 2, 3], "the twin has moved along");
}

#[test]
fn a_move_while_dps_is_throttled_waits_as_long_as_it_says() {
    let mut pair = settled();
    let throttled = FaultKind::DpsError { status: 429, retry_after: Some(5 * MINUTE) };
    pair.cloud.inject(FaultyService::Dps, throttled, 2);
    move_on(&pair);
    let moved = pair.now;
    pair.run_for(SECOND);
    let back = pair.run_while(HOUR, |pair| pair.difference().is_some());
    assert_eq!(pair.device.log.early, []);
    assert_eq!(pair.device.log.dps_attempts.len(), 1 + 3);
    // Twice five minutes, each longer by a quarter at the most.
    assert!((10 * MINUTE..13 * MINUTE).contains(&(back - moved)), "{:?}", back - moved);
}

#[test]
fn a_disabled_device_asks_rarely_and_comes_back_by_itself() {
    let mut pair = settled();
    pair.cloud.services.dps().groups().disable(GROUP).unwrap();
    home(&pair).disable(DEVICE).unwrap();
    pair.run_for(24 * HOUR);
    let log = &pair.device.log;
    let Some(Outcome::Refused(refusal)) = log.outcomes.last() else { panic!("{:?}", log.outcomes) };
    assert_eq!(refusal.kind, RefusalKind::Disabled);
    let asked = log.dps_attempts.len();
    assert!((24..=24 * 8).contains(&asked), "{asked} questions in a day");
    assert_eq!(log.hub_attempts.len(), 2, "it has no hub to try");

    pair.cloud.services.dps().groups().enable(GROUP).unwrap();
    home(&pair).enable(DEVICE).unwrap();
    pair.cloud.desire(json!({"telemetryInterval": 30}));
    pair.run_while(HOUR + MINUTE, |pair| pair.difference().is_some());
    assert_eq!(pair.device.log.dps_attempts.len(), asked + 1);
}

#[test]
fn a_device_without_power_for_a_day_costs_no_question() {
    let mut pair = settled();
    pair.reboot();
    pair.network.outages.push(pair.now..pair.now + 24 * HOUR);
    pair.network.tells_of_links = true;
    pair.run_for(12 * HOUR);
    pair.cloud.desire(json!({"telemetryInterval": 30}));
    pair.run_for(12 * HOUR);
    // The first moment after the outage.
    let up = pair.now;
    let back = pair.run_while(MINUTE, |pair| pair.difference().is_some());
    assert!(back - up < 10 * SECOND, "the kernel has told: {:?}", back - up);
    assert_eq!(pair.device.log.dps_attempts.len(), 1);
    assert_eq!(pair.device.log.versions(), [1, 2, 3]);
}
