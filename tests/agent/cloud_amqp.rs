//! `cloud monitor` and `cloud c2d send` over AMQP: the real program, against the emulator as a program beside it.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic)]

use chrono::{SecondsFormat, TimeDelta};
use container_tracker::platform::clock::system_time;
use serde_json::{Value, json};

use crate::cloud::{DEVICE, Emulator};

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_endpoint_is_read_from_its_first_message_and_by_another_name() {
    let emulator = Emulator::start(&[]);
    emulator.enroll(&["--initial-twin-properties", r#"{"telemetryInterval": 1}"#]);
    let agent = emulator.tracker();
    let all = ["monitor", "-d", DEVICE, "--enqueued-time", "0", "--message-count", "2", "--timeout", "60"];
    let shown = emulator.text(&all);
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = shown.iter().map(|message| message["sequenceNumber"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [0, 1], "{shown:?}");
    assert!(shown.iter().all(|message| message["deviceId"] == DEVICE && message["partition"].is_string()));
    assert!(shown[0]["systemProperties"]["iothub-connection-auth-method"].as_str().unwrap().contains("x509"));
    let login = emulator.file()["hubs"][0]["connectionString"].as_str().unwrap().to_owned();
    let shown = emulator.text(&["monitor", "--login", &login, "--cg", "$Default", "--mc", "1", "--to", "60"]);
    assert_eq!(serde_json::from_str::<Value>(shown.trim()).unwrap()["deviceId"], DEVICE);
    agent.stop().await;
}

#[test]
fn what_becomes_of_a_message_is_told_to_who_waits_for_it() {
    let emulator = Emulator::start(&[]);
    emulator.json(&["device", "create", "-d", DEVICE]);
    let soon = (system_time() + TimeDelta::seconds(2)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let told = emulator.json(&[
        "c2d",
        "send",
        "-d",
        DEVICE,
        "--data",
        "too late",
        "--message-id",
        "m-1",
        "--expiry",
        &soon,
        "--wait",
    ]);
    assert_eq!((&told["originalMessageId"], &told["deviceId"]), (&json!("m-1"), &json!(DEVICE)));
    assert_eq!(told["statusCode"], "Expired", "{told}");
    let unknown = emulator.error(&["c2d", "send", "-d", "nobody", "--data", "x", "--wait"]);
    assert!(unknown.contains("refuses") && unknown.contains("nobody"), "{unknown}");
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let emulator = Emulator::start(&[]);
    let azure_nowhere =
        "HostName=nowhere.azure-devices.invalid;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==";
    let cases: &[(&[&str], &str)] = &[
        (&["c2d", "send", "-d", "x", "--login", azure_nowhere], "port 5671 has to be open"),
        (
            &["monitor", "--login", azure_nowhere],
            "can't talk AMQP with nowhere.azure-devices.invalid: its name can't be resolved",
        ),
        (&["monitor", "--consumer-group", "nobody"], "The messaging entity"),
        (&["monitor", "--enqueued-time", "yesterday"], "neither milliseconds since 1970 nor a time"),
    ];
    for (arguments, says) in cases {
        let error = emulator.error(arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}
