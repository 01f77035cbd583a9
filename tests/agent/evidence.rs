//! Evidence and trips from the twin to the verdict: an agent, a local hub, and the command that looks at what was received.

#![cfg(feature = "lab")]
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracker_emulator::TelemetryMessage;

use crate::support::agent::{Agent, PATIENCE, next_message};

const DEVICE: &str = "sensor-thl-001";

/// As `cloud monitor` prints it.
pub fn line(message: impl AsRef<TelemetryMessage>) -> Value {
    let message = message.as_ref();
    let body: Value = serde_json::from_slice(&message.body).expect("JSON");
    json!({"deviceId": message.device_id, "properties": message.application_properties(), "body": body})
}

pub fn verify(directory: &Path, lines: &[Value], roots: &Path) -> (Option<i32>, String) {
    let file = directory.join("received.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).expect("the file can be written");
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    program.arg("verify").arg(&file).arg("--roots").arg(roots).arg("--json");
    let output = program.output().expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_is_begun_ended_signed_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let mut agent = Agent::simple(config.clone());
    let mut telemetry = cloud.hub.telemetry();
    agent.wait_for_words("online at").await;
    let before = next_message(&mut telemetry, DEVICE).await;
    assert!(
        line(before.clone())["properties"].as_object().unwrap().is_empty(),
        "nothing is sent that nobody has asked for"
    );

    cloud.hub.update_twin_desired(DEVICE, json!({"evidence": true})).unwrap();
    let call = async |name: &str, payload: Value| {
        let answer = cloud.hub.invoke_method(DEVICE, name, payload, Duration::from_secs(10)).await.unwrap();
        (answer.status, answer.payload.unwrap_or_default())
    };
    let mut lines = vec![line(before.clone())];
    let mut receive = async |until: &dyn Fn(&Value) -> bool| {
        let all = async {
            loop {
                lines.push(line(next_message(&mut telemetry, DEVICE).await));
                if until(lines.last().expect("it was pushed")) {
                    return lines.clone();
                }
            }
        };
        timeout(PATIENCE, all).await.expect("it is received")
    };
    receive(&|line| line["body"]["evidence"] == "tripBegin").await;
    assert_eq!(call("startTrip", json!({"bounds": {"temperature": {"low": 9, "high": 8}}})).await.0, 400);
    let (status, terms) =
        call("startTrip", json!({"trip": "MSKU-7", "bounds": {"temperature": {"high": 8}}})).await;
    assert_eq!((status, &terms["trip"], &terms["by"]), (200, &json!("MSKU-7"), &json!("method")));
    assert_eq!(call("startTrip", json!({})).await.0, 409);
    sleep(Duration::from_secs(3)).await;
    let (status, so_far) = call("getTripReport", Value::Null).await;
    assert!(status == 200 && so_far["readings"].as_u64() >= Some(2), "{so_far}");
    let (status, report) = call("endTrip", Value::Null).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(call("endTrip", Value::Null).await.0, 404);
    // The end is signed at once.
    receive(&|line| line["body"]["evidence"] == "tripEnd" && line["body"]["trip"] == "MSKU-7").await;
    let ends = |line: &Value| line["body"]["evidence"] == "signature";
    receive(&ends).await;
    sleep(Duration::from_secs(2)).await;
    let all = receive(&|_| true).await;
    assert!(all.iter().any(|line| line["properties"]["messageType"] == "evidence"));

    let roots = directory.path().join("root.pem");
    std::fs::write(&roots, root_of(&config.identity.certificate)).unwrap();
    let (code, said) = verify(directory.path(), &all, &roots);
    let verdict: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((code, &verdict["good"]), (Some(0), &json!(true)), "{said}");
    let trip =
        verdict["trips"].as_array().unwrap().iter().find(|trip| trip["report"]["trip"] == "MSKU-7").unwrap();
    assert_eq!((&trip["report"], &trip["differs"]), (&report, &json!([])));
    let signer = &verdict["signed"][0];
    assert!(signer["subject"].as_str().unwrap().contains(DEVICE) && signer["root"].is_string(), "{signer}");

    let mut forged = all.clone();
    let reading = forged.iter_mut().rev().find(|line| line["body"]["temperature"].is_number()).unwrap();
    let seq = reading["body"]["seq"].as_u64().unwrap();
    reading["body"]["temperature"] = json!(4.5);
    let (code, said) = verify(directory.path(), &forged, &roots);
    let verdict: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, verdict["seq"].as_u64()), (Some(1), Some(seq)), "{said}");
    agent.stop().await;

    next_owner_sees_nothing(directory.path(), &config);
}

/// What the last owner had is gone with `deprovision`.
fn next_owner_sees_nothing(directory: &Path, config: &Config) {
    let state = &config.state.directory;
    let program = env!("CARGO_BIN_EXE_container-tracker");
    let report = directory.join("report.json");
    let file = directory.join("tracker.toml");
    let toml = format!(
        "[dps]\nid_scope = \"0ne00000001\"\n[identity]\ncertificate = \"{}\"\nkey = \"{}\"\n[clock]\ntrust_system = true\n\
         [state]\ndirectory = \"{}\"\n",
        config.identity.certificate.display(),
        config.identity.key,
        state.display(),
    );
    std::fs::write(&file, toml).unwrap();
    let deprovision = |more: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(["deprovision", "--yes", "--config"])
            .arg(&file)
            .args(more)
            .output()
            .expect("the program starts")
    };
    let done = deprovision(&["--report", report.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("no trip was under way"), "{said}");
    assert!(!state.join("evidence.json").exists() && !state.join("settings.json").exists());
    let content = std::fs::read(state.join("journal.db")).unwrap();
    assert!(!content.windows(5).any(|bytes| bytes == b",\"h\":"), "no hash is left");
}

/// The certificate that ends a chain.
pub fn root_of(certificate: &Path) -> String {
    let text = std::fs::read_to_string(certificate).expect("the chain can be read");
    let begin = text.rfind("-----BEGIN CERTIFICATE-----").expect("there is one");
    text[begin..].to_owned()
}
