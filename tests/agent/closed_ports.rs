//! The agent where ports are closed: over WebSockets, through an HTTP proxy, and both.

#![cfg(feature = "lab")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use container_tracker::config::{Config, Endpoint, Login, Profile, Proxy, Transport};
use container_tracker::event::Event;
use container_tracker::lab::{Cloud, readings};
use container_tracker::link::timing::Timing;
use container_tracker::platform::plain_file;
use serde_json::json;
use tokio::time::sleep;

use crate::support::agent::{Agent, mild_chip, next_message};
use crate::support::http_proxy::{HttpProxy, Manner};
use crate::support::proxy::{Proxy as Stretch, Weather};
use crate::support::scene::fast;

const DEVICE: &str = "sensor-thl-001";
/// `ship:s3cret`.
const LOGIN: &str = "Basic c2hpcDpzM2NyZXQ=";

fn delivered(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count()
}

fn online(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Online { .. })).count()
}

/// A cloud and a device that is to reach it by this transport, directly.
async fn cloud(directory: &Path, kind: &str, transport: Transport) -> (Cloud, Config) {
    let builder = Cloud::builder().hubs([format!("{}{kind}", Cloud::HUB)]);
    let builder = builder.dps_timing(Duration::from_secs(1), Duration::ZERO);
    let cloud = Cloud::start_with(builder, directory, 1).await.unwrap();
    let mut config = cloud.device_by(DEVICE, transport).unwrap();
    if !kind.is_empty() {
        config.connection.profile = Profile::Assigned;
    }
    (cloud, config)
}

/// Where the device would go without a proxy.
fn target(config: &Config) -> SocketAddr {
    ([127, 0, 0, 1], config.connection.gateway.as_ref().unwrap().port).into()
}

fn through(config: &mut Config, port: u16, password: Option<&Path>) {
    let login = password.map(|file| Login { user: "ship".into(), password_file: file.into() });
    let endpoint = Endpoint { host: "127.0.0.1".into(), port };
    config.connection.proxy = Some(Proxy { endpoint, login });
}

fn password(directory: &Path, text: &str) -> PathBuf {
    let (path, new) = (directory.join("proxy.password"), directory.join("new"));
    plain_file::create(&new, 0o600).unwrap().write_all(text.as_bytes()).unwrap();
    std::fs::rename(new, &path).unwrap();
    path
}

/// From DPS to readings; the way is cut and comes back; nothing is lost.
async fn whole_life(kind: &str, transport: Transport, by_proxy: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(directory.path(), kind, transport).await;
    let http = HttpProxy::start(target(&config), Manner::Leads(Some(LOGIN))).await;
    let further = if by_proxy { http.address() } else { target(&config) };
    let stretch = Stretch::start(further).await;
    if by_proxy {
        through(&mut config, stretch.port(), Some(&password(directory.path(), "s3cret\n")));
    } else {
        config.connection.gateway = Some(Endpoint::local(stretch.port()));
    }
    let mut telemetry = cloud.hub.telemetry();
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    agent.wait_until("readings", |events| delivered(events) >= 2).await;
    let version = cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 1})).unwrap();
    assert!(version > 1);
    let pong = cloud.hub.invoke_method(DEVICE, "ping", json!({"n": 7}), Duration::from_secs(20)).await;
    assert_eq!(pong.unwrap().status, 200);

    // The way is gone, readings wait, and it is used again once it is there.
    stretch.set(Weather::Refuse);
    agent
        .wait_until("the loss", |events| events.iter().any(|event| matches!(event, Event::Lost { .. })))
        .await;
    agent.wait_for_words("nobody listens there").await;
    stretch.set(Weather::Fair);
    agent.wait_until("the second connection", |events| online(events) >= 2).await;
    let before = delivered(&agent.events());
    agent.wait_until("readings", |events| delivered(events) > before).await;
    let story = agent.story();
    let stats = agent.stop().await;
    assert_eq!((stats.backlog, stats.dropped), (0, 0), "{story}");
    let mut seen = BTreeSet::new();
    while (seen.len() as u64) < stats.taken {
        let message = next_message(&mut telemetry, DEVICE).await;
        seen.extend(readings(&message).iter().filter_map(|reading| reading["seq"].as_u64()));
    }
    let asked = http.asked();
    assert_eq!(asked.is_empty(), !by_proxy);
    for request in &asked {
        assert!(request.starts_with("CONNECT localhost:"), "{request}");
    }
    assert!(!story.contains("s3cret") && !story.contains(LOGIN), "{story}");
    cloud.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_with_a_password() {
    whole_life("", Transport::Mqtt, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_websocket() {
    whole_life("", Transport::Websocket, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_websocket_through_a_proxy() {
    whole_life("", Transport::Websocket, true).await;
}

#[cfg(feature = "mqtt5")]
#[tokio::test(flavor = "multi_thread")]
async fn over_a_websocket_through_a_proxy_to_a_hub_of_mqtt_5() {
    whole_life("=mqtt5", Transport::Websocket, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_tried_again_and_again_and_a_new_one_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(directory.path(), "", Transport::Mqtt).await;
    let http = HttpProxy::start(target(&config), Manner::Leads(Some(LOGIN))).await;
    through(&mut config, http.address().port(), Some(&password(directory.path(), "wr0ng")));
    let mut timing = fast();
    // As it is in the field: an attempt in minutes.
    timing.refused = Timing::default().refused;
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, timing);
    agent.wait_for_words("the proxy does not take this user name and password (407 Who are you)").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(http.asked().len(), 1, "{}", agent.story());
    password(directory.path(), "s3cret");
    agent.wait_until("readings", |events| delivered(events) >= 1).await;
    let story = agent.story();
    assert!(!story.contains("wr0ng") && !story.contains("s3cret"), "{story}");
    agent.stop().await;
    cloud.emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manner_of_a_proxy_is_told_and_outlived() {
    let directory = tempfile::tempdir().unwrap();
    let (cloud, mut config) = cloud(directory.path(), "", Transport::Mqtt).await;
    let http =
        HttpProxy::start(target(&config), Manner::Answers("HTTP/1.1 504 Gateway Timeout\r\n\r\n")).await;
    through(&mut config, http.address().port(), None);
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    agent.wait_for_words("the proxy does not reach localhost:").await;
    for (manner, words) in [
        (Manner::Answers("HTTP/1.1 403 Forbidden\r\n\r\n"), "the proxy lets nobody through to localhost:"),
        (Manner::Answers("HTTP/1.1 407 No\r\n\r\n"), "the proxy wants a user name and a password (407 No)"),
        (
            Manner::Answers("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>log in</html>"),
            "does not speak TLS: is it a captive portal or a proxy in between",
        ),
        (Manner::Answers("<html>log in</html>"), "does not speak HTTP: is it a captive portal"),
        (Manner::Answers(""), "the proxy closed the connection and gave no answer to CONNECT"),
        (Manner::Hangs, "the proxy takes the connection, but does not answer CONNECT within 2 s"),
    ] {
        http.set(manner);
        agent.wait_for_words(words).await;
    }
    http.set(Manner::Leads(None));
    agent.wait_until("readings", |events| delivered(events) >= 1).await;
    agent.stop().await;
    cloud.emulator.shutdown().await;
}
