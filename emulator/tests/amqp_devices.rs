//! Devices over AMQP: telemetry, messages, methods, twins, and how they come and go.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta};
use serde_json::{Value as Json, json};
use tracker_amqp::{
    Attach, Body, Error, LinkId, Message, Outcome, Properties, SaslClient, Source, Target, Value, condition,
    get,
};
use tracker_emulator::{
    Authentication, CloudToDeviceMessage, ConnectionState, DeviceCapabilities, DirectMethod,
    DisconnectReason, Emulator, EventKind, Fault, FaultKind, FaultyService, Hub, ManualClock, SymmetricKey,
    TelemetryMessage,
};

use crate::common::{HUB, Lab, PATIENCE, amqp::Amqp, disconnection, event, service::sas};

const FAR: i64 = 4_000_000_000;

async fn lab() -> Lab {
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).amqp_port(0);
    Lab::with(builder.start().await.expect("it starts"))
}

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

/// A device with certificates, registered and connected.
async fn with_certificate(lab: &Lab, device_id: &str) -> Amqp {
    let credentials = lab.credentials(device_id);
    lab.register(device_id, &credentials).await;
    Amqp::connect(&lab.emulator, HUB, Some(&credentials), None).await
}

/// A device with keys; gives its token until `expiry`.
fn with_key(lab: &Lab, device_id: &str, expiry: i64) -> String {
    let hub = hub(lab);
    let device = match hub.device(device_id) {
        Ok(device) => device,
        Err(_) => hub
            .create_device(
                device_id,
                Authentication::sas(SymmetricKey::default()),
                DeviceCapabilities::default(),
            )
            .expect("a new device"),
    };
    let key = device.authentication.symmetric_key.primary_key.expect("a key");
    sas(&format!("{HUB}/devices/{device_id}"), &key, expiry, None)
}

fn address(device_id: &str, rest: &str) -> String {
    format!("/devices/{device_id}/{rest}")
}

async fn telemetry_link(client: &mut Amqp, device_id: &str) -> LinkId {
    client.sender(&address(device_id, "messages/events"), &[]).await.expect("a link")
}

fn text(body: &str) -> Message {
    Message { body: Body::data(body.to_owned()), ..Message::default() }
}

fn body(message: &Message) -> Vec<u8> {
    message.body.to_bytes().expect("data").to_vec()
}

async fn received(telemetry: &mut tracker_emulator::Subscription<TelemetryMessage>) -> TelemetryMessage {
    let message = tokio::time::timeout(PATIENCE, telemetry.next()).await.expect("it comes in time");
    (*message.expect("it is kept")).clone()
}

fn rejected(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rejected(Some(error)) => error.condition,
        other => format!("{other:?}"),
    }
}

fn fault(kind: FaultKind) -> Fault {
    Fault { service: FaultyService::AnyHub, device: Some("d1".into()), kind, times: Some(1) }
}

#[tokio::test]
async fn telemetry_is_what_it_would_be_over_mqtt_and_too_much_of_it_is_rejected() {
    let lab = lab().await;
    let mut telemetry = hub(&lab).telemetry();
    let mut client = with_certificate(&lab, "d1").await;
    let link = telemetry_link(&mut client, "d1").await;
    let message = Message {
        message_annotations: vec![(Value::symbol("dt-subject"), "thermostat".into())],
        properties: Properties {
            message_id: Some("m-1".into()),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            ..Properties::default()
        },
        application_properties: vec![("note".into(), "a b".into())],
        body: Body::data(r#"{"temperature":4.5}"#),
        ..Message::default()
    };
    for _ in 0..2 {
        assert_eq!(client.send(link, &message).await, Outcome::Accepted);
    }
    let first = received(&mut telemetry).await;
    assert_eq!((first.device_id.as_str(), &first.body[..]), ("d1", &br#"{"temperature":4.5}"#[..]));
    assert_eq!(first.message_id(), Some("m-1"));
    assert_eq!(
        (first.system_properties()["ct"], first.system_properties()["sub"]),
        ("application/json", "thermostat")
    );
    assert_eq!(first.application_properties()["note"], "a b");
    assert!(received(&mut telemetry).await.repeated_message_id);

    let large = client.send(link, &text(&"x".repeat(256 * 1024 + 1))).await;
    assert_eq!(rejected(large), condition::MESSAGE_SIZE_EXCEEDED);
    assert_eq!(client.send(link, &text(&"x".repeat(256 * 1024))).await, Outcome::Accepted);
    assert_eq!(hub(&lab).counters("d1").expect("counters").received, 3);
}

#[tokio::test]
async fn a_device_is_connected_while_it_has_a_link() {
    let lab = lab().await;
    let mut events = lab.emulator.events();
    let mut client = with_certificate(&lab, "d1").await;
    let state = || hub(&lab).device("d1").expect("the device").connection_state;
    assert_eq!(state(), ConnectionState::Disconnected, "it has no link yet");
    let model = [("com.microsoft:model-id", "dtmi:com:example:Thermostat;1")];
    let first = client.sender(&address("d1", "messages/events"), &model).await.expect("a link");
    event(&mut events, |kind| matches!(kind, EventKind::DeviceConnected { .. }).then_some(())).await;
    assert_eq!(hub(&lab).twin("d1").expect("the twin").model_id, "dtmi:com:example:Thermostat;1");
    let second = client.receiver(&address("d1", "messages/devicebound"), &[]).await.expect("a link");
    client.detach(first).await;
    let third = telemetry_link(&mut client, "d1").await;
    assert_eq!(client.send(third, &text("still here")).await, Outcome::Accepted);
    assert_eq!(state(), ConnectionState::Connected);
    client.detach(second).await;
    client.detach(third).await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::Disconnect);
    assert_eq!(state(), ConnectionState::Disconnected);
    telemetry_link(&mut client, "d1").await;
    drop(client);
    assert!(matches!(disconnection(&mut events).await, DisconnectReason::ConnectionLost(_)));
}

#[tokio::test]
async fn messages_are_completed_abandoned_and_rejected() {
    let lab = lab().await;
    let hub = hub(&lab);
    let mut client = with_certificate(&lab, "d1").await;
    let message = CloudToDeviceMessage {
        message_id: Some("m-1".into()),
        body: b"hello".to_vec(),
        properties: vec![("a".into(), "b".into())],
        ..CloudToDeviceMessage::default()
    };
    hub.send("d1", message).expect("it is queued");
    let link = client.receiver(&address("d1", "messages/devicebound"), &[]).await.expect("a link");
    let (delivery, first) = client.message(link).await;
    assert_eq!((body(&first), first.properties.message_id.clone()), (b"hello".to_vec(), Some("m-1".into())));
    assert_eq!(first.properties.to.as_deref(), Some("/devices/d1/messages/devicebound"));
    assert_eq!(get(&first.application_properties, "a").and_then(Value::as_str), Some("b"));
    assert_eq!(first.header.expect("a header").delivery_count, 0);
    client.settle(link, delivery, Outcome::Released).await;
    let (delivery, again) = client.message(link).await;
    assert_eq!((again.header.expect("a header").delivery_count, body(&again)), (1, b"hello".to_vec()));
    client.detach(link).await;

    let link = client.receiver(&address("d1", "messages/devicebound"), &[]).await.expect("a link");
    let (second, again) = client.message(link).await;
    assert_eq!((again.header.expect("a header").delivery_count, second != delivery), (2, true));
    client.settle(link, second, Outcome::Accepted).await;
    hub.send("d1", CloudToDeviceMessage { body: b"next".to_vec(), ..Default::default() })
        .expect("it is queued");
    let (delivery, next) = client.message(link).await;
    assert_eq!(body(&next), b"next");
    client.settle(link, delivery, Outcome::Rejected(None)).await;
    hub.send("d1", CloudToDeviceMessage { body: b"last".to_vec(), ..Default::default() })
        .expect("it is queued");
    let (delivery, last) = client.message(link).await;
    assert_eq!(body(&last), b"last");
    client.settle(link, delivery, Outcome::Accepted).await;
    client.close().await;
    until(|| hub.device("d1").expect("the device").cloud_to_device_message_count == 0).await;
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it holds in time");
}

#[tokio::test]
async fn methods_are_called_and_answered() {
    let lab = lab().await;
    let hub = hub(&lab);
    let mut client = with_certificate(&lab, "d1").await;
    let pair =
        [("com.microsoft:channel-correlation-id", "methods:1"), ("com.microsoft:api-version", "2021-04-12")];
    let method = DirectMethod {
        method_name: "open".into(),
        payload: Some(json!({"a": 1})),
        response_timeout: PATIENCE,
        connect_timeout: PATIENCE,
    };
    let call = tokio::spawn({
        let (hub, method) = (hub.clone(), method.clone());
        async move { hub.invoke("d1", &method).await }
    });
    let answers = client.sender(&address("d1", "methods/devicebound"), &pair).await.expect("a link");
    let calls = client.receiver(&address("d1", "methods/devicebound"), &pair).await.expect("a link");
    let (_, request) = client.message(calls).await;
    assert_eq!(
        get(&request.application_properties, "IoThub-methodname").and_then(Value::as_str),
        Some("open")
    );
    assert_eq!(body(&request), br#"{"a":1}"#);
    assert!(matches!(request.properties.correlation_id, Some(Value::Uuid(_))));
    let answer = Message {
        properties: Properties { correlation_id: request.properties.correlation_id, ..Properties::default() },
        application_properties: vec![("IoThub-status".into(), Value::Int(201))],
        body: Body::data(r#"{"done":true}"#),
        ..Message::default()
    };
    let unasked = Message { properties: Properties::default(), ..answer.clone() };
    assert_eq!(rejected(client.send(answers, &unasked).await), condition::INVALID_FIELD);
    assert_eq!(client.send(answers, &answer).await, Outcome::Accepted);
    let result = call.await.expect("it runs").expect("an answer");
    assert_eq!((result.status, result.payload), (201, Some(json!({"done": true}))));

    client.detach(calls).await;
    let now = DirectMethod { connect_timeout: Duration::ZERO, ..method };
    until_refused(&hub, &now).await;
}

/// A link takes its time to go.
async fn until_refused(hub: &Hub, method: &DirectMethod) {
    let short = DirectMethod { response_timeout: Duration::from_millis(200), ..method.clone() };
    let wait = async {
        while !matches!(hub.invoke("d1", &short).await, Err(error) if error.error_code() == 404_103) {}
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is refused in time");
}

/// Both links of a twin.
struct TwinLinks {
    requests: LinkId,
    answers: LinkId,
}

impl TwinLinks {
    async fn new(client: &mut Amqp) -> Self {
        let pair =
            [("com.microsoft:channel-correlation-id", "twin:1"), ("com.microsoft:api-version", "2021-04-12")];
        let requests = client.sender(&address("d1", "twin"), &pair).await.expect("a link");
        let answers = client.receiver(&address("d1", "twin"), &pair).await.expect("a link");
        Self { requests, answers }
    }

    async fn ask(
        &self,
        client: &mut Amqp,
        operation: &str,
        resource: &str,
        body: &str,
    ) -> (i64, Option<i64>, Vec<u8>) {
        let annotations = [("operation", operation), ("resource", resource)];
        let request = Message {
            message_annotations: annotations.map(|(name, value)| (Value::symbol(name), value.into())).into(),
            properties: Properties { correlation_id: Some(operation.into()), ..Properties::default() },
            body: Body::data(body.to_owned()),
            ..Message::default()
        };
        client.put(self.requests, &request, true).await;
        let (_, answer) = client.message(self.answers).await;
        assert_eq!(answer.properties.correlation_id, Some(operation.into()));
        let number = |name: &str| get(&answer.message_annotations, name).and_then(Value::as_i64);
        (
            number("status").expect("a status"),
            number("version"),
            answer.body.to_bytes().expect("data").to_vec(),
        )
    }
}

#[tokio::test]
async fn the_twin_is_read_reported_and_pushed() {
    let lab = lab().await;
    let hub = hub(&lab);
    let mut client = with_certificate(&lab, "d1").await;
    let twin = TwinLinks::new(&mut client).await;
    let (status, _, text) = twin.ask(&mut client, "GET", "", " ").await;
    let read: Json = serde_json::from_slice(&text).expect("JSON");
    assert_eq!((status, &read["desired"]["telemetryInterval"]), (200, &json!(5)));
    let (status, version, _) = twin.ask(&mut client, "PATCH", "/properties/reported", r#"{"up":true}"#).await;
    assert_eq!((status, version), (204, Some(2)));
    assert_eq!(hub.twin("d1").expect("the twin").properties.reported["up"], true);
    for (operation, resource, body) in
        [("PATCH", "/properties/reported", "[]"), ("POST", "/x", ""), ("GET", "/properties/desired", "")]
    {
        let (status, _, body) = twin.ask(&mut client, operation, resource, body).await;
        let error: Json = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, &error["errorCode"]), (400, &json!(400_004)), "{operation} {resource}");
    }
    let desired = "/notifications/twin/properties/desired";
    hub.update_twin_desired("d1", json!({"early": 1})).expect("accepted");
    assert_eq!(twin.ask(&mut client, "PUT", desired, " ").await.0, 200);
    hub.update_twin_desired("d1", json!({"telemetryInterval": 1})).expect("accepted");
    let (_, push) = client.message(twin.answers).await;
    assert_eq!(push.properties.correlation_id, None);
    let push: Json = serde_json::from_slice(&body(&push)).expect("JSON");
    assert_eq!(push, json!({"telemetryInterval": 1, "$version": 3}));
    assert_eq!(twin.ask(&mut client, "DELETE", desired, " ").await.0, 200);
    hub.update_twin_desired("d1", json!({"telemetryInterval": 2})).expect("accepted");
    assert_eq!(twin.ask(&mut client, "GET", "", " ").await.0, 200, "nothing was pushed before it");
}

#[tokio::test]
async fn devices_with_keys_share_a_connection_each_with_its_token() {
    let lab = lab().await;
    let hub = hub(&lab);
    let mut telemetry = hub.telemetry();
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let token = with_key(&lab, "k1", FAR);
    let early = client.sender(&address("k1", "messages/events"), &[]).await.expect_err("no token yet");
    assert_eq!(early.condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(client.put_token(&format!("{HUB}%2Fdevices%2Fk1"), &token).await, 200);
    let first = telemetry_link(&mut client, "k1").await;
    with_key(&lab, "k2", FAR);
    let other = client.sender(&address("k2", "messages/events"), &[]).await.expect_err("another device");
    assert_eq!(other.condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(client.put_token(&format!("{HUB}/devices/k2"), &token).await, 401);
    let token = with_key(&lab, "k2", FAR);
    assert_eq!(client.put_token(&format!("{HUB}/devices/k2"), &token).await, 200);
    let second = telemetry_link(&mut client, "k2").await;
    assert_eq!(client.send(first, &text("1")).await, Outcome::Accepted);
    assert_eq!(client.send(second, &text("2")).await, Outcome::Accepted);
    let from = [received(&mut telemetry).await.device_id, received(&mut telemetry).await.device_id];
    assert_eq!(from, ["k1", "k2"]);
    hub.disable("k1").expect("it is there");
    let end = client.detached(first).await.expect("a reason");
    assert_eq!(end.condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(client.send(second, &text("3")).await, Outcome::Accepted, "the other one stays");
    hub.delete("k2").expect("it is there");
    assert_eq!(client.detached(second).await.map(|error| error.condition), Some(condition::NOT_FOUND.into()));
    let gone = client.sender(&address("k2", "messages/events"), &[]).await.expect_err("no such device");
    assert_eq!(gone.condition, condition::NOT_FOUND);

    let token = with_key(&lab, "k3", FAR);
    let plain = SaslClient::Plain { user: "k3@sas.hub-1".into(), password: token };
    let mut client = Amqp::connect(&lab.emulator, HUB, None, Some(plain)).await;
    let link = telemetry_link(&mut client, "k3").await;
    assert_eq!(client.send(link, &text("4")).await, Outcome::Accepted);
    let wrong = SaslClient::Plain { user: "k3@sas.hub-1".into(), password: with_key(&lab, "k3", 1) };
    assert!(Amqp::try_connect(&lab.emulator, HUB, None, Some(wrong)).await.is_err(), "its token has expired");
}

#[tokio::test]
async fn the_newest_connection_of_a_device_counts_whatever_it_speaks() {
    let lab = lab().await;
    let mut events = lab.emulator.events();
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut over_mqtt = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let mut client = Amqp::connect(&lab.emulator, HUB, Some(&credentials), None).await;
    let link = telemetry_link(&mut client, "d1").await;
    over_mqtt.ended().await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::TakenOver);
    let again = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let end = client.detached(link).await.expect("a reason");
    assert_eq!(end.condition, condition::STOLEN);
    assert_eq!(disconnection(&mut events).await, DisconnectReason::TakenOver);
    telemetry_link(&mut client, "d1").await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::TakenOver);
    drop(again);
}

#[tokio::test]
async fn what_a_device_has_no_business_with_is_refused_by_name() {
    let lab = lab().await;
    let mut client = with_certificate(&lab, "d1").await;
    let refused =
        |error: Result<LinkId, Error>| error.map_or_else(|error| error.condition, |_| String::new());
    for (address, wanted) in [
        ("/devices/d1/modules/m/messages/events", condition::NOT_FOUND),
        ("/devices/d1/messages/nothing", condition::NOT_FOUND),
        ("/devices/d1/messages/devicebound", condition::NOT_ALLOWED),
        ("/devices/d2/messages/events", condition::NOT_FOUND),
        ("/messages/devicebound", condition::UNAUTHORIZED_ACCESS),
    ] {
        assert_eq!(refused(client.sender(address, &[]).await), wanted, "{address}");
    }
    hub(&lab)
        .create_device("d2", Authentication::self_signed("0".repeat(40)), DeviceCapabilities::default())
        .expect("a new device");
    let other = client.sender("/devices/d2/messages/events", &[]).await.expect_err("another device");
    assert_eq!(other.condition, condition::UNAUTHORIZED_ACCESS);
    assert!(other.to_string().contains("thumbprint"), "{other}");
}

#[tokio::test]
async fn faults_befall_devices_over_amqp() {
    let lab = lab().await;
    let faults = lab.emulator.faults();
    let mut events = lab.emulator.events();
    let mut client = with_certificate(&lab, "d1").await;
    faults.inject(fault(FaultKind::RefuseConnect { code: 3 }));
    client.sender(&address("d1", "messages/events"), &[]).await.expect_err("a fault");
    let link = telemetry_link(&mut client, "d1").await;
    faults.inject(fault(FaultKind::WithholdPubAck));
    let withheld = client.put(link, &text("1"), false).await;
    faults.inject(fault(FaultKind::DelayPubAck { delay: Duration::from_millis(50) }));
    let delayed = client.put(link, &text("2"), false).await;
    faults.inject(fault(FaultKind::Latency { delay: Duration::from_millis(50) }));
    assert_eq!(client.send(link, &text("3")).await, Outcome::Accepted);
    assert_eq!(client.outcome(link, delayed).await, Outcome::Accepted);
    assert_eq!(hub(&lab).counters("d1").expect("counters").received, 3, "{withheld:?} came as well");
    let twin = TwinLinks::new(&mut client).await;
    faults.inject(fault(FaultKind::TwinError { status: 503 }));
    assert_eq!(twin.ask(&mut client, "GET", "", " ").await.0, 503);
    faults.inject(fault(FaultKind::GarbageBody));
    assert_eq!(twin.ask(&mut client, "GET", "", " ").await.2, b"<html>");
    faults.inject(fault(FaultKind::DuplicateDelivery));
    let messages = client.receiver(&address("d1", "messages/devicebound"), &[]).await.expect("a link");
    hub(&lab)
        .send("d1", CloudToDeviceMessage { body: b"x".to_vec(), ..Default::default() })
        .expect("it is queued");
    for _ in 0..2 {
        assert_eq!(body(&client.message(messages).await.1), b"x");
    }
    let throttle = Fault { times: Some(3), ..fault(FaultKind::Throttle { per_second: 1 }) };
    faults.inject(throttle);
    let outcomes = [client.send(link, &text("4")).await, client.send(link, &text("5")).await];
    assert!(outcomes.into_iter().map(rejected).any(|outcome| outcome.contains("throttled")));
    faults.clear_all();
    faults.inject(fault(FaultKind::DropConnection));
    client.put(link, &text("6"), false).await;
    client.ended().await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::Fault);
}

#[tokio::test]
async fn links_end_when_the_token_of_their_device_has_expired_and_live_on_with_a_new_one() {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(2_000_000_000, 0).expect("in range")));
    let builder = Emulator::builder().clock(Arc::clone(&clock) as Arc<_>).amqp_port(0);
    let lab = Lab::with(builder.start().await.expect("it starts"));
    let mut events = lab.emulator.events();
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let mut links = Vec::new();
    for device_id in ["k1", "k2"] {
        let token = with_key(&lab, device_id, 2_000_003_600);
        assert_eq!(client.put_token(&format!("{HUB}/devices/{device_id}"), &token).await, 200);
        links.push(telemetry_link(&mut client, device_id).await);
    }
    let newer = with_key(&lab, "k2", FAR);
    assert_eq!(client.put_token(&format!("{HUB}/devices/k2"), &newer).await, 200);
    clock.advance(TimeDelta::hours(2));
    let end = client.detached(links[0]).await.expect("a reason");
    assert_eq!(end.condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(disconnection(&mut events).await, DisconnectReason::TokenExpired);
    assert_eq!(client.send(links[1], &text("still here")).await, Outcome::Accepted);
}

#[tokio::test]
async fn a_hub_of_mqtt_5_and_too_many_links_are_refused_by_name() {
    let builder = Emulator::builder().hubs(["hub-1", "hub-5=mqtt5"]).amqp_port(0);
    let lab = Lab::with(builder.dps_timing(Duration::ZERO, Duration::ZERO).start().await.expect("it starts"));
    let credentials = lab.credentials("d1");
    let mut client = Amqp::connect(&lab.emulator, "hub-5.azure-devices.net", Some(&credentials), None).await;
    let refused = client.sender(&address("d1", "messages/events"), &[]).await.expect_err("MQTT 5 alone");
    assert!(refused.to_string().contains("MQTT 5"), "{refused}");

    let token = with_key(&lab, "k1", FAR);
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    assert_eq!(client.put_token(&format!("{HUB}/devices/k1"), &token).await, 200);
    let many: Vec<String> = (0..33).map(|number| format!("twin:{number}")).collect();
    let mut last = Ok(());
    for name in &many {
        let source = Source::at(address("k1", "twin"));
        let attach = Attach::receiver(name.clone(), source, Target::at("here"));
        let pair = vec![(Value::symbol("com.microsoft:channel-correlation-id"), name.as_str().into())];
        last = client.attach(Attach { properties: pair, ..attach }).await.map(drop);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(last.expect_err("too many").condition, condition::RESOURCE_LIMIT_EXCEEDED);
}
