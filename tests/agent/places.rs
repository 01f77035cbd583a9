//! Fences and the container's number, from the twin to the hub: a recorded receiver walks out of one.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use container_tracker::config::Config;
use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracker_emulator::{Subscription, TelemetryMessage};
use tracker_sensors::gps::SerialSource;

use crate::support::agent::{Agent, PATIENCE, body, next_message};
use crate::support::pseudo_terminal;

const DEVICE: &str = "sensor-thl-001";
/// From 48.21756 N 8.4145 E some 650 m to the north-east.
const LOG: &[u8] = include_bytes!("../../sensors/tests/data/nmea/logs/nl2008u.nmea");
/// Bytes of its first epoch.
const FIRST: usize = 1133;

fn fence(name: &str, radius: i32) -> Value {
    let geometry = json!({"type": "Point", "coordinates": [8.4145, 48.21756]});
    json!({"type": "Feature", "properties": {"name": name, "radius": radius}, "geometry": geometry})
}

fn start(config: &Config) -> (Agent, File) {
    let (receiver, port) = pseudo_terminal();
    (Agent::start(config.clone(), None, Some(Box::new(SerialSource::new(port, 9600)))), receiver)
}

/// The body of the next message that carries the container's number, and of which this holds; events say in their properties
/// what they are.
async fn next(
    telemetry: &mut Subscription<TelemetryMessage>,
    is_event: bool,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let next = async {
        loop {
            let message = next_message(telemetry, DEVICE).await;
            let property = |name: &str| message.properties.get(name);
            let body = body(&message);
            if property("containerNumber") != Some("MSKU9070323")
                || (property("messageType") == Some("event")) != is_event
                || !holds(&body)
            {
                continue;
            }
            if is_event {
                assert_eq!(property("place"), body["place"].as_str());
                assert_eq!(property("state"), body["state"].as_str());
            }
            return body;
        }
    };
    timeout(PATIENCE, next).await.expect("it comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_leaves_its_yard_says_so_once_also_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let mut telemetry = cloud.hub.telemetry();
    let (mut agent, mut receiver) = start(&config);
    agent.wait_for_words("online at").await;
    let desired = json!({"geofences": [fence("yard, south", 150)], "containerNumber": "MSKU9070323"});
    cloud.hub.update_twin_desired(DEVICE, desired).unwrap();
    agent.wait_for_words("twin: containerNumber = \"MSKU9070323\"").await;

    receiver.write_all(&LOG[..FIRST]).unwrap();
    let event = next(&mut telemetry, true, |_| true).await;
    assert_eq!((&event["place"], &event["state"]), (&json!("yard, south"), &json!("inside")));
    assert!((event["location"]["lat"].as_f64().unwrap() - 48.217_56).abs() < 1e-4, "{event}");
    agent.stop().await;

    // A bad list leaves the good one in force; a switched-off tracker that is still there tells nothing.
    cloud.hub.update_twin_desired(DEVICE, json!({"geofences": [fence("yard, south", -1)]})).unwrap();
    let (mut agent, mut receiver) = start(&config);
    agent.wait_for_words("twin: geofences refused: [0] \"yard, south\": properties.radius").await;
    receiver.write_all(&LOG[..FIRST]).unwrap();
    next(&mut telemetry, false, |reading| reading["place"] == "yard, south").await;
    receiver.write_all(&LOG[FIRST..]).unwrap();
    let event = next(&mut telemetry, true, |_| true).await;
    assert_eq!((&event["place"], &event["state"]), (&json!("yard, south"), &json!("exit")));
    next(&mut telemetry, false, |reading| reading["location"].is_object() && reading["place"].is_null())
        .await;
    assert!(agent.story().contains("the container has left yard, south"), "{}", agent.story());
    agent.stop().await;

    // The next customer's fences are other ones, although they may have the same names.
    deprovision(directory.path(), &config);
    cloud.hub.update_twin_desired(DEVICE, json!({"geofences": [fence("yard, south", 200)]})).unwrap();
    let (mut agent, mut receiver) = start(&config);
    agent.wait_for_words("twin: geofences = ").await;
    receiver.write_all(&LOG[..FIRST]).unwrap();
    let event = next(&mut telemetry, true, |_| true).await;
    assert_eq!(event["state"], "inside", "it would be \"enter\" if it were known that it was out");
    agent.stop().await;
}

/// Keeps the journal, as is usual.
fn deprovision(directory: &Path, config: &Config) {
    let file = directory.join("deprovision.toml");
    let text = format!(
        "[dps]\nid_scope = \"0ne00000000\"\n[identity]\ncertificate = {:?}\nkey = \"device.key\"\n[state]\ndirectory = {:?}\n",
        config.identity.certificate, config.state.directory
    );
    std::fs::write(&file, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    let done = program.args(["deprovision", "--yes", "--config"]).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
