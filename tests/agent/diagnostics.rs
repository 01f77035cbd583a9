//! What is known of a device from afar: where it was last, in its twin, and what it tells of itself (`getDiagnostics`).

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs::{File, read_to_string};
use std::io::Write;
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracker_emulator::TelemetryMessage;
use tracker_sensors::gps::SerialSource;

use crate::support::agent::{Agent, PATIENCE, body, mild_chip, next_message};
use crate::support::pseudo_terminal;

const DEVICE: &str = "sensor-thl-001";
/// At 48.21756 N 8.4145 E.
const LOG: &[u8] = include_bytes!("../../sensors/tests/data/nmea/logs/nl2008u.nmea");
/// Bytes of its first epoch.
const FIRST: usize = 1133;

/// A device whose receiver has a fix.
fn start(config: &Config) -> (Agent, File) {
    let (mut receiver, port) = pseudo_terminal();
    receiver.write_all(&LOG[..FIRST]).unwrap();
    let gps = Box::new(SerialSource::new(port, 9600));
    (Agent::start(config.clone(), Some(&mild_chip()), Some(gps)), receiver)
}

/// The reported property, once it is as wanted.
async fn last(cloud: &Cloud, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let twin = cloud.twin(DEVICE).unwrap_or_default();
            let last = twin["properties"]["reported"]["last"].clone();
            if wanted(&last) {
                return last;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it is reported")
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_was_last_is_reported_once_an_interval_whatever_happens_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let mut telemetry = cloud.hub.telemetry();
    let (agent, receiver) = start(&config);
    let first = last(&cloud, |last| last["lat"].is_number()).await;
    assert!((first["lat"].as_f64().unwrap() - 48.217_56).abs() < 1e-3, "{first}");
    assert!((first["temperature"].as_f64().unwrap() - 4.0).abs() < 0.5, "{first}");
    let is_time =
        |last: &Value| last["at"].as_str().is_some_and(|at| chrono::DateTime::parse_from_rfc3339(at).is_ok());
    assert!(is_time(&first) && first.get("place").is_none(), "{first}");
    let seq = |message: std::sync::Arc<TelemetryMessage>| body(&message)["seq"].as_u64().unwrap();
    let begun = seq(next_message(&mut telemetry, DEVICE).await);
    while seq(next_message(&mut telemetry, DEVICE).await) < begun + 2 {}
    assert_eq!(last(&cloud, is_time).await, first, "readings go on");
    agent.stop().await;
    drop(receiver);

    let (mut agent, _receiver) = start(&config);
    agent.wait_for_words("online at").await;
    for _ in 0..3 {
        next_message(&mut telemetry, DEVICE).await;
    }
    assert_eq!(last(&cloud, is_time).await, first, "a start is no reason");
    cloud.hub.update_twin_desired(DEVICE, json!({"lastInterval": 59})).unwrap();
    agent
        .wait_for_words("lastInterval refused: 59 is neither a whole number of seconds from 60 to 86400")
        .await;
    cloud.hub.update_twin_desired(DEVICE, json!({"lastInterval": 0})).unwrap();
    last(&cloud, Value::is_null).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diagnosis_says_what_is_known_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 60).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let mut agent = Agent::simple(config.clone());
    agent.wait_for_words("twin: telemetryInterval = 60").await;
    let call = |payload: Value| cloud.hub.invoke_method(DEVICE, "getDiagnostics", payload, PATIENCE);
    let told = call(Value::Null).await.unwrap();
    let (status, told) = (told.status, told.payload.unwrap());
    assert_eq!((status, &told["cut"]), (200, &json!([])), "{told}");
    assert_eq!((&told["status"]["state"], &told["status"]["hub"]), (&json!("online"), &json!(Cloud::HUB)));
    assert_eq!(
        (&told["certificate"]["keyIn"], &told["settings"]["lastInterval"]),
        (&json!("file"), &json!(3600))
    );
    assert!(told["storage"]["freeMib"].is_u64() && told["program"]["memoryKib"].is_u64(), "{told}");
    let log = |told: &Value| told["log"].as_array().unwrap().len();
    assert!(log(&told) > 3 && !told.to_string().contains("[hidden]"), "nothing of it is a secret: {told}");

    // A connection string where a number belongs is quoted in the log.
    let key = "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A=";
    for planted in [
        format!("HostName=h;SharedAccessKey={key}"),
        "http://ship:hunter2@proxy:3128".into(),
        "-----BEGIN EC PRIVATE KEY-----MIGHAgEAMBMGByqGSM49".into(),
    ] {
        cloud.hub.update_twin_desired(DEVICE, json!({"telemetryInterval": planted})).unwrap();
        let words = format!("telemetryInterval refused: \"{}", &planted[..12]);
        agent.wait_for_words(&words).await;
    }
    let told = call(json!({"lines": 50})).await.unwrap().payload.unwrap().to_string();
    assert!(told.len() <= 16 * 1024 && told.matches("[hidden]").count() >= 3, "{told}");
    let own = read_to_string(config.identity.key.file().unwrap()).unwrap();
    let own = own.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let mut secrets: Vec<&str> = (0..own.len() - 12).map(|at| &own[at..at + 12]).collect();
    secrets.extend([&key[..8], "hunter2", "MIGHAgEA"]);
    let found = secrets.iter().find(|secret| told.contains(**secret));
    assert_eq!(found, None, "{told}");

    assert_eq!(log(&call(json!({"lines": 2})).await.unwrap().payload.unwrap()), 2);
    for bad in [json!({"lines": 51}), json!("all"), json!({"log": 1})] {
        let refused = call(bad).await.unwrap();
        let words = refused.payload.unwrap()["message"].as_str().unwrap().to_owned();
        assert!(refused.status == 400 && words.ends_with("whole number from 0 to 50"), "{words}");
    }
    agent.stop().await;
}
