//! Clouds that send too much, too often or what nobody expects: the link stays, the readings go on, the answer is small.

#![cfg(feature = "lab")]

use std::sync::Arc;
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use container_tracker::platform::clock::SystemClock;
use container_tracker::uplink::assignment::{Assignment, AssignmentFile, Terms};
use container_tracker::uplink::credentials::Credentials;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::odd_hub::{OddHub, Published};

const DEVICE: &str = "sensor-thl-001";
const METHOD: &str = "$iothub/methods/POST/";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/?$version=";

/// A device that was assigned to a hub which turns out to be odd.
async fn odd(directory: &TempDir, interval: u32) -> (Config, OddHub) {
    let cloud = Cloud::start(directory.path(), interval).await.unwrap();
    let mut config = cloud.device(DEVICE).unwrap();
    let identity = Credentials::load(&config, Arc::new(SystemClock::new(true))).unwrap().identity;
    let terms = Terms::new(&config.dps, &identity.thumbprint);
    let assignment = Assignment {
        hub: Cloud::HUB.into(),
        device_id: DEVICE.into(),
        terms,
        waits_for_connack: false,
        profile: None,
    };
    std::fs::create_dir_all(&config.state.directory).unwrap();
    AssignmentFile::new(&config.state.directory).write(Some(&assignment)).unwrap();
    let twin =
        json!({"desired": {"telemetryInterval": interval, "$version": 1}, "reported": {"$version": 1}});
    let hub = OddHub::listen(&mut config, directory.path(), twin).await;
    (config, hub)
}

fn is_reading(published: &Published) -> bool {
    published.topic.starts_with("devices/")
}

fn lost(agent: &Agent) -> usize {
    agent.events().iter().filter(|event| matches!(event, Event::Lost { .. })).count()
}

/// The reported section, once it is as wanted.
async fn reported(cloud: &Cloud, wanted: impl Fn(&Map<String, Value>) -> bool) -> Map<String, Value> {
    let search = async {
        loop {
            let twin = cloud.twin(DEVICE).unwrap_or_default();
            let section = twin["properties"]["reported"].as_object().cloned().unwrap_or_default();
            if wanted(&section) {
                return section;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, search).await.expect("it is reported")
}

/// As a service may set it: 31 KB in 3,400 flags.
#[tokio::test(flavor = "multi_thread")]
async fn a_legal_twin_of_any_size_costs_neither_the_link_nor_what_matters() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let mut agent = Agent::simple(cloud.device(DEVICE).unwrap());
    agent.wait_for_words("twin: telemetryInterval = 3600").await;
    let mut desired: Map<_, _> = (0..3400).map(|number| (format!("p{number}"), json!(true))).collect();
    desired.insert("telemetryInterval".into(), json!(1));
    let version = cloud.hub.update_twin_desired(DEVICE, Value::Object(desired)).unwrap();
    let ready = |section: &Map<String, Value>| {
        section.get("telemetryInterval").is_some_and(|answer| answer["av"] == version)
            && section.contains_key("p0")
            && section.contains_key("sensors")
    };
    let section = reported(&cloud, ready).await;
    let right = json!({"value": 1, "ac": 200, "av": version, "ad": "applied"});
    assert_eq!(section["telemetryInterval"], right);
    assert_eq!(section["sensors"]["bme280"]["state"], "ok");
    assert_eq!(section["journal"]["state"], "ok");
    assert_eq!(section["p0"]["value"], true);
    agent.wait_for_words("more properties without meaning; they are not acknowledged").await;
    // The new interval acts.
    agent
        .wait_until("readings", |events| {
            events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count() >= 3
        })
        .await;
    assert_eq!(lost(&agent), 0, "{}", agent.story());
    let lines = agent.events().iter().filter(|event| matches!(event, Event::Setting(_))).count();
    assert!(lines < 100, "{lines} lines");
    agent.stop().await;

    // One that remembers nothing of it finds its answers there.
    let mut config = cloud.device(DEVICE).unwrap();
    config.state.directory = directory.path().join("anew");
    let mut agent = Agent::simple(config);
    agent.wait_for_words("twin: telemetryInterval = 1").await;
    cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 2})).unwrap();
    reported(&cloud, |section| section["telemetryInterval"]["value"] == 2).await;
    assert_eq!(lost(&agent), 0, "{}", agent.story());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_is_too_large_is_answered_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (config, mut hub) = odd(&directory, 3600).await;
    let agent = Agent::simple(config);
    hub.accept(&agent).await;
    hub.serve_until(|published| published.topic.contains("/PATCH/properties/reported/")).await;
    let numbers = format!("[{}]", vec!["1e9"; 31_000].join(","));
    let text = format!("\"{}\"", "x".repeat(131_070));
    let name = "x".repeat(30_000);
    for (call, body, status) in [
        (format!("{METHOD}ping/?$rid=1"), numbers.as_str(), 200),
        (format!("{METHOD}ping/?$rid=2"), text.as_str(), 413),
        (format!("{METHOD}{name}/?$rid=3"), "null", 404),
        (format!("{METHOD}ping/?$rid=4"), "7", 200),
    ] {
        hub.send(&call, body.as_bytes()).await;
        let answer = hub.serve_until(|published| published.topic.starts_with("$iothub/methods/res/")).await;
        assert!(answer.topic.starts_with(&format!("$iothub/methods/res/{status}/")), "{}", answer.topic);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(status != 200 || text.contains(&format!("\"payload\":{body},")), "the bytes that came");
        assert!(status == 200 || text.len() < 1000, "{} bytes", text.len());
    }
    // A request whose answer no topic could carry gets none, and the link stays.
    for id in ["9".repeat(65_500), "a+b".into(), "#".into()] {
        hub.send(&format!("{METHOD}ping/?$rid={id}"), b"1").await;
    }
    hub.send(&format!("{METHOD}ping/?$rid=5"), b"1").await;
    hub.serve_until(|published| published.topic.ends_with("$rid=5")).await;
    assert_eq!(lost(&agent), 0, "{}", agent.story());
    agent.stop().await;
}

/// The kinds of a hub that repeats itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_repeats_itself_fills_no_log_and_holds_up_no_reading() {
    type Message = fn(u64) -> (String, Vec<u8>);
    let kinds: [(&str, Message); 4] = [
        ("a topic that can't be read", |number| (format!("$iothub/nonsense/{number}"), b"x".to_vec())),
        ("no JSON", |_| (format!("{DESIRED}2"), b"{".to_vec())),
        ("small pushes", |number| (format!("{DESIRED}{}", number + 2), format!("{{\"n\":{number}}}").into())),
        ("calls", |number| (format!("{METHOD}m{number}/?$rid={number}"), b"null".to_vec())),
    ];
    for (kind, message) in kinds {
        let directory = tempfile::tempdir().unwrap();
        let (config, mut hub) = odd(&directory, 1).await;
        let agent = Agent::simple(config);
        hub.accept(&agent).await;
        hub.serve_until(|published| published.topic.contains("/PATCH/properties/reported/")).await;
        agent.take_events();
        let count = if kind == "calls" { 200 } else { 10_000 };
        hub.flood((0..count).map(message)).await;
        // What comes in order is answered in order: then all of it has been heard.
        let last = if kind == "calls" {
            199.to_string()
        } else {
            hub.send(&format!("{METHOD}last/?$rid=last"), b"null").await;
            "last".to_owned()
        };
        hub.serve_until(|published| published.topic.ends_with(&format!("$rid={last}"))).await;
        for _ in 0..2 {
            hub.serve_until(is_reading).await;
        }
        assert_eq!(lost(&agent), 0, "{kind}: {}", agent.story());
        let story = agent.events();
        let told: Vec<_> = story.iter().filter(|event| !matches!(event, Event::Delivered { .. })).collect();
        assert!(told.len() <= 40, "{kind}: {} lines", told.len());
        // At its end it says how often.
        let heard = agent.stop_and_tell().await;
        let counts = |event: &&Event| matches!(event, Event::Repeated { .. });
        let counted: Vec<_> = heard.iter().filter(counts).map(ToString::to_string).collect();
        assert!(kind == "small pushes" || !counted.is_empty(), "{kind}: {heard:?}");
        if kind.starts_with("a topic") {
            assert!(
                counted[0].starts_with("9996 times more: the hub sent what can't be read"),
                "{counted:?}"
            );
        }
    }
}
