//! An agent at a hub of MQTT 5 that does what these tests want it to.

#![cfg(feature = "lab")]

use std::collections::BTreeSet;
use std::sync::Arc;

use container_tracker::config::{Config, Profile};
use container_tracker::event::{Event, Loss};
use container_tracker::lab::Cloud;
use container_tracker::platform::clock::SystemClock;
use container_tracker::uplink::assignment::{Assignment, AssignmentFile, Terms};
use container_tracker::uplink::credentials::Credentials;
use serde_json::{Value, json};
use tempfile::TempDir;
use tracker_protocol::dps::ConnectionProfile;
use tracker_protocol::hub_v5::{
    CloudMessage, Correlation, DesiredPatch, DeviceMessage, Exec, Probe, ProbeAnswer,
};

use crate::support::agent::{Agent, mild_chip};
use crate::support::journal::fill;
use crate::support::odd_hub_v5::{OddHubV5, Published};
use crate::support::scene::fast;

const DEVICE: &str = "sensor-thl-001";

/// A device that was assigned to such a hub.
async fn assigned(directory: &TempDir, interval: u32) -> (Config, OddHubV5) {
    let cloud = Cloud::start(directory.path(), interval).await.unwrap();
    let mut config = cloud.device(DEVICE).unwrap();
    cloud.emulator.shutdown().await;
    let identity = Credentials::load(&config, Arc::new(SystemClock::new(true))).unwrap().identity;
    let terms = Terms::new(&config.dps, &identity.thumbprint);
    let (hub, device_id) = (Cloud::HUB.into(), DEVICE.into());
    let profile = Some(ConnectionProfile::MqttV5);
    let assignment = Assignment { hub, device_id, terms, waits_for_connack: false, profile };
    std::fs::create_dir_all(&config.state.directory).unwrap();
    AssignmentFile::new(&config.state.directory).write(Some(&assignment)).unwrap();
    config.connection.profile = Profile::Assigned;
    let hub = OddHubV5::listen(&mut config, directory.path(), interval).await;
    (config, hub)
}

fn delivered(agent: &Agent) -> BTreeSet<u64> {
    let seq = |event: &Event| match event {
        Event::Delivered { seq } => Some(*seq),
        _ => None,
    };
    agent.events().iter().filter_map(seq).collect()
}

/// The part of the story that a hub's refusal is told in.
fn told(agent: &Agent) -> Vec<String> {
    let words = agent.story();
    words.lines().filter(|line| line.contains("did not take")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_born_delivers_and_answers_as_at_any_hub() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut hub) = assigned(&directory, 3600).await;
    hub.reported.insert("kept".into(), 1.into());
    let mut agent = Agent::simple(config);
    hub.accept(&agent).await;
    let reading = hub.reading().await;
    assert!(hub.username.contains("&clientVersion=container-tracker%2F"), "{}", hub.username);
    assert_eq!((reading.content_type.as_deref(), reading.is_text), (Some("application/json"), true));
    let user: Vec<_> = reading.user.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(user, ["type=telemetry:1", "content-type=application/json", "$.ce=utf-8"]);
    assert!(reading.body["temperature"].is_f64(), "{}", reading.body);

    // The twin: what was pushed is in force, and answered; a change acts.
    while hub.reported.get("telemetryInterval").is_none_or(|answer| answer["av"] != 1) {
        hub.serve_until(|published| matches!(published, Published::Message(_)).then_some(())).await;
    }
    assert_eq!(hub.reported["kept"], 1);
    assert_eq!(hub.reported["telemetryInterval"]["value"], 3600);
    hub.versions.0 = 2;
    let payload = json!({"telemetryInterval": 7200}).to_string().into_bytes();
    hub.push(&CloudMessage::DesiredPatch(DesiredPatch { version: 2, payload })).await;
    while hub.reported["telemetryInterval"]["av"] != 2 {
        hub.serve_until(|published| matches!(published, Published::Message(_)).then_some(())).await;
    }
    assert_eq!(hub.reported["telemetryInterval"]["value"], 7200);

    // A call.
    let request = Correlation([7; 16]);
    let probe = Probe { method_name: "ping".into(), response_timeout_seconds: 30 };
    hub.send(request, &CloudMessage::Probe(probe), Some(30)).await;
    let ready_id = hub
        .serve_until(|published| match published {
            Published::Message(envelope) => match &envelope.message {
                DeviceMessage::ProbeAck(ack) => match &ack.answer {
                    Some(ProbeAnswer::Ready(ready)) => Some(ready.ready_id.clone()),
                    other => panic!("{other:?}"),
                },
                _ => None,
            },
            Published::Reading(_) => None,
        })
        .await;
    let exec = Exec { ready_id, params: b"[1, 2]".to_vec(), exec_start: None };
    hub.send(request, &CloudMessage::Exec(exec), Some(30)).await;
    let result = hub
        .serve_until(|published| match published {
            Published::Message(envelope) => match &envelope.message {
                DeviceMessage::Result(result) => Some(result.clone()),
                _ => None,
            },
            Published::Reading(_) => None,
        })
        .await;
    let body: Value = serde_json::from_slice(&result.body).unwrap();
    assert_eq!((result.status, &body["payload"]), (200, &json!([1, 2])));
    agent
        .wait_for_words("speaks MQTT 5: such a hub renews no certificate, and sends no messages to devices")
        .await;
    assert_eq!(delivered(&agent), reading.seqs().into_iter().collect());
    drop(hub);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_before_the_birth_is_acknowledged_and_it_is_said_again() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut hub) = assigned(&directory, 3600).await;
    hub.deaf = 1;
    let agent = Agent::simple(config);
    hub.accept(&agent).await;
    let mut births = 0;
    let first = hub
        .serve_until(|published| match published {
            Published::Message(envelope) if matches!(envelope.message, DeviceMessage::Birth(_)) => {
                births += 1;
                None
            }
            Published::Message(_) => None,
            Published::Reading(reading) => Some(reading.clone()),
        })
        .await;
    assert_eq!((births, first.code), (2, 0));
    drop(hub);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_readings_are_under_way_than_the_hub_takes() {
    const MOST: u8 = 4;
    let directory = tempfile::tempdir().unwrap();
    let (mut config, mut hub) = assigned(&directory, 3600).await;
    config.delivery.batch_backlog = false;
    fill(&config, 40).await;
    hub.welcome = vec![0x21, 0, MOST];
    let mut agent = Agent::simple(config);
    hub.accept(&agent).await;
    let mut seqs = BTreeSet::new();
    while seqs.len() < 41 {
        hub.open = Some(Vec::new());
        for _ in 0..usize::from(MOST).min(41 - seqs.len()) {
            seqs.extend(hub.reading().await.seqs());
        }
        hub.acknowledge().await;
    }
    assert_eq!(hub.most_open, usize::from(MOST));
    agent
        .wait_until("delivery", |events| {
            events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count() >= 41
        })
        .await;
    assert_eq!(delivered(&agent), seqs);
    drop(hub);
    assert_eq!(agent.stop().await.backlog, 0);
}

/// The reactions to PUBACK, one after the other over one connection: nothing is lost without a word, and nothing is held up.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_not_taken_is_sent_again_shrinks_or_is_given_up_with_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut hub) = assigned(&directory, 3600).await;
    fill(&config, 9).await;
    // The newest by itself; then the backlog, too large: its readings by themselves, of which one can never be taken, one is not
    // wanted, and at one the hub is busy.
    hub.codes = [0, 0x95, 0, 0, 0x99, 0x87, 0x97].into();
    let mut agent = Agent::simple(config);
    hub.accept(&agent).await;
    let newest = hub.reading().await;
    let batch = hub.reading().await;
    assert_eq!((newest.seqs().len(), batch.seqs().len(), batch.code), (1, 9, 0x95));
    let (mut taken, mut given_up) = (BTreeSet::new(), BTreeSet::new());
    while taken.len() < 8 {
        let reading = hub.reading().await;
        assert_eq!(reading.seqs().len(), 1, "one by one from then on");
        match reading.code {
            0 => assert!(taken.insert(reading.seqs()[0]), "once"),
            0x99 => assert!(given_up.insert(reading.seqs()[0])),
            _ => {}
        }
    }
    let all: BTreeSet<u64> = batch.seqs().into_iter().collect();
    assert_eq!(&taken | &given_up, all);
    agent
        .wait_until("delivery", |events| {
            events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count() >= 9
        })
        .await;
    let story = told(&agent).join("\n");
    let lost = given_up.first().unwrap();
    for words in [
        "and 8 more (PUBACK 0x95, packet too large): they are sent one by one".to_owned(),
        format!(
            "the hub did not take reading {lost} (PUBACK 0x99, payload format not valid): it can never be taken, and is given up"
        ),
        "(PUBACK 0x87, not authorized): it is sent again later".to_owned(),
        "(PUBACK 0x97, quota exceeded): it is sent again later".to_owned(),
    ] {
        assert!(story.contains(&words), "{words}\n{story}");
    }
    assert!(!agent.events().iter().any(|event| matches!(event, Event::Lost { .. })), "{}", agent.story());
    drop(hub);
    assert_eq!(agent.stop().await.backlog, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_says_why_it_ends_the_connection_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut hub) = assigned(&directory, 3600).await;
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    hub.accept(&agent).await;
    hub.reading().await;
    // Restarting: the agent comes back by itself.
    hub.write(&[0xe0, 1, 0x8b]).await;
    hub.accept(&agent).await;
    hub.serve_until(|published| matches!(published, Published::Message(_)).then_some(())).await;
    // Another client: it does not fight for its place.
    hub.write(&[0xe0, 1, 0x8e]).await;
    agent
        .wait_until("sign of another client", |events| {
            events.iter().any(|event| matches!(event, Event::Lost { loss: Loss::Displaced, .. }))
        })
        .await;
    let story = agent.story();
    assert!(story.contains("(DISCONNECT 0x8B, server shutting down)"), "{story}");
    assert!(story.contains("(DISCONNECT 0x8E, another client with this ID has taken over)"), "{story}");
    assert!(story.contains("taken over): it uses this device's identity; find it"), "{story}");
    drop(hub);
    agent.stop().await;
}
