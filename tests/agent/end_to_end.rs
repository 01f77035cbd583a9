//! The whole road: certificates of an OpenSSL factory, a recorded receiver on a serial port, a chip emulated at its
//! registers, DPS, hub.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::lab::{Received, device_config};
use serde_json::Value;
use tracker_emulator::{AttestationMechanism, Emulator, EnrollmentGroup, InitialTwin};
use tracker_sensors::bme280::RawReading;
use tracker_sensors::gps::SerialSource;
use tracker_sensors::simulated::Bme280Chip;

use crate::support::agent::{Agent, body, next_message};
use crate::support::openssl::Factory;
use crate::support::pseudo_terminal;

const LOG: &[u8] = include_bytes!("../../sensors/tests/data/nmea/logs/nl2008u.nmea");
const EXPECTED: &str = include_str!("../../sensors/tests/data/nmea/expected/nl2008u.json");
const VECTORS: &str = include_str!("../../sensors/tests/data/bme280/vectors.json");
const KM_PER_NAUTICAL_MILE: f64 = 1.852;

/// An emulator that has enrolled the factory's intermediate CA, and a device made by the factory.
async fn cloud(factory: &Factory) -> (Emulator, Config) {
    let emulator = Emulator::builder()
        .port(0)
        .dps_timing(Duration::from_secs(1), Duration::from_millis(200))
        .start()
        .await
        .unwrap();
    emulator.dps().certificates().upload_verified("root", &factory.pem("root")).unwrap();
    let attestation = AttestationMechanism::signing_certificate(factory.pem("intermediate"));
    let mut group = EnrollmentGroup::new("trackers", attestation);
    group.terms.initial_twin = Some(InitialTwin::new(
        serde_json::json!({"environment": "test", "location": "desk"}),
        serde_json::json!({"telemetryInterval": 1}),
    ));
    emulator.dps().groups().create(group).unwrap();

    let device = factory.device("sensor-thl-001");
    fs::copy(device.chain, factory.path("device.pem")).unwrap();
    fs::copy(device.key, factory.path("device.key")).unwrap();
    fs::set_permissions(factory.path("device.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(factory.path("server-ca.pem"), emulator.server_ca_pem()).unwrap();
    let roots = factory.path("server-ca.pem");
    let mut config = device_config(factory.directory(), emulator.id_scope(), roots, emulator.port());
    // A slow machine must not make a batch of readings that this test looks at one by one.
    config.delivery.batch_backlog = false;
    (emulator, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_receives_is_what_the_sensors_saw() {
    let factory = Factory::new();
    let (emulator, config) = cloud(&factory).await;
    let (mut receiver, port) = pseudo_terminal();

    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let suitable = |v: &&Value| v["group"] == "container" && v["flags"].as_array().unwrap().is_empty();
    let vector = vectors["vectors"].as_array().unwrap().iter().find(suitable).unwrap();
    let chip = chip_of(vector);

    let hub = emulator.dps().hubs().remove(0);
    let mut telemetry = hub.telemetry();
    let mut received = Received::default();
    let gps = SerialSource::new(port, 9600);
    let agent = Agent::start(config, Some(&chip), Some(Box::new(gps)));

    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let fixes = expected["fixes"].as_array().unwrap();
    let mut sent = 0;
    let mut last_seq = 0;
    let mut last = Value::Null;
    for fix in fixes {
        // The bytes of one epoch, as a receiver would send them; then a reading with this fix must come.
        let end = fix[12].as_u64().unwrap() as usize;
        receiver.write_all(&LOG[sent..end]).unwrap();
        sent = end;
        let mut readings = 0..30;
        let reading = loop {
            assert!(readings.next().is_some(), "no reading with {fix}; there was:\n{}", agent.story());
            let message = next_message(&mut telemetry, "sensor-thl-001").await;
            received.count(&message);
            let reading = body(&message);
            // Readings that shared a commit arrive newest first.
            let seq = reading["seq"].as_u64().unwrap();
            if seq > last_seq && near(&reading["location"]["lat"], &fix[2], 1e-6) {
                last_seq = seq;
                break reading;
            }
        };
        assert!(near(&reading["location"]["lat"], &fix[2], 1e-7), "{reading} {fix}");
        assert!(near(&reading["location"]["lon"], &fix[3], 1e-7), "{reading} {fix}");
        if fix[2] != last[2] {
            assert!(near(&reading["location"]["alt"], &fix[4], 0.05), "{reading} {fix}");
            let speed = fix[5].as_f64().unwrap() * KM_PER_NAUTICAL_MILE;
            assert!(near(&reading["speed"], &speed.into(), 0.006), "{reading} {fix}");
            assert!(near(&reading["course"], &fix[6], 0.06), "{reading} {fix}");
            assert_eq!((&reading["satellites"], &reading["hdop"]), (&fix[8], &fix[9]), "{reading} {fix}");
        }
        assert_eq!(reading["fix"], "gps");
        assert!(near(&reading["temperature"], &vector["double"]["t_c"], 0.006), "{reading} {vector}");
        let pressure = vector["double"]["p_pa"].as_f64().unwrap() / 100.0;
        assert!(near(&reading["pressure"], &pressure.into(), 0.006), "{reading} {vector}");
        assert!(near(&reading["humidity"], &vector["double"]["rh"], 0.006), "{reading} {vector}");
        last = fix.clone();
    }

    let twin = serde_json::to_value(hub.twin("sensor-thl-001").unwrap()).unwrap();
    assert_eq!(twin["tags"]["location"], "desk");
    assert_eq!(twin["properties"]["reported"]["telemetryInterval"]["value"], 1);
    let stats = agent.stop().await;
    // The last reading may be taken at the very end; then it waits for the next start.
    assert_eq!(stats.backlog + stats.acknowledged, stats.taken);
    while let Some(message) = telemetry.try_next().unwrap() {
        received.count(&message);
    }
    assert_eq!((received.distinct(), received.duplicates), (stats.acknowledged, 0));
    emulator.shutdown().await;
}

/// The chip of a vector: its calibration, and its raw values in every measurement.
fn chip_of(vector: &Value) -> Bme280Chip {
    let bytes = |name: &str| -> Vec<u8> {
        let text = vector[name].as_str().unwrap();
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let first = bytes("calib_88_a1").try_into().unwrap();
    let second = bytes("calib_e1_e7").try_into().unwrap();
    let chip = Bme280Chip::with_calibration_registers(0x77, first, second);
    let data: [u8; 8] = bytes("data_f7_fe").try_into().unwrap();
    chip.set_raw(RawReading::from_registers(&data));
    chip
}

fn near(value: &Value, expected: &Value, tolerance: f64) -> bool {
    value
        .as_f64()
        .zip(expected.as_f64())
        .is_some_and(|(value, expected)| (value - expected).abs() <= tolerance)
}
