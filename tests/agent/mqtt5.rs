//! An agent at the emulator's hub of MQTT 5: assigned to it, and all that it does at a classic one.

#![cfg(feature = "lab")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::{Config, Profile};
use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use container_tracker::uplink::assignment::AssignmentFile;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tracker_emulator::{Fault, FaultKind, FaultyService};
use tracker_protocol::dps::ConnectionProfile;

use crate::support::agent::{Agent, PATIENCE, body, mild_chip, next_message};
use crate::support::journal::fill;
use crate::support::scene::fast;

const DEVICE: &str = "sensor-thl-001";

/// A cloud whose hub speaks MQTT 5, and a device that asks how it is spoken to.
async fn cloud(directory: &TempDir, interval: u32) -> (Cloud, Config) {
    let builder = Cloud::builder().hubs([format!("{}=mqtt5", Cloud::HUB)]);
    let builder = builder.dps_timing(Duration::from_secs(1), Duration::ZERO);
    let cloud = Cloud::start_with(builder, directory.path(), interval).await.unwrap();
    let mut config = cloud.device(DEVICE).unwrap();
    config.connection.profile = Profile::Assigned;
    (cloud, config)
}

fn delivered(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count()
}

async fn reported(cloud: &Cloud, wanted: impl Fn(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let twin = cloud.twin(DEVICE).unwrap_or_default();
            if wanted(&twin["properties"]["reported"]) {
                return twin["properties"]["reported"].clone();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, search).await.expect("it is reported")
}

#[tokio::test(flavor = "multi_thread")]
async fn from_dps_to_readings_twin_methods_and_back_after_an_outage() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, config) = cloud(&directory, 1).await;
    let mut telemetry = cloud.hub.telemetry();
    let mut agent = Agent::start_with(config.clone(), Some(&mild_chip()), None, fast());
    agent.wait_until("readings", |events| delivered(events) >= 3).await;
    let stored = AssignmentFile::new(&config.state.directory).read().unwrap().unwrap();
    assert_eq!(stored.profile, Some(ConnectionProfile::MqttV5));

    let message = next_message(&mut telemetry, DEVICE).await;
    assert_eq!(message.properties.get("$.ct"), Some("application/json"), "{:?}", message.properties);
    assert_eq!(message.properties.get("$.ce"), Some("utf-8"), "{:?}", message.properties);
    assert!(body(&message)["temperature"].is_f64());

    // Desired properties act, and are answered.
    reported(&cloud, |section| section["telemetryInterval"]["value"] == 1).await;
    let version = cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 2})).unwrap();
    let section = reported(&cloud, |section| section["telemetryInterval"]["av"] == version).await;
    assert_eq!(section["telemetryInterval"]["value"], 2);
    assert_eq!(section["sensors"]["bme280"]["state"], "ok");

    // Methods, those of the journal among them.
    let call = async |name, payload| {
        cloud.hub.invoke_method(DEVICE, name, payload, Duration::from_secs(20)).await.unwrap()
    };
    let pong = call("ping", json!({"n": 7})).await;
    assert_eq!((pong.status, &pong.payload.unwrap()["payload"]), (200, &json!({"n": 7})));
    assert_eq!(call("startTrip", Value::Null).await.status, 200);
    assert_eq!(call("endTrip", Value::Null).await.status, 200);
    let nobody = cloud.hub.invoke_method(DEVICE, "reboot", Value::Null, Duration::from_secs(20)).await;
    assert!(nobody.is_err(), "such a hub asks first: {nobody:?}");

    // The link is lost, the service ends it, and the agent is back both times.
    assert!(cloud.hub.drop_connection(DEVICE).unwrap());
    let online =
        |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Online { .. })).count();
    agent.wait_until("the second connection", |events| online(events) >= 2).await;
    let before = delivered(&agent.events());
    agent.wait_until("readings", |events| delivered(events) > before).await;
    let notes = agent.story().matches("such a hub renews no certificate").count();
    assert_eq!(notes, 1, "it is said once");
    assert_eq!(agent.stop().await.backlog, 0);

    // The assignment holds over a restart.
    let mut agent = Agent::simple(config);
    agent.wait_until("delivery", |events| delivered(events) >= 1).await;
    assert!(!agent.story().contains("asking DPS"), "{}", agent.story());
    agent.stop().await;
    cloud.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_delivered_whole_although_the_hub_refuses_now_and_then() {
    const READINGS: u64 = 3000;
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(&directory, 3600).await;
    config.delivery.batch_backlog = false;
    fill(&config, READINGS).await;
    let mut agent = Agent::simple(config);
    agent.wait_until("the first readings", |events| delivered(events) > 0).await;
    for code in [0x97, 0x83] {
        let (service, kind) = (FaultyService::AnyHub, FaultKind::RefusePublish { code });
        cloud.emulator.faults().inject(Fault { service, device: None, kind, times: Some(3) });
    }
    agent.wait_until("delivery", |events| delivered(events) as u64 > READINGS).await;
    let story = agent.story();
    assert!(
        story.contains("(PUBACK 0x97, quota exceeded: a fault was asked for): it is sent again later"),
        "{story}"
    );
    assert_eq!(agent.stop().await.backlog, 0);
    cloud.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_cost_no_reading() {
    const READINGS: usize = 2000;
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(&directory, 3600).await;
    config.delivery.batch_backlog = false;
    fill(&config, READINGS as u64).await;
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = received.clone();
    cloud.hub.observe(move |message| {
        seen.lock().unwrap().insert(body(message)["seq"].as_u64().unwrap());
    });
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    let seqs = |events: &[Event]| -> BTreeSet<u64> {
        let seq = |event: &Event| if let Event::Delivered { seq } = event { Some(*seq) } else { None };
        events.iter().filter_map(seq).collect()
    };
    let mut cuts = 0;
    for part in 1..=10 {
        agent.wait_until("a part", |events| seqs(events).len() >= part * READINGS / 12).await;
        cuts += u32::from(cloud.hub.drop_connection(DEVICE).unwrap());
    }
    assert!(cuts >= 8, "{cuts}");
    agent.wait_until("delivery", |events| seqs(events).len() > READINGS).await;
    let delivered = seqs(&agent.events());
    assert_eq!(
        delivered,
        *received.lock().unwrap(),
        "what is told as delivered is at the hub, and nothing else"
    );
    assert_eq!(delivered.len(), READINGS + 1, "each of them");
    assert_eq!(agent.stop().await.backlog, 0);
    cloud.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_does_not_ask_is_told_what_to_set() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(&directory, 3600).await;
    config.connection.profile = Profile::Classic;
    let mut agent = Agent::simple(config.clone());
    agent.wait_for_words("it may be one of MQTT 5: connection.profile = \"assigned\"").await;
    agent.stop().await;
    // Once it asks, what was assigned without asking does not hold.
    config.connection.profile = Profile::Assigned;
    let mut agent = Agent::simple(config);
    agent.wait_until("delivery", |events| delivered(events) >= 1).await;
    agent.stop().await;
    cloud.emulator.shutdown().await;
}
