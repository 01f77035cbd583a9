//! The life of a device against the local Azure: settings, refusals, takeovers, restarts.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracker_emulator::{AttestationMechanism, IndividualEnrollment};

use crate::support::agent::{Agent, PATIENCE, body, next_message};

const DEVICE: &str = "sensor-thl-001";

async fn cloud(directory: &tempfile::TempDir, interval: u32) -> Cloud {
    Cloud::start(directory.path(), interval).await.unwrap()
}

/// Waits until a reported property answers this `$version` of the desired ones.
async fn acknowledged(cloud: &Cloud, device: &str, property: &str, version: u64) -> Value {
    let mut events = cloud.emulator.events();
    let answered = async {
        loop {
            let twin = cloud.twin(device).unwrap_or_default();
            let answer = &twin["properties"]["reported"][property];
            if answer["av"].as_u64() >= Some(version) {
                return answer.clone();
            }
            events.next().await.unwrap();
        }
    };
    timeout(PATIENCE, answered).await.expect("the property is acknowledged")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_interval_acts_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 86_400).await;
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    let mut telemetry = cloud.hub.telemetry();
    agent.wait_for_words("twin: telemetryInterval = 86400").await;
    next_message(&mut telemetry, DEVICE).await;

    let changed = Instant::now();
    let version = cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 1})).unwrap();
    next_message(&mut telemetry, DEVICE).await;
    // The day that had begun is not waited for; how fast the machine is does not matter here.
    assert!(changed.elapsed() < Duration::from_secs(30), "{:?}", changed.elapsed());
    let answer = acknowledged(&cloud, DEVICE, "telemetryInterval", version).await;
    assert_eq!(answer, json!({"value": 1, "ac": 200, "av": version, "ad": "applied"}));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_interval_is_answered_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 3600).await;
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    agent.wait_for_words("twin: telemetryInterval = 3600").await;
    for bad in [json!("abc"), json!(-1), json!(0), json!(1e9), Value::Null] {
        let version = cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": bad})).unwrap();
        let answer = acknowledged(&cloud, DEVICE, "telemetryInterval", version).await;
        assert_eq!(answer["value"], 3600, "{bad}: {answer}");
        let code = answer["ac"].as_u64().unwrap();
        assert!((400..500).contains(&code), "{bad}: {answer}");
        assert!(!answer["ad"].as_str().unwrap().is_empty(), "{bad}: {answer}");
    }
    agent.wait_for_words("telemetryInterval refused: \"abc\" is not a whole number of seconds").await;
    let stats = agent.stop().await;
    assert_eq!(stats.taken, 1, "no reading came sooner than the interval in force");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_initial_twin_is_applied_and_answered() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 7).await;
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    agent.wait_for_words("twin: telemetryInterval = 7").await;
    let answer = acknowledged(&cloud, DEVICE, "telemetryInterval", 1).await;
    assert_eq!((&answer["value"], &answer["ac"]), (&json!(7), &json!(200)));
    let firmware = acknowledged(&cloud, DEVICE, "firmware", 1).await;
    assert_eq!(firmware["value"], env!("CARGO_PKG_VERSION"));
    let version = cloud.hub.update_twin_desired(DEVICE, json!({"cargo": {"kind": "gouda"}})).unwrap();
    let cargo = acknowledged(&cloud, DEVICE, "cargo", version).await;
    assert_eq!((&cargo["value"], &cargo["ac"]), (&json!({"kind": "gouda"}), &json!(200)));
    let twin = cloud.twin(DEVICE).unwrap();
    assert_eq!(twin["tags"]["environment"], "simulation");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_individual_enrollment_refuses_just_that_device() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let config = cloud.device(DEVICE).unwrap();
    let state_directory = config.state.directory.clone();
    let leaf = std::fs::read_to_string(&config.identity.certificate).unwrap();
    let enrollment =
        IndividualEnrollment::new(DEVICE, AttestationMechanism::client_certificate(first_certificate(&leaf)));
    cloud.emulator.dps().individuals().create(enrollment).unwrap();
    cloud.emulator.dps().individuals().disable(DEVICE).unwrap();

    let mut refused = Agent::simple(config);
    let mut other = Agent::simple(cloud.device("sensor-thl-002").unwrap());
    let text = refused.wait_for_words("DPS refuses this device").await;
    assert!(text.contains("the enrollment of this device, or its group, is disabled"), "{text}");
    assert!(text.contains("it goes on measuring and asks again in"), "{text}");
    other.wait_for_words("online at").await;
    refused.wait_for_reading(&state_directory).await;
    let stats = refused.stop().await;
    assert!(stats.taken >= 1 && stats.backlog == stats.taken, "it keeps its readings: {stats:?}");
    other.stop().await;
}

fn first_certificate(chain: &str) -> String {
    let end = "-----END CERTIFICATE-----";
    chain[..chain.find(end).unwrap() + end.len()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_not_enrolled_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let config = cloud.device(DEVICE).unwrap();
    cloud.emulator.dps().groups().delete("container-trackers", &tracker_emulator::IfMatch::Any).unwrap();
    let mut agent = Agent::simple(config);
    let text = agent.wait_for_words("DPS refuses this device").await;
    assert!(
        text.contains("no enrollment accepts this certificate") && text.contains("error 401002"),
        "{text}"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_id_scope_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let mut config = cloud.device(DEVICE).unwrap();
    config.dps.id_scope = "0ne0000dead".into();
    let mut agent = Agent::simple(config);
    let text = agent.wait_for_words("no hub from DPS").await;
    assert!(text.contains("is the ID scope 0ne0000dead right (dps.id_scope)?"), "{text}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_trusted_is_not_talked_to() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let mut config = cloud.device(DEVICE).unwrap();
    // A perfectly good certificate, of somebody else.
    config.connection.roots = Some(config.identity.certificate.clone());
    let mut agent = Agent::simple(config);
    let text = agent.wait_for_words("no hub from DPS").await;
    assert!(text.contains("leads to no root that this device trusts; check connection.roots"), "{text}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_client_with_the_same_identity_is_noticed_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let config = cloud.device(DEVICE).unwrap();
    let mut twin_config = config.clone();
    twin_config.state.directory = directory.path().join("second-state");
    let mut first = Agent::simple(config);
    first.wait_for_words("online at").await;
    let mut second = Agent::simple(twin_config);
    let text = tokio::select! {
        text = first.wait_for_words("another client uses this device's identity") => text,
        text = second.wait_for_words("another client uses this device's identity") => text,
    };
    assert!(text.contains("give this device a certificate of its own"), "{text}");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_asks_dps_nothing_and_remembers_the_interval() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 3600).await;
    let config = cloud.device(DEVICE).unwrap();
    let mut agent = Agent::simple(config.clone());
    agent.wait_for_words("twin: telemetryInterval = 3600").await;
    agent.stop().await;

    let mut agent = Agent::simple(config.clone());
    agent.wait_for_words("online at").await;
    assert!(!agent.story().contains("asking DPS"), "{}", agent.story());
    agent.stop().await;

    // Another ID scope: the assignment no longer holds.
    let mut moved = config;
    moved.dps.id_scope = "0ne0000beef".into();
    let mut agent = Agent::simple(moved);
    agent.wait_for_words("asking DPS").await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_deleted_at_the_hub_comes_back_through_dps() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 1).await;
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    let mut telemetry = cloud.hub.telemetry();
    next_message(&mut telemetry, DEVICE).await;
    cloud.hub.delete(DEVICE).unwrap();
    agent
        .wait_until("second assignment", |events| {
            events.iter().filter(|event| matches!(event, Event::Assigned { .. })).count() == 2
        })
        .await;
    let message = next_message(&mut telemetry, DEVICE).await;
    assert!(body(&message)["seq"].is_u64());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_answered() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(&directory, 60).await;
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    agent.wait_for_words("twin: telemetryInterval = 60").await;
    let call = |name: &'static str, payload: Value| cloud.hub.invoke_method(DEVICE, name, payload, PATIENCE);
    let ping = call("ping", json!({"n": 7})).await.unwrap();
    assert_eq!(ping.status, 200);
    assert_eq!(ping.payload.unwrap()["payload"], json!({"n": 7}));
    let status = call("getStatus", Value::Null).await.unwrap().payload.unwrap();
    assert_eq!((&status["state"], &status["hub"]), (&json!("online"), &json!(Cloud::HUB)));
    assert_eq!(status["sensors"]["bme280"]["state"], "ok");
    let unknown = call("selfDestruct", Value::Null).await.unwrap();
    assert_eq!(unknown.status, 404);
    agent.stop().await;
}
