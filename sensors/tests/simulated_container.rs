//! The drivers on a whole simulated container say what is true of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use tokio::time::{Instant, sleep, timeout};
use tracker_sensors::bme280::Settings;
use tracker_sensors::door::{ContactSettings, Door, DoorContact};
use tracker_sensors::gps::{EPOCH_PAUSE, PlausibilitySettings, Receiver, ReceiverSettings};
use tracker_sensors::health::State;
use tracker_sensors::simulated::{ChipFault, SimulatedClock, SimulatedContainer, Stowage, Voyage};

fn container(name: &str, hours_per_second: f64, seed: u64) -> SimulatedContainer {
    let start: DateTime<Utc> = "2026-07-01T06:00:00Z".parse().unwrap();
    let voyage = Voyage::named(name, start, seed).unwrap().with_stowage(Stowage::TopOfDeck);
    SimulatedContainer::new(voyage, SimulatedClock::new(start, hours_per_second), seed)
}

fn receiver(container: &SimulatedContainer) -> Receiver {
    let plausibility = PlausibilitySettings {
        build_date: NaiveDate::from_ymd_opt(2026, 1, 1),
        time_scale: container.clock().time_scale(),
    };
    Receiver::new(container.gps_receiver(), ReceiverSettings::new(plausibility, Instant::now()))
}

#[tokio::test(start_paused = true)]
async fn both_sensors_follow_the_voyage_at_every_speed() {
    for hours_per_second in [SimulatedClock::REAL_TIME, 0.1, 1.0, 6.0] {
        let container = container("woerden-tokyo-gouda-cape", hours_per_second, 11);
        let started = Instant::now();
        let receiver = receiver(&container);
        let (mut gps, gps_health) = (receiver.state(), receiver.health());
        let task = tokio::spawn(receiver.run());
        let mut sensor = container.environment_sensor(Settings::default());
        timeout(Duration::from_secs(20), gps.wait_for(|state| state.time.is_some()))
            .await
            .expect("a cold start takes seconds")
            .unwrap();
        for _ in 0..50 {
            sleep(Duration::from_secs(1)).await;
            let truth = container.conditions();
            let environment = sensor.measure(started.elapsed()).expect("the chip is well");
            let near = |measured: Option<f64>, true_value: f64, tolerance: f64| {
                let measured = measured.expect("nothing is missing");
                assert!((measured - true_value).abs() < tolerance, "{measured} for {true_value}: {truth:?}");
            };
            near(environment.temperature_c, truth.temperature_c, 0.1);
            near(environment.pressure_hpa, truth.pressure_hpa, 0.5);
            near(environment.humidity_rh, truth.humidity_rh, 1.0);

            let fix = gps.borrow().fix.clone().expect("the container stands on top of the deck");
            let utc = fix.utc().unwrap();
            let age_h = (container.clock().utc() - utc).as_seconds_f64() / 3600.0;
            let oldest_s = 1.0 + EPOCH_PAUSE.as_secs_f64() + 0.1;
            assert!(
                (-0.001..=oldest_s * hours_per_second + 0.001).contains(&age_h),
                "{age_h} h at {hours_per_second}"
            );
            let hours = (utc - container.clock().start()).as_seconds_f64() / 3600.0;
            let then = container.voyage().at(hours);
            assert!(fix.position.distance_m(&then.position) < 30.0, "{fix:?} for {then:?}");
            near(fix.altitude_m, then.altitude_m, 5.0);
            near(fix.speed_kn, then.speed_kn, 0.2);
        }
        assert_eq!(gps_health.borrow().state, State::Ok, "{gps_health:?}");
        assert_eq!(sensor.health().borrow().state, State::Ok);
        task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn one_sensor_fails_without_the_other() {
    let container = container("teawamutu-shanghai-cheddar", 0.1, 2);
    let mut sensor = container.environment_sensor(Settings::default());
    let receiver = receiver(&container);
    let mut gps = receiver.state();
    tokio::spawn(receiver.run());
    sensor.measure(Duration::ZERO).unwrap();
    container.chip().set_fault(Some(ChipFault::NoAcknowledge));
    gps.wait_for(|state| state.fix.is_some()).await.unwrap();
    sensor.measure(Duration::from_secs(5)).unwrap_err();
    assert_eq!(sensor.health().borrow().state, State::Failed);
    container.chip().set_fault(None);
    sensor.measure(Duration::from_secs(6)).unwrap();
    assert_eq!(sensor.health().borrow().state, State::Ok);
}

#[tokio::test(start_paused = true)]
async fn the_chip_at_rest_is_not_called_stuck() {
    let container = container("ahmedabad-daventry-garments", SimulatedClock::REAL_TIME, 3);
    let mut sensor = container.environment_sensor(Settings::default());
    for second in 0..200 {
        sensor.measure(Duration::from_secs(second)).unwrap();
    }
    assert_eq!(sensor.health().borrow().state, State::Ok);
}

#[tokio::test(start_paused = true)]
async fn door_and_light_follow_the_voyage_at_every_speed() {
    for (name, hours_per_second) in [
        ("woerden-tokyo-gouda-cape", 1.0),
        ("laoroya-ningbo-zinc", 6.0),
        ("teawamutu-shanghai-cheddar", 60.0),
        ("curico-guangzhou-cherries", SimulatedClock::REAL_TIME),
    ] {
        for seed in 0..4 {
            let container = container(name, hours_per_second, seed);
            let contact = DoorContact::new(container.door(), ContactSettings::new(Instant::now()));
            let (mut door, health) = (contact.state(), contact.health());
            let mut light = container.light_sensor();
            let task = tokio::spawn(contact.run());
            door.wait_for(|state| state.door.is_some()).await.unwrap();
            let voyage = container.voyage();
            // Loading has begun before the story does, so the first opening is seen as a door that is open.
            let expected = voyage.openings().iter().filter(|(begin, _)| *begin > 0.0).count() as u64;
            let length_s = (voyage.length_h() + 1.0) / hours_per_second + 1.0;
            let step_s = (length_s / 700.0).max(0.2);
            let mut seen_s = 0.0;
            while seen_s < length_s {
                sleep(Duration::from_secs_f64(step_s)).await;
                seen_s += step_s;
                let truth = container.conditions();
                let lux = light.measure(Duration::ZERO).unwrap();
                assert!((lux - truth.light_lx).abs() <= 0.04 + 0.012 * truth.light_lx, "{lux} for {truth:?}");
                assert_eq!(lux == 0.0, !truth.doors_open, "{lux} lx: {truth:?}");
                // The driver takes 50 ms to be sure, and the door moves but every 110 ms.
                let now = container.clock().hours();
                let recently = now - 0.5 * hours_per_second..=now;
                let moved = voyage
                    .openings()
                    .iter()
                    .any(|(begin, end)| recently.contains(begin) || recently.contains(end));
                if !moved {
                    let stands = if truth.doors_open { Door::Open } else { Door::Closed };
                    assert_eq!(door.borrow().door, Some(stands), "{name} {seed} after {seen_s} s: {truth:?}");
                }
            }
            assert_eq!(door.borrow().openings, expected, "{name}, seed {seed}: {:?}", voyage.openings());
            assert_eq!(door.borrow().door, Some(Door::Closed));
            assert_eq!(health.borrow().state, State::Ok);
            task.abort();
        }
    }
}
