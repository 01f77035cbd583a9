//! The allocation policy custom: what the webhook is asked, and what becomes of its answers.

use std::sync::{Arc, Mutex};

use crate::common::Lab;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tracker_emulator::{AllocationPolicy, CustomAllocationDefinition, Emulator, IfMatch};

/// Answers requests with these statuses and bodies, one after the other, and keeps what it was asked.
async fn webhook(answers: Vec<(u16, Value)>) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/choose?code=1", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut text = Vec::new();
            let request = loop {
                let mut buffer = [0; 8192];
                let read = stream.read(&mut buffer).await.expect("open");
                text.extend_from_slice(&buffer[..read]);
                let so_far = String::from_utf8_lossy(&text).into_owned();
                if let Some((_, body)) = so_far.split_once("\r\n\r\n")
                    && let Ok(request) = serde_json::from_str(body)
                {
                    break request;
                }
            };
            kept.lock().expect("no panic").push(request);
            let body = body.to_string();
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await.expect("sent");
        }
    });
    (url, asked)
}

async fn lab(webhook_url: String) -> Lab {
    let timing = std::time::Duration::ZERO;
    let emulator = Emulator::builder().hubs(["hub-1", "hub-2"]).dps_timing(timing, timing).start().await;
    let lab = Lab::with(emulator.expect("it starts"));
    let dps = lab.emulator.dps();
    let mut group = dps.groups().get("trackers").expect("the group");
    group.terms.allocation_policy = AllocationPolicy::Custom;
    group.terms.custom_allocation_definition =
        Some(CustomAllocationDefinition { webhook_url, api_version: "2019-03-31".into() });
    dps.groups().update(group, &IfMatch::Any).expect("updated");
    lab
}

#[tokio::test]
async fn the_webhook_chooses_hub_and_twin_and_talks_to_the_device() {
    let answer = json!({
        "iotHubHostName": "hub-2.azure-devices.net",
        "initialTwin": {"tags": {"by": "webhook"}, "properties": {"desired": {"interval": 1}}},
        "payload": {"welcome": true},
    });
    let (url, asked) = webhook(vec![(503, Value::Null), (200, answer)]).await;
    let lab = lab(url).await;
    let mut device = lab.to_dps("d1", &lab.credentials("d1")).connect().await.expect("DPS lets in");
    device.subscribe("$dps/registrations/res/#").await;
    let body = json!({"registrationId": "d1", "payload": {"colour": "red"}}).to_string();
    device.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", body).await;
    let (mut status, mut answer) = device.dps_answer().await;
    while status == 202 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let operation = answer["operationId"].as_str().expect("an operation").to_owned();
        let poll =
            format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation}");
        device.publish(&poll, " ").await;
        (status, answer) = device.dps_answer().await;
    }
    let state = &answer["registrationState"];
    assert_eq!(
        (&state["assignedHub"], &state["payload"]),
        (&json!("hub-2.azure-devices.net"), &json!({"welcome": true})),
        "{answer}"
    );
    let twin = lab.emulator.hub("hub-2").expect("the hub").twin("d1").expect("the twin");
    assert_eq!((&twin.tags["by"], &twin.properties.desired["interval"]), (&json!("webhook"), &json!(1)));
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 2, "429 and more is asked for again");
    let request = &asked[1];
    assert_eq!(request["deviceRuntimeContext"]["registrationId"], "d1");
    assert_eq!(request["deviceRuntimeContext"]["payload"], json!({"colour": "red"}));
    assert_eq!(request["linkedHubs"], json!(["hub-1.azure-devices.net", "hub-2.azure-devices.net"]));
    assert_eq!(request["enrollmentGroup"]["enrollmentGroupId"], "trackers");
    assert!(request["deviceRuntimeContext"]["x509"].is_object());
}

#[tokio::test]
async fn a_webhook_that_fails_fails_the_registration_with_its_own_number() {
    let answers = vec![
        (200, json!({})),
        (200, json!({"iotHubHostName": "elsewhere.azure-devices.net"})),
        (401, Value::Null),
        (400, Value::Null),
        (200, json!("no object")),
        (200, json!({"iotHubHostName": "hub-1.azure-devices.net", "initialTwin": {"tags": {"a.b": 1}}})),
    ];
    let (url, _) = webhook(answers).await;
    let lab = lab(url).await;
    let credentials = lab.credentials("d1");
    for expected in [400_208, 400_208, 400_209, 400_207, 400_207, 400_207] {
        let (status, body) = lab.register("d1", &credentials).await;
        assert_eq!((status, &body["status"]), (200, &json!("failed")), "{body}");
        assert_eq!(body["registrationState"]["errorCode"], expected, "{body}");
    }
}
