//! `container-tracker cloud route`, `routing-endpoint`, `enrichment` and `event-subscription`: the real program, against the
//! emulator as a program beside it.

#![cfg(feature = "lab")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cloud::Emulator;
use crate::support::agent::PATIENCE;

/// A webhook that proves itself to Event Grid and takes everything; its address, and what it was sent.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?code=secret", listener.local_addr().unwrap());
    let (sent, received) = sync_channel(100);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(body) = answer(stream) else { continue };
            if sent.send(body).is_err() {
                return;
            }
        }
    });
    (url, received)
}

fn answer(mut stream: TcpStream) -> Option<Value> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut text = Vec::new();
    let body: Value = loop {
        let mut buffer = [0; 8192];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&buffer[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((_, body)) = so_far.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            break body;
        }
    };
    let proof = json!({"validationResponse": body[0]["data"]["validationCode"]}).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{proof}", proof.len())
        .ok()?;
    Some(body)
}

#[test]
fn routes_are_made_tried_and_taken_away() {
    let emulator = Emulator::start(&[]);
    let (url, received) = webhook();
    let file = ["routing-endpoint", "create", "--endpoint-name", "archive", "--file", "archive.jsonl"];
    assert_eq!(emulator.json(&file)["file"], "archive.jsonl");
    let hook = [
        "routing-endpoint",
        "create",
        "--endpoint-name",
        "ops",
        "--url",
        &url,
        "--max-delivery-attempts",
        "3",
    ];
    emulator.json(&[&hook[..], &["--dead-letter-file", "dead.jsonl"]].concat());
    assert!(emulator.error(&hook).contains("ops is there already"));
    let create = ["route", "create", "--route-name", "alarms", "--endpoint-name", "ops"];
    emulator.json(&[&create[..], &["--condition", "alarm = 'tooWarm' AND $body.t > 5"]].concat());
    let life = ["route", "create", "--rn", "life", "--en", "ops", "--type", "devicelifecycleevents"];
    assert_eq!(emulator.json(&life)["source"], "DeviceLifecycleEvents");
    let wrong = emulator.error(&["route", "create", "--rn", "x", "--en", "ops", "-c", "alarm IN ['a']"]);
    assert!(wrong.contains("routes \"x\": condition: \"IN\" is not expected"), "{wrong}");
    let nowhere = emulator.error(&["route", "create", "--rn", "x", "--en", "nowhere"]);
    assert!(nowhere.contains("there is no endpoint \"nowhere\""), "{nowhere}");
    emulator.json(&[
        "enrichment",
        "create",
        "--key",
        "hub",
        "--value",
        "$iothubname",
        "--endpoints",
        "ops,events",
    ]);
    assert_eq!(emulator.json(&["enrichment", "list"])[0]["endpointNames"], json!(["ops", "events"]));

    let tried = ["route", "test", "--body", "{\"t\": 9}", "--app-properties", "{\"alarm\": \"tooWarm\"}"];
    assert_eq!(emulator.json(&tried)[0]["name"], "alarms");
    let result = |more: &[&str]| emulator.json(&[&tried[..], more].concat())["result"].clone();
    assert_eq!(result(&["--route-name", "alarms"]), "true");
    assert_eq!(result(&["--condition", "$body.t > 50"]), "false");
    assert_eq!(
        result(&["--route-name", "alarms", "--system-properties", "{}"]),
        "false",
        "it does not say what it is"
    );
    assert!(
        emulator.error(&["route", "test", "--route-name", "other"]).contains("the hub has no route other")
    );

    emulator.json(&["device", "create", "--device-id", "d1"]);
    let told = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&told["Properties"]["opType"], &told["Properties"]["hub"]),
        (&json!("createDeviceIdentity"), &json!("hub-1"))
    );
    let table = emulator.text(&["route", "list", "--output", "table"]);
    assert!(table.lines().any(|line| line.starts_with("alarms") && line.contains("tooWarm")), "{table}");

    assert_eq!(emulator.json(&["route", "fallback"])["isEnabled"], true);
    let fallback = emulator.json(&["route", "fallback", "--enabled", "false", "--endpoint-name", "archive"]);
    assert_eq!((&fallback["isEnabled"], &fallback["endpointNames"][0]), (&json!(false), &json!("archive")));
    let used = emulator.error(&["routing-endpoint", "delete", "--endpoint-name", "ops"]);
    assert!(used.contains("there is no endpoint \"ops\""), "{used}");
    emulator.text(&["route", "delete", "--route-name", "alarms"]);
    emulator.text(&["route", "delete", "--route-name", "life"]);
    emulator.text(&["enrichment", "delete", "--key", "hub"]);
    emulator.text(&["routing-endpoint", "delete", "--endpoint-name", "ops"]);
    assert!(emulator.error(&["route", "show", "--route-name", "life"]).contains("the hub has no route life"));
    let left = emulator.json(&["routing-endpoint", "list"]);
    assert_eq!((left[0]["name"].as_str(), left.as_array().map(Vec::len)), (Some("archive"), Some(1)));
}

#[test]
fn event_subscriptions_are_made_shown_and_ended() {
    let emulator = Emulator::start(&[]);
    let (url, received) = webhook();
    let create = ["event-subscription", "create", "--name", "ops", "--endpoint", &url];
    let types = "Microsoft.Devices.DeviceCreated,Microsoft.Devices.DeviceDeleted";
    let filter = [
        "--included-event-types",
        types,
        "--subject-begins-with",
        "devices/d",
        "--dead-letter-file",
        "dead.jsonl",
    ];
    let made = emulator.json(&[&create[..], &filter].concat());
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert!(!made.to_string().contains("secret"), "{made}");
    received.recv_timeout(PATIENCE).unwrap();
    emulator.json(&["device", "create", "--device-id", "other"]);
    emulator.json(&["device", "create", "--device-id", "d1"]);
    let event = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&event[0]["subject"], &event[0]["eventType"]),
        (&json!("devices/d1"), &json!("Microsoft.Devices.DeviceCreated"))
    );
    let wrong = emulator.error(&[&create[..], &["--included-event-types", "DeviceCreated"]].concat());
    assert!(wrong.contains("unknown variant `DeviceCreated`"), "{wrong}");
    let table = emulator.text(&["event-subscription", "list", "--output", "table"]);
    assert!(table.contains("ops  ") && !table.contains("secret"), "{table}");
    emulator.text(&["event-subscription", "delete", "--name", "ops"]);
    assert!(
        emulator
            .error(&["event-subscription", "show", "--name", "ops"])
            .contains("has no event subscription")
    );
}

#[test]
fn silence_is_set_and_shown() {
    let emulator = Emulator::start(&[]);
    assert_eq!(emulator.json(&["silence", "show"])["properties"]["isEnabled"], false);
    let set = emulator.json(&["silence", "set", "--enabled", "true", "--intervals", "5"]);
    assert_eq!(
        set["properties"],
        json!({"isEnabled": true, "intervals": 5, "defaultIntervalSeconds": 300, "severity": "critical"})
    );
    let set = emulator.json(&["silence", "set", "--severity", "warning", "--default-interval", "60"]);
    assert_eq!((&set["properties"]["intervals"], &set["silent"]), (&json!(5), &json!([])));
    assert!(emulator.error(&["silence", "set", "--intervals", "1"]).contains("it has to be 2 to 1000"));
    assert!(emulator.error(&["silence", "set"]).contains("nothing to set"));
}

#[test]
fn azure_is_told_to_have_them_elsewhere() {
    let emulator = Emulator::start(&[]);
    let login = "HostName=hub.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5";
    for (noun, instead) in [
        ("route", "az iot hub message-route"),
        ("routing-endpoint", "az iot hub message-endpoint"),
        ("enrichment", "az iot hub message-enrichment"),
        ("event-subscription", "az eventgrid event-subscription"),
        ("silence", "az iot hub query"),
    ] {
        let verb = if noun == "silence" { "show" } else { "list" };
        let refused = emulator.error(&[noun, verb, "--login", login]);
        assert!(refused.contains(instead), "{refused}");
    }
}
