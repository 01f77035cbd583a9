//! A device at its hub: twin, methods, telemetry, messages, and the ends of connections.

use std::time::Duration;

use crate::common::{Client, Dial, HUB, Lab, PATIENCE, disconnection, event};
use rumqttc::{ConnectReturnCode, Event as MqttEvent, Incoming, LastWill, QoS};
use serde_json::{Value, json};
use tracker_emulator::{
    Authentication, CloudToDeviceMessage, ConnectionState, DeviceCapabilities, DirectMethod,
    DisconnectReason, Emulator, EventKind, Fault, FaultKind, FaultyService, Hub, HubError, IfMatch,
    TelemetryCounters, TelemetryMessage, TwinPatch,
};

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

async fn twin_ready(client: &mut Client) {
    client.subscribe("$iothub/twin/res/#").await;
    client.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
}

async fn received(telemetry: &mut tracker_emulator::Subscription<TelemetryMessage>) -> TelemetryMessage {
    let message = tokio::time::timeout(PATIENCE, telemetry.next()).await.expect("it comes in time");
    (*message.expect("it is kept")).clone()
}

#[tokio::test]
async fn telemetry_arrives_with_its_properties_and_is_counted() {
    let lab = Lab::start().await;
    let mut telemetry = hub(&lab).telemetry();
    let mut client = lab.online("d1").await;
    let topic = "devices/d1/messages/events/%24.mid=m-1&%24.ct=application%2Fjson&note=a%20b&alert";
    client.publish(topic, r#"{"temperature":4.5}"#).await;
    client.publish(topic, r#"{"temperature":4.5}"#).await;
    client.publish("devices/d1/messages/events", "bare").await;

    let first = received(&mut telemetry).await;
    assert_eq!((first.hub.as_str(), first.device_id.as_str(), first.sequence_number), (HUB, "d1", 1));
    assert_eq!(first.body, r#"{"temperature":4.5}"#);
    assert_eq!(first.message_id(), Some("m-1"));
    assert_eq!(first.system_properties()["ct"], "application/json");
    let application = first.application_properties();
    assert_eq!((application["note"], application["alert"]), ("a b", ""));
    assert!(!first.repeated_message_id);
    assert!(received(&mut telemetry).await.repeated_message_id);
    assert!(received(&mut telemetry).await.properties.is_empty());
    assert_eq!(
        hub(&lab).counters("d1").expect("counters"),
        TelemetryCounters { received: 3, distinct_message_ids: 1, duplicates: 1 }
    );
}

#[tokio::test]
async fn a_retained_message_is_marked_and_not_retained() {
    let lab = Lab::start().await;
    let mut telemetry = hub(&lab).telemetry();
    let client = &mut lab.online("d1").await;
    client.sender.publish("devices/d1/messages/events/", QoS::AtLeastOnce, true, "x").await.expect("room");
    client.until(|event| matches!(event, MqttEvent::Incoming(Incoming::PubAck(_)))).await;
    assert_eq!(received(&mut telemetry).await.application_properties()["mqtt-retain"], "true");
}

#[tokio::test]
async fn the_twin_is_read_reported_and_pushed() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut client = lab.online("d1").await;
    twin_ready(&mut client).await;
    client.publish("$iothub/twin/GET/?$rid=a1", " ").await;
    let (topic, twin) = client.json_message().await;
    assert_eq!(topic, "$iothub/twin/res/200/?$rid=a1");
    assert_eq!(
        twin,
        json!({"desired": {"telemetryInterval": 5, "firmware": "1.0.0", "$version": 1}, "reported": {"$version": 1}})
    );

    let reported = "$iothub/twin/PATCH/properties/reported/?$rid=a2";
    client.publish(reported, r#"{"battery":{"volts":3.7,"percent":80},"gone":1}"#).await;
    assert_eq!(client.message().await, ("$iothub/twin/res/204/?$rid=a2&$version=2".to_owned(), Vec::new()));
    client.publish(reported, r#"{"battery":{"percent":79},"gone":null}"#).await;
    assert_eq!(client.message().await.0, "$iothub/twin/res/204/?$rid=a2&$version=3");
    let service_view = hub.twin("d1").expect("the twin");
    assert_eq!(service_view.properties.reported["battery"], json!({"volts": 3.7, "percent": 79}));
    assert!(!service_view.properties.reported.contains_key("gone"));
    assert_eq!(service_view.reported_version(), 3);

    let version = hub.update_twin_desired("d1", json!({"telemetryInterval": 1, "firmware": null}));
    assert_eq!(version.expect("accepted"), 2);
    let (topic, push) = client.json_message().await;
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    assert_eq!(push, json!({"telemetryInterval": 1, "firmware": null, "$version": 2}));

    let desired = json!({"telemetryInterval": 1, "new": [1, 2]}).as_object().cloned();
    hub.replace_twin("d1", TwinPatch { tags: None, desired }, &IfMatch::Any).expect("replaced");
    assert_eq!(client.json_message().await.1, json!({"telemetryInterval": 1, "new": [1, 2], "$version": 3}));
    let etag = hub.twin("d1").expect("the twin").etag;
    hub.update_twin_desired("d1", json!({"absent": null})).expect("accepted");
    hub.update_twin_desired("d1", json!({"telemetryInterval": 1})).expect("accepted");
    // The deletion of what is not there is neither counted nor pushed, the unchanged value is.
    assert_eq!(client.json_message().await.1, json!({"telemetryInterval": 1, "$version": 4}));
    let stale = hub.update_twin("d1", TwinPatch::default(), &IfMatch::ETag(etag)).expect_err("a stale etag");
    assert_eq!(stale.error_code(), 412_001);
}

#[tokio::test]
async fn a_patch_against_the_rules_is_400_and_changes_nothing() {
    let lab = Lab::start().await;
    let mut client = lab.online("d1").await;
    twin_ready(&mut client).await;
    for body in ["", "[]", "{", r#"{"a.b":1}"#, r#"{"n":9007199254740993}"#, r#"{"$version":1}"#] {
        client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", body).await;
        let (topic, answer) = client.json_message().await;
        assert_eq!(topic, "$iothub/twin/res/400/?$rid=1", "{body}");
        assert_eq!(answer["errorCode"], 400_004);
    }
    assert_eq!(hub(&lab).twin("d1").expect("the twin").reported_version(), 1);
    let too_large = json!({"x": (0..9).map(|_| "y".repeat(4000)).collect::<Vec<_>>()});
    let error = hub(&lab).update_twin_desired("d1", too_large).expect_err("refused");
    assert!(error.to_string().contains("the limit is 32768"), "{error}");
}

#[tokio::test]
async fn without_an_api_version_telemetry_works_and_the_twin_answers_400() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let user_name = Some(format!("{HUB}/d1"));
    let mut client =
        Dial { user_name, ..lab.to_hub("d1", &credentials) }.connect().await.expect("the hub lets in");
    client.publish("devices/d1/messages/events/", "x").await;
    twin_ready(&mut client).await;
    client.publish("$iothub/twin/GET/?$rid=1", "").await;
    assert_eq!(client.message().await.0, "$iothub/twin/res/400/?$rid=1");
}

#[tokio::test]
async fn desired_changes_are_pushed_only_to_those_who_subscribed() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut client = lab.online("d1").await;
    hub.update_twin_desired("d1", json!({"a": 1})).expect("accepted");
    twin_ready(&mut client).await;
    hub.update_twin_desired("d1", json!({"a": 2})).expect("accepted");
    assert_eq!(client.json_message().await.1["$version"], 3);
}

#[tokio::test]
async fn a_method_is_answered_by_the_device() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut client = lab.online("d1").await;
    client.subscribe("devices/d1/messages/devicebound/#").await;
    hub.send("d1", CloudToDeviceMessage::default()).expect("queued");
    client.message().await;
    client.subscribe("$iothub/methods/POST/#").await;
    let answer = tokio::spawn({
        let hub = hub.clone();
        async move { hub.invoke_method("d1", "ping", json!({"n": 1}), PATIENCE).await }
    });
    let (topic, body) = client.json_message().await;
    assert_eq!(body, json!({"n": 1}));
    let rid = topic.strip_prefix("$iothub/methods/POST/ping/?$rid=").expect("the topic of a method");
    assert_eq!(
        rid, "1",
        "methods are counted for each connection, and messages to the device apart from them"
    );
    // An answer to nobody is passed over.
    client.publish("$iothub/methods/res/200/?$rid=nobody", "{}").await;
    client.publish(&format!("$iothub/methods/res/207/?$rid={rid}"), r#"{"pong":1}"#).await;
    let answer = answer.await.expect("it ends").expect("an answer");
    assert_eq!((answer.status, answer.payload), (207, Some(json!({"pong": 1}))));
}

#[tokio::test]
async fn methods_fail_with_azures_codes() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let moment = Duration::from_millis(50);
    let code = |result: Result<_, HubError>| result.map(drop).expect_err("an error").error_code();
    assert_eq!(code(hub.invoke_method("nobody", "ping", Value::Null, moment).await), 404_001);
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    assert_eq!(code(hub.invoke_method("d1", "ping", Value::Null, moment).await), 404_103);
    let mut client = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let unsubscribed = tokio::spawn({
        let hub = hub.clone();
        async move { hub.invoke_method("d1", "ping", Value::Null, PATIENCE).await }
    });
    assert_eq!(code(unsubscribed.await.expect("it ends")), 404_103);
    client.subscribe("$iothub/methods/POST/#").await;
    assert_eq!(code(hub.invoke_method("d1", "ping", Value::Null, moment).await), 504_101);
    let cut_off = tokio::spawn({
        let hub = hub.clone();
        async move { hub.invoke_method("d1", "reboot", Value::Null, PATIENCE).await }
    });
    while !client.message().await.0.contains("reboot") {}
    hub.drop_connection("d1").expect("known");
    assert_eq!(code(cut_off.await.expect("it ends")), 404_104);
    assert_eq!(code(hub.invoke_method("d1", "a/b", Value::Null, moment).await), 400_004);
    let large = Value::String("x".repeat(128 * 1024));
    assert_eq!(code(hub.invoke_method("d1", "ping", large, moment).await), 413_001);
}

#[tokio::test]
async fn a_method_can_wait_for_the_device_to_come() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let answer = tokio::spawn(async move {
        let method = DirectMethod {
            method_name: "ping".into(),
            payload: None,
            response_timeout: PATIENCE,
            connect_timeout: PATIENCE,
        };
        hub.invoke("d1", &method).await
    });
    let mut client = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    client.subscribe("$iothub/methods/POST/#").await;
    let (topic, body) = client.message().await;
    assert!(body.is_empty());
    let rid = topic.rsplit('=').next().expect("a request id");
    client.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), "").await;
    let answer = answer.await.expect("it ends").expect("an answer");
    assert_eq!((answer.status, answer.payload), (200, None));
}

#[tokio::test]
async fn a_second_client_takes_the_connection_over() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut events = lab.emulator.events();
    let mut first = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let mut second = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    first.ended().await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::TakenOver);
    second.publish("devices/d1/messages/events/", "still here").await;
    assert_eq!(hub(&lab).device("d1").expect("known").connection_state, ConnectionState::Connected);
}

#[tokio::test]
async fn a_disabled_device_is_dropped_and_refused_while_others_go_on() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut client = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let mut neighbour = lab.online("d2").await;
    let mut events = lab.emulator.events();
    hub.disable("d1").expect("disabled");
    client.ended().await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::DeviceDisabled);
    assert_eq!(lab.to_hub("d1", &credentials).refused().await, ConnectReturnCode::NotAuthorized);
    let reason = event(&mut events, |kind| match kind {
        EventKind::ConnectionRefused { reason, code: Some(5), .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason.await, "the device is disabled");
    neighbour.publish("devices/d2/messages/events/", "x").await;
    hub.enable("d1").expect("enabled");
    let mut client = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    hub.delete("d1").expect("deleted");
    client.ended().await;
    assert_eq!(lab.to_hub("d1", &credentials).refused().await, ConnectReturnCode::NotAuthorized);
}

#[tokio::test]
async fn connect_is_refused_for_whom_it_is_not_meant() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let refused = |dial: Dial| async move { dial.refused().await };
    let user = |name: String| Dial { user_name: Some(name), ..lab.to_hub("d1", &credentials) };
    let no = ConnectReturnCode::NotAuthorized;
    assert_eq!(refused(user(format!("{HUB}/d2/?api-version=2021-04-12"))).await, no, "another client id");
    assert_eq!(refused(user("hub-2.azure-devices.net/d1/?api-version=2021-04-12".into())).await, no);
    assert_eq!(refused(user("hub-1/d1/?api-version=2021-04-12".into())).await, no, "no short names");
    assert_eq!(refused(user(format!("{HUB}/d1/module/?api-version=2021-04-12"))).await, no);
    let unknown = lab.credentials("stranger");
    assert_eq!(refused(lab.to_hub("stranger", &unknown)).await, no);
    let another_leaf = lab.credentials("d1");
    assert_eq!(refused(lab.to_hub("d1", &another_leaf)).await, no);
    let without = Dial { tls: Dial::new(&lab.emulator, None).tls, ..lab.to_hub("d1", &credentials) };
    assert_eq!(refused(without).await, no);
}

#[tokio::test]
async fn a_device_made_by_hand_connects_by_its_sha1_thumbprint() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("by-hand");
    // Registered at DPS to learn its thumbprint the easy way.
    let (_, body) = lab.register("by-hand", &credentials).await;
    let sha1 = &body["registrationState"]["x509"]["certificateInfo"]["sha1Thumbprint"];
    let sha1 = sha1.as_str().expect("a thumbprint").to_ascii_lowercase();
    let hub = hub(&lab);
    hub.delete("by-hand").expect("deleted");
    hub.create_device("by-hand", Authentication::self_signed(sha1), DeviceCapabilities::default())
        .expect("created");
    lab.to_hub("by-hand", &credentials).connect().await.expect("the hub lets in");
}

/// What ends a connection: the device does it, and the emulator says why.
async fn violation(lab: &Lab, client: &mut Client) -> String {
    let mut events = lab.emulator.events();
    client.ended().await;
    let reason = disconnection(&mut events).await;
    let DisconnectReason::ProtocolViolation(what) = reason else {
        return format!("it ended with {reason:?}");
    };
    what
}

#[tokio::test]
async fn what_azure_does_not_allow_ends_the_connection() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let connect = || async { lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in") };
    let cases: [(&str, QoS, usize, &str); 5] = [
        ("devices/d1/messages/events/", QoS::ExactlyOnce, 1, "QoS 2"),
        ("devices/d2/messages/events/", QoS::AtLeastOnce, 1, "in the name of \"d2\""),
        ("some/topic", QoS::AtLeastOnce, 1, "none of telemetry"),
        ("devices/d1/messages/events/", QoS::AtLeastOnce, 262_145, "262145 bytes; the limit is 262144"),
        ("devices/d1/messages/events/", QoS::AtLeastOnce, 600_000, "the limit of this connection"),
    ];
    for (topic, qos, size, what) in cases {
        let mut client = connect().await;
        client.publish_blindly(topic, qos, vec![b'x'; size]).await;
        let said = violation(&lab, &mut client).await;
        assert!(said.contains(what), "{said}");
    }
    let mut client = connect().await;
    client.sender.subscribe("devices/d2/messages/devicebound/#", QoS::AtLeastOnce).await.expect("room");
    assert!(violation(&lab, &mut client).await.contains("not one of the hub's topics"));

    let mut client = connect().await;
    client.publish("devices/d1/messages/events/", vec![b'x'; 262_144]).await;
}

#[tokio::test]
async fn silence_ends_the_connection_and_pings_keep_it() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut events = lab.emulator.events();
    let short = Duration::from_secs(2);
    let alive = Dial { keep_alive: short, ..lab.to_hub("d1", &credentials) };
    let mut alive = alive.connect().await.expect("the hub lets in");
    // The event loop runs, so pings go out: two of them take longer than the silence allowed.
    for _ in 0..2 {
        alive.until(|event| matches!(event, MqttEvent::Incoming(Incoming::PingResp))).await;
    }
    // Now it does not run any more.
    let reason = disconnection(&mut events).await;
    assert_eq!(reason, DisconnectReason::KeepAliveTimeout);
}

#[tokio::test]
async fn messages_to_the_device_wait_for_it_and_are_done_when_acknowledged() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let message = CloudToDeviceMessage {
        message_id: Some("m 1".into()),
        body: b"hello".to_vec(),
        content_type: Some("text/plain".into()),
        properties: vec![("priority".into(), "high".into())],
        ..CloudToDeviceMessage::default()
    };
    hub.send("d1", message.clone()).expect("queued");
    assert_eq!(hub.device("d1").expect("known").cloud_to_device_message_count, 1);
    let mut client = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    client.subscribe("devices/d1/messages/devicebound/#").await;
    let (topic, body) = client.message().await;
    assert_eq!(
        topic,
        "devices/d1/messages/devicebound/%24.mid=m%201&%24.to=%2Fdevices%2Fd1%2Fmessages%2Fdevicebound&\
         %24.ct=text%2Fplain&priority=high"
    );
    assert_eq!(body, b"hello");
    hub.send("d1", message).expect("queued");
    client.message().await;
    // The acknowledgements have been processed once a later packet is answered.
    client.publish("devices/d1/messages/events/", "x").await;
    assert_eq!(hub.device("d1").expect("known").cloud_to_device_message_count, 0);
}

#[tokio::test]
async fn a_kept_session_keeps_its_subscriptions() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut events = lab.emulator.events();
    let dial = |clean_session| Dial { clean_session, ..lab.to_hub("d1", &credentials) };
    let mut client = dial(false).connect().await.expect("the hub lets in");
    assert!(!client.session_present);
    client.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    client.disconnect().await;
    disconnection(&mut events).await;
    let mut client = dial(false).connect().await.expect("the hub lets in");
    assert!(client.session_present);
    hub(&lab).update_twin_desired("d1", json!({"a": 1})).expect("accepted");
    assert_eq!(client.json_message().await.1["a"], 1);
    let successor = dial(false).connect().await.expect("the hub lets in");
    assert!(successor.session_present, "a takeover keeps it too");
    client.ended().await;
    disconnection(&mut events).await;
    assert!(!dial(true).connect().await.expect("the hub lets in").session_present);
}

#[tokio::test]
async fn a_will_is_telemetry_of_a_connection_that_was_lost() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let mut telemetry = hub(&lab).telemetry();
    let topic = "devices/d1/messages/events/kind=last";
    let will = Some(LastWill::new(topic, "farewell", QoS::AtLeastOnce, false));
    let client = Dial { will, ..lab.to_hub("d1", &credentials) }.connect().await.expect("the hub lets in");
    drop(client);
    let message = received(&mut telemetry).await;
    assert_eq!(message.body, "farewell");
    assert_eq!(message.application_properties()["iothub-MessageType"], "Will");
    assert_eq!(message.application_properties()["kind"], "last");
    let will = Some(LastWill::new("elsewhere", "x", QoS::AtLeastOnce, false));
    let dial = Dial { will, ..lab.to_hub("d1", &credentials) };
    assert_eq!(dial.refused().await, ConnectReturnCode::NotAuthorized);
}

#[tokio::test]
async fn faults_of_a_hub_come_as_asked_for() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut telemetry = hub.telemetry();
    let mut client = lab.online("d1").await;
    let topic = "devices/d1/messages/events/";
    let fault = |kind, times| {
        let service = FaultyService::Hub(HUB.into());
        lab.emulator.faults().inject(Fault { service, device: None, kind, times })
    };
    fault(FaultKind::WithholdPubAck, Some(1));
    client.publish_blindly(topic, QoS::AtLeastOnce, "taken").await;
    client.publish(topic, "acknowledged").await;
    assert_eq!(received(&mut telemetry).await.body, "taken");
    assert_eq!(received(&mut telemetry).await.body, "acknowledged");

    fault(FaultKind::DelayPubAck { delay: Duration::from_millis(300) }, Some(1));
    let started = tokio::time::Instant::now();
    client.publish(topic, "late").await;
    assert!(started.elapsed() >= Duration::from_millis(300));

    let hole = fault(FaultKind::BlackHole, None);
    client.publish_blindly(topic, QoS::AtLeastOnce, "into the hole").await;
    let swallowed = tokio::time::timeout(
        Duration::from_millis(200),
        client.until(|event| matches!(event, MqttEvent::Incoming(Incoming::PubAck(_)))),
    );
    assert!(swallowed.await.is_err());
    lab.emulator.faults().clear(hole);
    fault(FaultKind::DropConnection, Some(1));
    client.publish_blindly(topic, QoS::AtLeastOnce, "the last").await;
    client.ended().await;
    assert_eq!(hub.counters("d1").expect("counters").received, 3);
}

#[tokio::test]
async fn a_subscriber_that_falls_behind_is_told_how_far() {
    let options = tracker_emulator::EmulatorOptions {
        port: 0,
        telemetry_capacity: 4,
        retry_after: Duration::ZERO,
        assigning_time: Duration::ZERO,
        ..tracker_emulator::EmulatorOptions::default()
    };
    let lab = Lab::with(Emulator::start(options).await.expect("it starts"));
    let mut telemetry = hub(&lab).telemetry();
    let mut client = lab.online("d1").await;
    for number in 0..10 {
        client.publish("devices/d1/messages/events/", number.to_string()).await;
    }
    assert_eq!(telemetry.try_next(), Err(tracker_emulator::SubscriptionError::Lagged(6)));
    assert_eq!(received(&mut telemetry).await.body, "6");
}

#[tokio::test]
async fn slow_narrow_and_repeating_lines_come_as_asked_for() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let mut client = lab.online("d1").await;
    let fault = |kind, times| {
        let service = FaultyService::Hub(HUB.into());
        lab.emulator.faults().inject(Fault { service, device: Some("d1".into()), kind, times })
    };
    let slow = fault(FaultKind::Latency { delay: Duration::from_millis(300) }, None);
    let before = std::time::Instant::now();
    client.publish("devices/d1/messages/events/", "slow").await;
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert!(lab.emulator.faults().clear(slow));

    client.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    fault(FaultKind::DuplicateDelivery, Some(1));
    hub(&lab).update_twin_desired("d1", json!({"a": 1})).expect("updated");
    assert_eq!(client.json_message().await, client.json_message().await);

    fault(FaultKind::Throttle { per_second: 2 }, None);
    for _ in 0..3 {
        client.publish_blindly("devices/d1/messages/events/", QoS::AtLeastOnce, "much").await;
    }
    client.ended().await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::Fault);
}
