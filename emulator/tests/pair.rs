//! The services driven by hand: days of a device's life without a socket, a runtime, or waiting.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, DirectMethod, DisconnectReason, EmulatorOptions, EnrollmentGroup, Fault, FaultKind,
    FaultyService, HubError,
    pair::{self, Client, Cloud, Dial, Disconnected, Received},
    pki::{CertificateAuthority, Validity},
};

const HUB: &str = "hub-1.azure-devices.net";
const DEVICE: &str = "d1";

/// A cloud with a group on its root, and the chain of a device valid for ninety days.
fn cloud(options: &EmulatorOptions) -> (Cloud, String) {
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().expect("a time");
    let cloud = Cloud::with(now, options).expect("it is made");
    let root = CertificateAuthority::root("lab root", Validity::always()).expect("a root");
    cloud.dps().certificates().upload_verified("root", &root.certificate_pem()).expect("a CA certificate");
    let group = EnrollmentGroup::new("trackers", AttestationMechanism::ca_reference("root"));
    cloud.dps().groups().create(group).expect("a group");
    let validity = Validity { not_before: now - TimeDelta::days(1), not_after: now + TimeDelta::days(90) };
    (cloud, root.device(DEVICE, validity).expect("a leaf").chain_pem)
}

fn fast() -> EmulatorOptions {
    EmulatorOptions { assigning_time: Duration::ZERO, ..EmulatorOptions::default() }
}

/// The one message that has come: topic and body.
fn message(client: &mut Client) -> (String, Value) {
    let received = client.receive().expect("connected");
    let mut messages = received.into_iter().filter_map(|item| match item {
        Received::Message { topic, payload } => Some((topic, payload)),
        Received::Acknowledged(_) => None,
    });
    let (topic, payload) = messages.next().expect("a message");
    assert_eq!(messages.next(), None);
    (topic, serde_json::from_slice(&payload).unwrap_or_default())
}

fn register(client: &mut Client) -> (String, Value) {
    let body = json!({"registrationId": DEVICE}).to_string();
    client.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", body.as_bytes()).expect("connected");
    message(client)
}

fn poll(client: &mut Client, operation: &Value) -> (String, Value) {
    let operation = operation["operationId"].as_str().expect("an operation");
    let topic = format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation}");
    client.publish(&topic, b" ").expect("connected");
    message(client)
}

fn to_dps(cloud: &Cloud, chain: &str) -> Client {
    let mut client = cloud.connect(&Dial::to_dps(cloud, DEVICE, chain)).expect("let in");
    client.subscribe("$dps/registrations/res/#").expect("subscribed");
    client
}

fn online(cloud: &Cloud, chain: &str) -> Client {
    let mut dps = to_dps(cloud, chain);
    let (_, operation) = register(&mut dps);
    assert_eq!(poll(&mut dps, &operation).1["status"], "assigned");
    dps.disconnect();
    cloud.connect(&Dial::to_hub(HUB, DEVICE, chain)).expect("let in")
}

#[test]
fn a_registration_takes_the_time_of_the_clock() {
    let options = EmulatorOptions { assigning_time: Duration::from_hours(1), ..EmulatorOptions::default() };
    let (cloud, chain) = cloud(&options);
    let mut client = to_dps(&cloud, &chain);
    let (topic, operation) = register(&mut client);
    assert!(topic.starts_with("$dps/registrations/res/202/"), "{topic}");
    cloud.clock().advance(TimeDelta::seconds(3599));
    assert_eq!(poll(&mut client, &operation).1["status"], "assigning");
    cloud.clock().advance(TimeDelta::seconds(1));
    let (_, answer) = poll(&mut client, &operation);
    assert_eq!(answer["registrationState"]["assignedHub"], HUB);
}

#[test]
fn a_certificate_expires_by_the_clock() {
    let (cloud, chain) = cloud(&fast());
    drop(online(&cloud, &chain));
    cloud.clock().advance(TimeDelta::days(91));
    let (topic, answer) = register(&mut to_dps(&cloud, &chain));
    assert!(topic.starts_with("$dps/registrations/res/401/"), "{topic}");
    assert_eq!(answer["errorCode"], 401_002);
    let refused = cloud.connect(&Dial::to_hub(HUB, DEVICE, &chain)).err().expect("refused");
    assert_eq!(refused.code, 5);
}

#[test]
fn desired_properties_and_methods_reach_a_device_and_its_answers_come_back() {
    let (cloud, chain) = cloud(&fast());
    let mut device = online(&cloud, &chain);
    for filter in ["$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#"]
    {
        device.subscribe(filter).expect("subscribed");
    }
    let hub = cloud.hub("hub-1").expect("the hub");
    hub.update_twin_desired(DEVICE, json!({"telemetryInterval": 60})).expect("updated");
    let (topic, patch) = message(&mut device);
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    assert_eq!(patch, json!({"telemetryInterval": 60, "$version": 2}));

    device
        .publish("$iothub/twin/PATCH/properties/reported/?$rid=1", br#"{"battery":80}"#)
        .expect("connected");
    assert!(message(&mut device).0.starts_with("$iothub/twin/res/204/?$rid=1"));
    assert_eq!(hub.twin(DEVICE).expect("the twin").properties.reported["battery"], 80);

    let method = DirectMethod {
        method_name: "ping".into(),
        payload: Some(json!(null)),
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::ZERO,
    };
    let mut call = pair::call_method(&hub, DEVICE, &method).expect("it is connected");
    let (topic, _) = message(&mut device);
    let request_id = topic.strip_prefix("$iothub/methods/POST/ping/?$rid=").expect("a call");
    assert!(call.outcome().is_none());
    device.publish(&format!("$iothub/methods/res/200/?$rid={request_id}"), b"\"pong\"").expect("connected");
    let result = call.outcome().expect("answered").expect("well");
    assert_eq!((result.status, result.payload), (200, Some(json!("pong"))));

    let mut telemetry = hub.telemetry();
    let id = device.publish(&format!("devices/{DEVICE}/messages/events/"), b"{}").expect("connected");
    assert!(device.receive().expect("connected").contains(&Received::Acknowledged(id)));
    assert_eq!(telemetry.try_next().expect("open").expect("a message").device_id, DEVICE);
    device.disconnect();
    let error = pair::call_method(&hub, DEVICE, &method).expect_err("it is gone");
    assert!(matches!(error, HubError::DeviceNotOnline { .. }), "{error}");
}

#[test]
fn faults_strike_and_time_alone_brings_what_they_delay() {
    let (cloud, chain) = cloud(&fast());
    let mut device = online(&cloud, &chain);
    let inject = |kind, times| {
        cloud.faults().inject(Fault { service: FaultyService::AnyHub, device: None, kind, times })
    };
    inject(FaultKind::DelayPubAck { delay: Duration::from_secs(90) }, Some(1));
    let topic = format!("devices/{DEVICE}/messages/events/");
    let id = device.publish(&topic, b"{}").expect("connected");
    assert_eq!(device.receive(), Ok(Vec::new()));
    let deadline = device.deadline().expect("it is under way");
    cloud.clock().set(deadline);
    assert_eq!(device.receive(), Ok(vec![Received::Acknowledged(id)]));
    assert_eq!(device.deadline(), None);
    inject(FaultKind::DropConnection, Some(1));
    assert_eq!(device.publish(&topic, b"{}"), Err(Disconnected(DisconnectReason::Fault)));
    assert!(device.receive().is_err(), "a connection that has ended stays so");
    // A second connection takes over; the first one learns it at its next turn.
    let mut first = cloud.connect(&Dial::to_hub(HUB, DEVICE, &chain)).expect("let in");
    let _second = cloud.connect(&Dial::to_hub(HUB, DEVICE, &chain)).expect("let in");
    assert_eq!(first.receive(), Err(Disconnected(DisconnectReason::TakenOver)));
}
