//! Hubs of MQTT 5, by a client whose codec is not the emulator's.
#![allow(clippy::panic, reason = "helpers of tests are not marked as tests")]

use std::time::Duration;

use crate::common::{
    HUB, Lab, event,
    five::{Device, Five, HUB_5, read},
    register_on,
};
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{
        ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, LastWill, Packet, PubAckReason,
        PublishProperties, SubscribeProperties, SubscribeReasonCode,
    },
};
use serde_json::{Value, json};
use tracker_emulator::{
    CloudToDeviceMessage, DirectMethod, Emulator, EmulatorBuilder, EventKind, Fault, FaultKind,
    FaultyService, Hub, HubError,
};
use tracker_protocol::{
    dps::ConnectionProfile,
    hub_v5::{
        Abandon, AbandonReason, Birth, Channel, CloudMessage, Correlation, DeviceMessage, MethodResult,
        ProbeAck, ProbeAnswer, Ready, RejectReason, Rejected, ReportedPatch, ReportedResult, Sections,
        TwinGet,
    },
};

const ID: &str = "tracker-5";

fn builder() -> EmulatorBuilder {
    Emulator::builder().hubs(["hub-5=mqtt5"]).dps_timing(Duration::ZERO, Duration::ZERO)
}

/// A lab with one hub, of MQTT 5, and a device registered there.
async fn lab() -> (Lab, Hub, tracker_emulator::pki::DeviceCredentials) {
    let lab = Lab::with(builder().start().await.expect("it starts"));
    let credentials = lab.credentials(ID);
    lab.register(ID, &credentials).await;
    let hub = lab.emulator.hub("hub-5").expect("the hub");
    (lab, hub, credentials)
}

fn fresh() -> Correlation {
    Correlation(rand::random())
}

fn json_of(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).expect("JSON")
}

#[tokio::test]
async fn dps_tells_how_to_speak_to_the_hub_from_the_version_on_that_has_it() {
    let lab = Lab::with(builder().start().await.expect("it starts"));
    let credentials = lab.credentials(ID);
    for (version, profile) in
        [("2019-03-31", Value::Null), ("2026-11-01", Value::Null), ("2026-11-02-preview", json!("mqttV5"))]
    {
        let mut dial = lab.to_dps(ID, &credentials);
        let scope = lab.emulator.id_scope();
        dial.user_name = Some(format!("{scope}/registrations/{ID}/api-version={version}"));
        let mut client = dial.connect().await.expect("DPS lets in");
        let (status, body) = register_on(&mut client, ID).await;
        let state = &body["registrationState"];
        assert_eq!((status, &state["assignedHub"]), (200, &json!(HUB_5)), "{version}: {body}");
        assert_eq!(state["connectionProfile"], profile, "{version}");
        client.disconnect().await;
    }
}

#[tokio::test]
async fn a_device_starts_in_one_flight_and_keeps_its_twin() {
    let (lab, hub, credentials) = lab().await;
    let mut device = Device::dial(&lab, ID, &credentials, Five::new(fresh())).await;
    device.subscribe().await;
    // Another nonce is passed over.
    device.say(DeviceMessage::Birth(Birth::default()), fresh()).await;
    device.birth(Birth { push_desired: true, push_reported: true, ..Birth::default() }).await;
    let Packet::ConnAck(accepted) = device.next().await else { panic!("no CONNACK") };
    assert_eq!((accepted.code, accepted.session_present), (ConnectReturnCode::Success, false));
    let properties = accepted.properties.expect("properties");
    assert_eq!(
        (properties.max_qos, properties.retain_available, properties.max_packet_size),
        (Some(1), Some(0), Some(512 * 1024))
    );
    let Packet::SubAck(granted) = device.next().await else { panic!("no SUBACK") };
    assert_eq!(granted.return_codes, [SubscribeReasonCode::Success(QoS::AtLeastOnce)]);
    let nonce = device.nonce;
    let (CloudMessage::BirthAck(ack), correlation) = device.message().await else { panic!("no birth-ack") };
    assert_eq!((ack.desired_version, ack.reported_version, correlation), (1, 1, nonce));
    let (CloudMessage::TwinPush(push), correlation) = device.message().await else { panic!("no push") };
    let desired = push.desired.expect("desired");
    assert_eq!(
        (desired.version, json_of(&desired.payload), correlation),
        (1, json!({"telemetryInterval": 5, "firmware": "1.0.0"}), nonce)
    );
    assert_eq!(push.reported.map(|section| json_of(&section.payload)), Some(json!({})));

    for (if_match, payload, expected) in [
        (1, json!({"a": 1}), (ReportedResult::Ok, 2)),
        (1, json!({"a": 2}), (ReportedResult::VersionMismatch, 2)),
        (0, json!({"a": 2}), (ReportedResult::VersionMismatch, 2)),
        (2, json!([1]), (ReportedResult::PayloadInvalid, 2)),
        (2, json!({"a b": 1}), (ReportedResult::PayloadInvalid, 2)),
        (2, big(), (ReportedResult::PayloadTooLarge, 2)),
        (2, json!({"a": null, "b": 1}), (ReportedResult::Ok, 3)),
    ] {
        let request = fresh();
        let patch = ReportedPatch { if_match, payload: payload.to_string().into_bytes() };
        device.say(DeviceMessage::ReportedPatch(patch), request).await;
        let (CloudMessage::ReportedPatchResponse(answer), correlation) = device.message().await else {
            panic!("no answer")
        };
        assert_eq!((answer.result(), answer.version), expected);
        assert_eq!(correlation, request);
    }
    assert_eq!(hub.twin(ID).expect("a twin").properties.reported["b"], 1);

    let version =
        hub.update_twin_desired(ID, json!({"telemetryInterval": 7, "firmware": null})).expect("a change");
    let (CloudMessage::DesiredPatch(patch), correlation) = device.message().await else { panic!("no patch") };
    assert_eq!((patch.version, correlation), (version, nonce));
    assert_eq!(json_of(&patch.payload), json!({"telemetryInterval": 7, "firmware": null}));

    for (sections, known, desired, reported) in [
        (Sections::Desired, (0, 0), true, false),
        (Sections::Both, (2, 3), false, false),
        (Sections::Both, (1, 1), true, true),
        (Sections::Reported, (0, 0), false, true),
    ] {
        let get = TwinGet {
            sections: sections.into(),
            if_not_match_desired: known.0,
            if_not_match_reported: known.1,
        };
        device.say(DeviceMessage::Get(get), fresh()).await;
        let (CloudMessage::GetResponse(answer), _) = device.message().await else { panic!("no answer") };
        assert_eq!((answer.desired_version, answer.reported_version), (2, 3));
        assert_eq!(
            (answer.desired_payload.is_some(), answer.reported_payload.is_some()),
            (desired, reported)
        );
    }
}

/// More than reported properties may be.
fn big() -> Value {
    (0..10)
        .map(|index| (format!("k{index}"), json!("x".repeat(4000))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn a_section_that_the_device_knows_is_not_pushed() {
    let (lab, _, credentials) = lab().await;
    let mut device = Device::dial(&lab, ID, &credentials, Five::new(fresh())).await;
    device.subscribe().await;
    device
        .birth(Birth { push_desired: true, push_reported: true, desired_version: 1, ..Birth::default() })
        .await;
    assert!(matches!(device.message().await.0, CloudMessage::BirthAck(_)));
    let CloudMessage::TwinPush(push) = device.message().await.0 else { panic!("no push") };
    assert!(push.desired.is_none() && push.reported.is_some());
}

#[tokio::test]
async fn telemetry_comes_with_its_properties_and_is_acknowledged() {
    let (lab, hub, credentials) = lab().await;
    let mut telemetry = hub.telemetry();
    let mut device = Device::online(&lab, ID, &credentials).await;
    let properties = PublishProperties {
        content_type: Some("application/json".into()),
        user_properties: [("type", "telemetry:1"), ("$.mid", "7"), ("alert", "hot")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        ..PublishProperties::default()
    };
    let topic = device.topic(Channel::Telemetry);
    let id = device.publish(&topic, 1, b"{\"t\":1}".to_vec(), properties).await;
    let Packet::PubAck(ack) = device.next().await else { panic!("no PUBACK") };
    assert_eq!((ack.pkid, ack.reason), (id, PubAckReason::Success));
    let message = telemetry.next().await.expect("a message");
    assert_eq!(message.device_id, ID);
    assert_eq!(message.body.as_ref(), b"{\"t\":1}");
    assert_eq!(message.message_id(), Some("7"));
    assert_eq!(message.system_properties()["ct"], "application/json");
    assert_eq!(message.application_properties().into_iter().collect::<Vec<_>>(), [("alert", "hot")]);

    // A number stands for the topic.
    let alias =
        |topic_alias| PublishProperties { topic_alias: Some(topic_alias), ..PublishProperties::default() };
    device.publish(&topic, 1, b"2".to_vec(), alias(3)).await;
    device.publish("", 1, b"3".to_vec(), alias(3)).await;
    assert_eq!(telemetry.next().await.expect("a message").body.as_ref(), b"2");
    assert_eq!(telemetry.next().await.expect("a message").body.as_ref(), b"3");
}

#[tokio::test]
async fn what_such_a_hub_does_not_take_is_refused_for_that_message_alone() {
    let (lab, _, credentials) = lab().await;
    let mut device = Device::online(&lab, ID, &credentials).await;
    for (topic, size, reason) in [
        ("ih/other/srv/telemetry", 1, PubAckReason::NotAuthorized),
        ("ih/tracker-5/dev/twin", 1, PubAckReason::NotAuthorized),
        ("devices/tracker-5/messages/events/", 1, PubAckReason::NotAuthorized),
        ("$iothub/credentials/POST/issueCertificate/?$rid=1234", 1, PubAckReason::NotAuthorized),
        ("ih/tracker-5/srv/telemetry", 256 * 1024 + 1, PubAckReason::PayloadFormatInvalid),
        ("ih/tracker-5/srv/telemetry", 256 * 1024, PubAckReason::Success),
    ] {
        device.publish(topic, 1, vec![b'1'; size], PublishProperties::default()).await;
        let Packet::PubAck(ack) = device.next().await else { panic!("no PUBACK") };
        assert_eq!(ack.reason, reason, "{topic}");
        if reason != PubAckReason::Success {
            let words = ack.properties.and_then(|properties| properties.reason_string);
            assert!(words.is_some_and(|words| !words.is_empty()), "{topic}");
        }
    }
    for (filter, code) in [
        ("ih/other/dev/#", SubscribeReasonCode::NotAuthorized),
        ("devices/tracker-5/messages/devicebound/#", SubscribeReasonCode::NotAuthorized),
        ("$share/g/ih/tracker-5/dev/#", SubscribeReasonCode::SharedSubscriptionsNotSupported),
    ] {
        device.subscribe_to(Filter::new(filter, QoS::AtLeastOnce)).await;
        let Packet::SubAck(answer) = device.next().await else { panic!("no SUBACK") };
        assert_eq!(answer.return_codes, [code], "{filter}");
    }
    let properties = SubscribeProperties { id: Some(1), user_properties: Vec::new() };
    let filter = Filter::new("ih/tracker-5/dev/#", QoS::AtLeastOnce);
    let subscribe = rumqttc::v5::mqttbytes::v5::Subscribe {
        pkid: 99,
        filters: vec![filter],
        properties: Some(properties),
    };
    device.send(Packet::Subscribe(subscribe)).await;
    let Packet::SubAck(answer) = device.next().await else { panic!("no SUBACK") };
    assert_eq!(answer.return_codes, [SubscribeReasonCode::SubscriptionIdNotSupported]);
}

#[tokio::test]
async fn who_breaks_the_rules_is_told_the_reason_and_disconnected() {
    let (lab, _, credentials) = lab().await;
    let telemetry = "ih/tracker-5/srv/telemetry";
    let retained =
        rumqttc::v5::mqttbytes::v5::Publish { retain: true, ..publish(telemetry, QoS::AtMostOnce, 0) };
    let mut alias = publish("", QoS::AtMostOnce, 0);
    alias.properties = Some(PublishProperties { topic_alias: Some(11), ..PublishProperties::default() });
    for (packet, code) in [
        (Packet::Publish(publish(telemetry, QoS::ExactlyOnce, 9)), DisconnectReasonCode::QoSNotSupported),
        (Packet::Publish(retained), DisconnectReasonCode::RetainNotSupported),
        (Packet::Publish(alias), DisconnectReasonCode::TopicAliasInvalid),
    ] {
        let mut device = Device::online(&lab, ID, &credentials).await;
        device.send(packet).await;
        assert_eq!(goodbye(&mut device).await, code);
    }
    for (bytes, code) in [
        (&[0xf0, 0][..], DisconnectReasonCode::MalformedPacket),
        (&[0x30, 0xff, 0xff, 0xff, 0x7f], DisconnectReasonCode::PacketTooLarge),
        (&[0x20, 3, 0, 0, 0], DisconnectReasonCode::ProtocolError),
        (&[0x40, 3, 0, 1, 0x80], DisconnectReasonCode::ImplementationSpecificError),
    ] {
        let mut device = Device::online(&lab, ID, &credentials).await;
        device.send_bytes(bytes).await;
        assert_eq!(goodbye(&mut device).await, code, "{bytes:x?}");
    }
}

fn publish(topic: &str, qos: QoS, pkid: u16) -> rumqttc::v5::mqttbytes::v5::Publish {
    let properties = Some(PublishProperties::default());
    rumqttc::v5::mqttbytes::v5::Publish {
        pkid,
        ..rumqttc::v5::mqttbytes::v5::Publish::new(topic, qos, b"1".to_vec(), properties)
    }
}

/// The reason of the DISCONNECT that comes, and nothing after it.
async fn goodbye(device: &mut Device) -> DisconnectReasonCode {
    let Some(Packet::Disconnect(Disconnect { reason_code, .. })) = device.next_unacknowledged().await else {
        panic!("no DISCONNECT")
    };
    assert!(device.next_unacknowledged().await.is_none());
    reason_code
}

#[tokio::test]
async fn a_second_connection_takes_the_first_over_and_a_disabled_device_is_let_go() {
    let (lab, hub, credentials) = lab().await;
    let mut first = Device::online(&lab, ID, &credentials).await;
    let mut second = Device::online(&lab, ID, &credentials).await;
    assert_eq!(goodbye(&mut first).await, DisconnectReasonCode::SessionTakenOver);
    hub.disable(ID).expect("a device");
    assert_eq!(goodbye(&mut second).await, DisconnectReasonCode::NotAuthorized);
    assert_eq!(refusal(&lab, &credentials, Five::new(fresh())).await, ConnectReturnCode::NotAuthorized);
    hub.enable(ID).expect("a device");
    let mut third = Device::online(&lab, ID, &credentials).await;
    lab.emulator.shutdown().await;
    assert_eq!(goodbye(&mut third).await, DisconnectReasonCode::ServerShuttingDown);
}

async fn refusal(
    lab: &Lab,
    credentials: &tracker_emulator::pki::DeviceCredentials,
    five: Five,
) -> ConnectReturnCode {
    let mut device = Device::dial(lab, ID, credentials, five).await;
    let Packet::ConnAck(answer) = device.next().await else { panic!("no CONNACK") };
    assert!(device.next_unacknowledged().await.is_none(), "it is closed");
    answer.code
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let (lab, _, credentials) = lab().await;
    let five = || Five::new(fresh());
    let user_property = |mut five: Five| {
        five.properties.user_properties = vec![("a".into(), "b".into())];
        five
    };
    let method = |mut five: Five| {
        five.properties.authentication_method = Some("SAS".into());
        five
    };
    let will = LastWill::new("ih/other/srv/telemetry", b"1".to_vec(), QoS::AtLeastOnce, false, None);
    for (five, code) in [
        (Five { user_name: "hub-5/tracker-5".into(), ..five() }, ConnectReturnCode::BadUserNamePassword),
        (
            Five { password: "SharedAccessSignature sr=x".into(), ..five() },
            ConnectReturnCode::BadUserNamePassword,
        ),
        (user_property(five()), ConnectReturnCode::ImplementationSpecificError),
        (method(five()), ConnectReturnCode::BadAuthenticationMethod),
        (Five { will: Some(will), ..five() }, ConnectReturnCode::NotAuthorized),
    ] {
        assert_eq!(refusal(&lab, &credentials, five).await, code);
    }
    let other = lab.factory.device(ID, tracker_emulator::pki::Validity::always()).expect("a leaf");
    assert_eq!(refusal(&lab, &other, five()).await, ConnectReturnCode::NotAuthorized, "another certificate");
}

#[tokio::test]
async fn each_kind_of_hub_refuses_the_version_of_the_other() {
    let builder = Emulator::builder().hubs(["hub-1", "hub-5=mqtt5"]);
    let lab = Lab::with(builder.start().await.expect("it starts"));
    let credentials = lab.credentials(ID);
    let mut dial = lab.to_hub(ID, &credentials);
    dial.user_name = Some(format!("{HUB_5}/{ID}/?api-version=2021-04-12"));
    let mut events = lab.emulator.events();
    assert_eq!(dial.refused().await, rumqttc::ConnectReturnCode::RefusedProtocolVersion);
    let reason = event(&mut events, |kind| match kind {
        EventKind::ConnectionRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.await.contains("a hub of MQTT 5"));
    // In the form of 3.1.1, as from a service that knows no other.
    let mut device =
        Device::dial(&lab, ID, &credentials, Five { server_name: HUB, ..Five::new(fresh()) }).await;
    let mut bytes = [0; 4];
    device.read_exactly(&mut bytes).await;
    assert_eq!(bytes, [0x20, 2, 0, 1]);
}

#[tokio::test]
async fn methods_go_by_probe_and_call_and_every_end_of_one_is_told() {
    let (lab, hub, credentials) = lab().await;
    let mut device = Device::online(&lab, ID, &credentials).await;
    let call = |seconds| {
        let hub = hub.clone();
        let method = DirectMethod {
            method_name: "reboot".into(),
            payload: Some(json!({"delay": 3})),
            response_timeout: Duration::from_secs(seconds),
            connect_timeout: Duration::ZERO,
        };
        tokio::spawn(async move { hub.invoke(ID, &method).await })
    };
    let ready =
        |ready_id| DeviceMessage::ProbeAck(ProbeAck { answer: Some(ProbeAnswer::Ready(Ready { ready_id })) });

    let called = call(30);
    let (CloudMessage::Probe(probe), request) = device.message().await else { panic!("no probe") };
    assert_eq!((probe.method_name.as_str(), probe.response_timeout_seconds), ("reboot", 30));
    device.say(ready(vec![7; 16]), request).await;
    let (CloudMessage::Exec(exec), correlation) = device.message().await else { panic!("no call") };
    assert_eq!((exec.ready_id.as_slice(), correlation), (&[7; 16][..], request));
    assert_eq!(json_of(&exec.params), json!({"delay": 3}));
    assert!(exec.exec_start.is_some());
    let result = MethodResult { status: 200, body: b"{\"ok\":true}".to_vec() };
    device.say(DeviceMessage::Result(result), request).await;
    let result = called.await.expect("it ran").expect("an answer");
    assert_eq!((result.status, result.payload), (200, Some(json!({"ok": true}))));

    let called = call(30);
    let (_, request) = device.message().await;
    let reason = RejectReason::MethodNotFound.into();
    let answer = ProbeAnswer::Rejected(Rejected { reason });
    device.say(DeviceMessage::ProbeAck(ProbeAck { answer: Some(answer) }), request).await;
    let error = called.await.expect("it ran").expect_err("refused");
    assert!(matches!(&error, HubError::MethodRejected { why: "has no such method", .. }), "{error}");

    let called = call(30);
    let (_, request) = device.message().await;
    device.say(ready(vec![8; 16]), request).await;
    device.message().await;
    let abandon = Abandon { ready_id: vec![8; 16], reason: AbandonReason::InsufficientTime.into() };
    device.say(DeviceMessage::Abandon(abandon), request).await;
    let error = called.await.expect("it ran").expect_err("given up").to_string();
    assert!(error.contains("too little time"), "{error}");

    let called = call(1);
    let (_, request) = device.message().await;
    device.say(ready(vec![9; 16]), request).await;
    let error = called.await.expect("it ran").expect_err("too late");
    assert!(matches!(error, HubError::GatewayTimeout { .. }), "{error}");
}

#[tokio::test]
async fn a_session_outlives_its_connection_as_long_as_was_asked_for() {
    let (lab, hub, credentials) = lab().await;
    let kept = |clean_start| {
        let mut five = Five { clean_start, ..Five::new(fresh()) };
        five.properties.session_expiry_interval = Some(3600);
        five
    };
    let mut device = Device::dial(&lab, ID, &credentials, kept(false)).await;
    device.subscribe().await;
    device.birth(Birth::default()).await;
    device.message().await;
    let method = DirectMethod {
        method_name: "reboot".into(),
        payload: None,
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_mins(1),
    };
    let hub_2 = hub.clone();
    let called = tokio::spawn(async move { hub_2.invoke(ID, &method).await });
    // It comes, and is not acknowledged.
    let Some(Packet::Publish(probe)) = device.next_unacknowledged().await else { panic!("no probe") };
    let mut events = lab.emulator.events();
    drop(device);
    event(&mut events, |kind| matches!(kind, EventKind::DeviceDisconnected { .. }).then_some(())).await;
    assert!(matches!(called.await.expect("it ran"), Err(HubError::DeviceConnectionClosed(_))));

    let mut device = Device::dial(&lab, ID, &credentials, kept(false)).await;
    let Packet::ConnAck(accepted) = device.next().await else { panic!("no CONNACK") };
    assert!(accepted.session_present);
    let Packet::Publish(again) = device.next().await else { panic!("no probe") };
    assert!(again.dup && !probe.dup);
    assert_eq!(read(&again), read(&probe));
    // Subscriptions are still there.
    device.birth(Birth { session_present: true, ..Birth::default() }).await;
    assert!(matches!(device.message().await.0, CloudMessage::BirthAck(_)));
    drop(device);
    event(&mut events, |kind| matches!(kind, EventKind::DeviceDisconnected { .. }).then_some(())).await;
    let mut device = Device::dial(&lab, ID, &credentials, kept(true)).await;
    let Packet::ConnAck(accepted) = device.next().await else { panic!("no CONNACK") };
    assert!(!accepted.session_present);
}

#[tokio::test]
async fn a_will_is_published_unless_the_goodbye_is_in_order() {
    let (lab, hub, credentials) = lab().await;
    let mut telemetry = hub.telemetry();
    let will =
        || Some(LastWill::new("ih/tracker-5/srv/telemetry", b"gone".to_vec(), QoS::AtLeastOnce, false, None));
    let online = async |reason_code: Option<DisconnectReasonCode>| {
        let five = Five { will: will(), ..Five::new(fresh()) };
        let mut device = Device::dial(&lab, ID, &credentials, five).await;
        device.next().await;
        if let Some(reason_code) = reason_code {
            device.send(Packet::Disconnect(Disconnect { reason_code, properties: None })).await;
            assert!(device.next_unacknowledged().await.is_none());
        }
    };
    online(Some(DisconnectReasonCode::NormalDisconnection)).await;
    online(Some(DisconnectReasonCode::DisconnectWithWillMessage)).await;
    assert_eq!(telemetry.next().await.expect("the will").body.as_ref(), b"gone");
    online(None).await;
    assert_eq!(telemetry.next().await.expect("the will").body.as_ref(), b"gone");
    assert_eq!(hub.counters(ID).expect("a device").received, 2, "none after a goodbye in order");
}

#[tokio::test]
async fn faults_strike_here_too() {
    let (lab, hub, credentials) = lab().await;
    let inject = |kind| {
        let service = FaultyService::AnyHub;
        lab.emulator.faults().inject(Fault { service, device: None, kind, times: Some(1) });
    };
    inject(FaultKind::RefuseConnect { code: 0x97 });
    assert_eq!(refusal(&lab, &credentials, Five::new(fresh())).await, ConnectReturnCode::QuotaExceeded);
    inject(FaultKind::RefuseConnect { code: 3 });
    assert_eq!(refusal(&lab, &credentials, Five::new(fresh())).await, ConnectReturnCode::ServerUnavailable);

    let mut device = Device::online(&lab, ID, &credentials).await;
    let topic = device.topic(Channel::Telemetry);
    let none = PublishProperties::default;
    inject(FaultKind::RefusePublish { code: 0x97 });
    device.publish(&topic, 1, b"1".to_vec(), none()).await;
    let Packet::PubAck(ack) = device.next().await else { panic!("no PUBACK") };
    assert_eq!(ack.reason, PubAckReason::QuotaExceeded);
    inject(FaultKind::WithholdPubAck);
    device.publish(&topic, 1, b"2".to_vec(), none()).await;
    let third = device.publish(&topic, 1, b"3".to_vec(), none()).await;
    let Packet::PubAck(ack) = device.next().await else { panic!("no PUBACK") };
    assert_eq!(ack.pkid, third);
    inject(FaultKind::TwinError { status: 500 });
    let patch = ReportedPatch { if_match: 1, payload: b"{}".to_vec() };
    device.say(DeviceMessage::ReportedPatch(patch), fresh()).await;
    let CloudMessage::ReportedPatchResponse(answer) = device.message().await.0 else { panic!("no answer") };
    assert_eq!((answer.result(), answer.version), (ReportedResult::InternalError, 1));
    inject(FaultKind::DuplicateDelivery);
    hub.update_twin_desired(ID, json!({"a": 1})).expect("a change");
    assert_eq!(device.message().await, device.message().await);
    inject(FaultKind::Latency { delay: Duration::from_millis(50) });
    device.publish(&topic, 1, b"4".to_vec(), none()).await;
    assert!(matches!(device.next().await, Packet::PubAck(_)));
    inject(FaultKind::Disconnect { code: 0x9c });
    device.publish(&topic, 1, b"5".to_vec(), none()).await;
    assert_eq!(goodbye(&mut device).await, DisconnectReasonCode::UseAnotherServer);
    assert_eq!(hub.counters(ID).expect("a device").received, 3);
}

#[tokio::test]
async fn more_than_the_receive_maximum_ends_the_connection() {
    let (lab, _, credentials) = lab().await;
    let service = FaultyService::AnyHub;
    lab.emulator.faults().inject(Fault {
        service,
        device: None,
        kind: FaultKind::WithholdPubAck,
        times: None,
    });
    let mut device = Device::online(&lab, ID, &credentials).await;
    let topic = device.topic(Channel::Telemetry);
    for _ in 0..101 {
        device.publish(&topic, 1, b"1".to_vec(), PublishProperties::default()).await;
    }
    assert_eq!(goodbye(&mut device).await, DisconnectReasonCode::ReceiveMaximumExceeded);
}

#[tokio::test]
async fn a_hub_of_mqtt_5_is_one_for_ever_and_has_no_messages_to_devices() {
    let state = tempfile::tempdir().expect("a directory");
    let emulator = builder().state_directory(state.path()).start().await.expect("it starts");
    let hub = emulator.hub("hub-5").expect("the hub");
    assert_eq!(hub.profile(), ConnectionProfile::MqttV5);
    let error = hub.send(ID, CloudToDeviceMessage::default()).expect_err("refused").to_string();
    assert!(error.contains("no messages to devices"), "{error}");
    emulator.shutdown().await;
    let again = || Emulator::builder().state_directory(state.path());
    let emulator = again().hubs(["hub-5"]).start().await.expect("it starts");
    assert_eq!(emulator.hub("hub-5").expect("the hub").profile(), ConnectionProfile::MqttV5);
    emulator.shutdown().await;
    for (option, part) in [("hub-5=classic", "never changes"), ("hub-6=mqtt6", "=mqtt5 or =classic")] {
        let error = again().hubs([option]).start().await.err().expect("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}
