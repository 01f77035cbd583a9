//! Event Grid subscriptions: the proof of the webhook, what it is told, and in which form.

use std::time::Duration;

use crate::common::{
    Lab,
    receiver::{Posted, Receiver},
    service::Service,
};
use serde_json::{Value, json};
use tracker_emulator::{Emulator, EventSubscription, EventType};

const PLAIN: &str = "devices/d1/messages/events/$.ct=application%2Fjson&$.ce=utf-8&alarm=tooWarm";

async fn lab() -> Lab {
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO);
    Lab::with(builder.first_redelivery(Duration::from_millis(5)).start().await.expect("it starts"))
}

/// A webhook that proves itself, and answers all else with this status.
fn proving(status: u16) -> impl Fn(usize, &Posted) -> (u16, Value) {
    move |_, posted| match posted.body[0]["data"]["validationCode"].as_str() {
        Some(code) => (200, json!({"validationResponse": code})),
        None => (status, Value::Null),
    }
}

fn subscription(url: &str, filter: &Value) -> String {
    let destination = json!({"endpointType": "WebHook", "properties": {"endpointUrl": url}});
    json!({"properties": {"destination": destination, "filter": filter}}).to_string()
}

#[tokio::test]
async fn a_webhook_proves_itself_and_hears_of_devices() {
    let lab = lab().await;
    let service = Service::hub(&lab.emulator);
    let mut receiver = Receiver::answering(proving(200)).await;
    let put =
        service.call("PUT", "/eventSubscriptions/ops", &[], &subscription(&receiver.url, &json!({}))).await;
    assert_eq!(
        (put.status, &put.body["properties"]["provisioningState"]),
        (201, &json!("Succeeded")),
        "{}",
        put.body
    );
    let base = receiver.url.trim_end_matches("?code=secret");
    assert_eq!(put.body["properties"]["destination"]["properties"], json!({"endpointBaseUrl": base}));

    let mut device = lab.online("d1").await;
    device.publish(PLAIN, r#"{"t": 1}"#).await;
    device.disconnect().await;
    receiver.first(4).await;
    lab.emulator.hub("hub-1").expect("the hub").delete("d1").expect("deleted");
    let posted = receiver.first(5).await;

    let proof = &posted[0];
    assert_eq!(proof.header("aeg-event-type"), Some("SubscriptionValidation"));
    assert_eq!(proof.body[0]["eventType"], "Microsoft.EventGrid.SubscriptionValidationEvent");
    let types: Vec<_> = posted[1..].iter().map(|posted| posted.body[0]["eventType"].clone()).collect();
    assert_eq!(
        types,
        [
            "Microsoft.Devices.DeviceCreated",
            "Microsoft.Devices.DeviceConnected",
            "Microsoft.Devices.DeviceDisconnected",
            "Microsoft.Devices.DeviceDeleted",
        ],
        "telemetry has to be asked for"
    );
    let created = &posted[1];
    assert_eq!(created.path, "/hook?code=secret");
    assert_eq!(created.header("aeg-event-type"), Some("Notification"));
    assert_eq!(created.header("aeg-subscription-name"), Some("OPS"));
    assert_eq!(created.body.as_array().map(Vec::len), Some(1));
    let event = &created.body[0];
    assert_eq!(
        json!([event["subject"], event["dataVersion"], event["metadataVersion"], event["data"]["hubName"]]),
        json!(["devices/d1", "1", "1", "hub-1"])
    );
    assert!(
        event["topic"].as_str().is_some_and(|topic| topic.ends_with("/MICROSOFT.DEVICES/IOTHUBS/HUB-1")),
        "{event}"
    );
    assert_eq!(event["data"]["twin"]["deviceId"], "d1");
    assert_eq!(event["data"]["twin"]["properties"]["desired"]["telemetryInterval"], 5);
    let connection = |posted: &Posted| {
        let info = &posted.body[0]["data"]["deviceConnectionStateEventInfo"];
        info["sequenceNumber"].as_str().map(str::to_owned).expect("a number")
    };
    assert_eq!(connection(&posted[2]).len(), 64);
    assert!(connection(&posted[2]) < connection(&posted[3]));

    assert_eq!(service.get("/eventSubscriptions").await.body["value"][0]["name"], "ops");
    assert_eq!(service.get("/eventSubscriptions/ops").await.body["deliveries"]["delivered"], 4);
    assert_eq!(service.call("DELETE", "/eventSubscriptions/ops", &[], "").await.status, 204);
    assert_eq!(service.call("DELETE", "/eventSubscriptions/ops", &[], "").await.status, 404);
    assert_eq!(service.get("/eventSubscriptions/ops").await.status, 404);
}

#[tokio::test]
async fn telemetry_is_told_to_those_who_ask_by_type_and_subject_and_is_enriched() {
    let lab = lab().await;
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let mut receiver = Receiver::answering(proving(204)).await;
    let mut wanted = EventSubscription::to_webhook(&receiver.url);
    wanted.filter.included_event_types = Some(vec![EventType::DeviceTelemetry]);
    wanted.filter.subject_begins_with = "Devices/D".into();
    wanted.filter.subject_ends_with = "1".into();
    hub.put_event_subscription("telemetry", wanted.clone()).await.expect("it proves itself");
    wanted.filter.is_subject_case_sensitive = true;
    hub.put_event_subscription("nothing", wanted).await.expect("it proves itself");
    let routing = json!({"enrichments": [
        {"key": "env", "value": "$twin.tags.environment", "endpointNames": ["eventgrid"]}]});
    hub.set_routing(serde_json::from_value(routing).expect("a routing")).expect("a good routing");
    let mut telemetry = hub.telemetry();
    let mut device = lab.online("d1").await;
    let mut other = lab.online("d2").await;
    other.publish("devices/d2/messages/events/", "{}").await;
    device.publish(PLAIN, r#"{"t": 1}"#).await;
    device.publish("devices/d1/messages/events/", "bytes").await;
    let posted = receiver.first(4).await;
    let event = &posted[2].body[0];
    assert_eq!(event["eventType"], "Microsoft.Devices.DeviceTelemetry");
    assert_eq!(event["dataVersion"], "");
    let data = &event["data"];
    assert_eq!(
        (&data["body"], &data["properties"]),
        (&json!({"t": 1}), &json!({"alarm": "tooWarm", "env": "lab"}))
    );
    let system = &data["systemProperties"];
    assert_eq!(
        json!([
            system["iothub-content-type"],
            system["iothub-connection-device-id"],
            system["iothub-message-source"]
        ]),
        json!(["application/json", "d1", "Telemetry"])
    );
    assert_eq!(posted[3].body[0]["data"]["body"], "Ynl0ZXM=");
    assert_eq!(posted.len(), 4);
    // What subscriptions hear takes nothing from the routes.
    for _ in 0..3 {
        let message = telemetry.next().await.expect("it falls back");
        assert_eq!(message.properties.get("env"), None);
    }
}

#[tokio::test]
async fn a_webhook_without_proof_and_what_is_wrong_are_refused() {
    let lab = lab().await;
    let service = Service::hub(&lab.emulator);
    let silent = Receiver::start().await;
    let lying = Receiver::answering(|_, _| (200, json!({"validationResponse": "guessed"}))).await;
    let accepting = Receiver::answering(|_, posted| {
        (202, json!({"validationResponse": posted.body[0]["data"]["validationCode"]}))
    })
    .await;
    // Nothing but the system's roots is trusted, and the emulator's own authority is none of them.
    let port = lab.emulator.service_address().expect("a service side").port();
    let untrusted = format!("https://localhost:{port}/hook");
    let good = |filter: Value| subscription(&silent.url, &filter);
    let mut elsewhere: Value = serde_json::from_str(&good(json!({}))).expect("JSON");
    elsewhere["properties"]["destination"]["endpointType"] = json!("EventHub");
    let mut far: Value = serde_json::from_str(&good(json!({}))).expect("JSON");
    far["properties"]["deadLetterDestination"] =
        json!({"endpointType": "File", "properties": {"file": "/etc/x.jsonl"}});
    for (name, body, why) in [
        ("s", good(json!({})), "no validationResponse"),
        ("s", subscription(&lying.url, &json!({})), "not the code that it was sent"),
        ("s", subscription(&accepting.url, &json!({})), "HTTP 202"),
        ("s", subscription(&Receiver::nobody().await, &json!({})), "cannot connect"),
        ("s", subscription(&untrusted, &json!({})), "invalid peer certificate"),
        ("s", subscription("mailto:x", &json!({})), "endpointUrl is no http or https address"),
        ("a b", good(json!({})), "the name of an event subscription"),
        (
            "s",
            good(json!({"includedEventTypes": ["Microsoft.Devices.Other"]})),
            "unknown variant `Microsoft.Devices.Other`",
        ),
        ("s", good(json!({"includedEventTypes": []})), "includedEventTypes is empty"),
        ("s", good(json!({"advancedFilters": [{}]})), "advancedFilters are not implemented"),
        ("s", good(json!({"subjectEndsWith": "x".repeat(200)})), "filter.subjectEndsWith"),
        ("s", good(json!({"subject": "x"})), "unknown field `subject`"),
        ("s", elsewhere.to_string(), "unknown variant `EventHub`"),
        ("s", far.to_string(), "deadLetterDestination.properties.file"),
        ("s", "{}".into(), "properties is missing"),
    ] {
        let path = format!("/eventSubscriptions/{}", name.replace(' ', "%20"));
        let refused = service.call("PUT", &path, &[], &body).await;
        let message = refused.body["Message"].as_str().unwrap_or_default();
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
        assert!(message.contains(why), "{body}: {message}");
        assert!(!message.contains("secret"), "{message}");
    }
    assert_eq!(service.get("/eventSubscriptions").await.body["value"], json!([]));
}

#[tokio::test]
async fn subscriptions_and_what_waits_outlive_a_restart_and_dead_letters_are_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = |wait: Duration| {
        let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).first_redelivery(wait);
        builder.state_directory(directory.path().join("state")).files_directory(directory.path()).start()
    };
    let lab = Lab::with(start(Duration::from_mins(5)).await.expect("it starts"));
    let service = Service::hub(&lab.emulator);
    let mut receiver = Receiver::answering(proving(503)).await;
    let destination = json!({"endpointType": "WebHook", "properties": {"endpointUrl": receiver.url}});
    let properties = json!({"destination": destination, "retryPolicy": {"maxDeliveryAttempts": 2},
        "deadLetterDestination": {"endpointType": "File", "properties": {"file": "dead.jsonl"}}});
    let body = json!({ "properties": properties }).to_string();
    assert_eq!(service.call("PUT", "/eventSubscriptions/ops", &[], &body).await.status, 201);
    lab.online("d1").await.disconnect().await;
    receiver.first(2).await;
    let Lab { emulator, .. } = lab;
    emulator.shutdown().await;

    let emulator = start(Duration::from_millis(5)).await.expect("it starts again");
    let file = directory.path().join("dead.jsonl");
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    while text().lines().count() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let letters: Vec<Value> = text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(letters[0]["eventType"], "Microsoft.Devices.DeviceCreated");
    assert_eq!(
        json!([
            letters[0]["deadLetterReason"],
            letters[0]["deliveryAttempts"],
            letters[0]["lastDeliveryOutcome"]
        ]),
        json!(["MaxDeliveryAttemptsExceeded", 2, "HTTP 503"])
    );
    assert_eq!(emulator.hub("hub-1").expect("the hub").event_subscriptions().len(), 1);
    emulator.shutdown().await;
}
