//! The services driven by hand: days of a device's life without a socket, a runtime, or waiting.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, Authentication, Clock as _, DeviceCapabilities, DeviceStatus, DirectMethod,
    DisconnectReason, EmulatorOptions, EnrollmentGroup, Fault, FaultKind, FaultyService, HubError, IfMatch,
    InitialTwin, ReprovisionPolicy, SubscriptionError, SymmetricKey,
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

/// Registers a device of this name with this chain, and gives what its record says of it.
fn registered(cloud: &Cloud, id: &str, chain: &str, api_version: &str) -> Value {
    let mut dial = Dial::to_dps(cloud, id, chain);
    dial.user_name = dial.user_name.replace("2019-03-31", api_version);
    let mut client = cloud.connect(&dial).expect("let in");
    client.subscribe("$dps/registrations/res/#").expect("subscribed");
    let body = json!({"registrationId": id}).to_string();
    client.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", body.as_bytes()).expect("connected");
    let (_, operation) = message(&mut client);
    poll(&mut client, &operation).1["registrationState"].clone()
}

/// The numbers of the substatus came with an API version of their own.
#[test]
fn a_later_registration_is_told_apart_from_the_first_since_an_api_version() {
    let (cloud, chain) = cloud(&fast());
    for (api_version, substatus) in [
        ("2019-03-31", "initialAssignment"),
        ("2019-03-31", "initialAssignment"),
        ("2019-04-15", "reprovisionedToInitialAssignment"),
        ("2021-06-01", "reprovisionedToInitialAssignment"),
    ] {
        assert_eq!(registered(&cloud, DEVICE, &chain, api_version)["substatus"], substatus, "{api_version}");
    }
}

/// Ours: who has been shut out of a hub is not let in by asking DPS.
#[test]
fn a_device_that_was_disabled_stays_so_where_dps_moves_it() {
    let hubs = ["hub-1", "hub-2"].map(str::to_owned).to_vec();
    let (cloud, chain) = cloud(&EmulatorOptions { hub_names: hubs, ..fast() });
    let at = |number: usize, migrate_device_data: bool| {
        let mut group = cloud.dps().groups().get("trackers").expect("the group");
        group.terms.iot_hubs = vec![format!("hub-{number}.azure-devices.net")];
        group.terms.reprovision_policy =
            ReprovisionPolicy { update_hub_assignment: true, migrate_device_data };
        cloud.dps().groups().update(group, &IfMatch::Any).expect("updated");
        let state = registered(&cloud, DEVICE, &chain, "2021-06-01");
        (cloud.hub(&format!("hub-{number}")).expect("the hub"), state["substatus"].clone())
    };
    let (first, _) = at(1, true);
    first.set_status(DEVICE, DeviceStatus::Disabled, Some("stolen".into())).expect("disabled");
    let moves =
        [(2, true, "deviceDataMigrated"), (1, false, "deviceDataReset"), (1, false, "deviceDataReset")];
    for (number, migrate, substatus) in moves {
        let (hub, told) = at(number, migrate);
        assert_eq!(told, substatus);
        let device = hub.device(DEVICE).expect("it is there");
        assert_eq!(
            (device.status, device.status_reason.as_deref()),
            (DeviceStatus::Disabled, Some("stolen"))
        );
        assert_eq!(hub.twin(DEVICE).expect("the twin").status_reason.as_deref(), Some("stolen"));
    }
    // Enabled again, it moves as any other.
    first.enable(DEVICE).expect("enabled");
    assert_eq!(at(2, true).0.device(DEVICE).expect("it is there").status, DeviceStatus::Enabled);
}

/// Ours: registration IDs know no case and device IDs do, so the first registration settles the device ID.
#[test]
fn a_registration_id_in_another_case_is_the_same_device() {
    let (cloud, _) = cloud(&fast());
    let root = CertificateAuthority::root("second root", Validity::always()).expect("a root");
    cloud.dps().certificates().upload_verified("second", &root.certificate_pem()).expect("a CA certificate");
    let group = EnrollmentGroup::new("second", AttestationMechanism::ca_reference("second"));
    cloud.dps().groups().create(group).expect("a group");
    for id in ["Re-6", "re-6", "RE-6"] {
        let chain = root.device(id, Validity::always()).expect("a leaf").chain_pem;
        assert_eq!(registered(&cloud, id, &chain, "2021-06-01")["deviceId"], "Re-6", "{id}");
    }
    let devices = cloud.hub("hub-1").expect("the hub").devices();
    assert_eq!(devices.iter().map(|device| device.device_id.as_str()).collect::<Vec<_>>(), ["Re-6"]);
}

/// Ours: of two groups with one CA the first in the order of their IDs decides, be it disabled.
#[test]
fn of_two_groups_with_one_ca_the_first_by_its_id_decides() {
    let (cloud, chain) = cloud(&fast());
    let group = |id: &str, place: &str| {
        let mut group = EnrollmentGroup::new(id, AttestationMechanism::ca_reference("root"));
        group.terms.initial_twin = Some(InitialTwin::new(json!({ "group": place }), json!({})));
        cloud.dps().groups().create(group).expect("a second group of one CA may be made");
    };
    group("Another", "another");
    group("zebra", "zebra");
    assert_eq!(registered(&cloud, DEVICE, &chain, "2021-06-01")["status"], "assigned");
    assert_eq!(cloud.hub("hub-1").expect("the hub").twin(DEVICE).expect("the twin").tags["group"], "another");
    cloud.dps().groups().disable("another").expect("disabled");
    let (topic, answer) = register(&mut to_dps(&cloud, &chain));
    assert!(topic.starts_with("$dps/registrations/res/200/"), "{topic}");
    assert_eq!(answer["status"], "disabled");
}

#[test]
fn a_connection_ends_five_to_ten_minutes_after_its_token() {
    let (cloud, _) = cloud(&fast());
    let hub = cloud.hub("hub-1").expect("the hub");
    let keys = Authentication::sas(SymmetricKey::default());
    let made = hub.create_device("k1", keys, DeviceCapabilities::default()).expect("made");
    let key = made.authentication.symmetric_key.primary_key.expect("a key");
    let resource = format!("{HUB}/devices/k1");
    let connect = |expiry: i64| {
        let password = Some(crate::common::service::sas(&resource, &key, expiry, None));
        cloud.connect(&Dial { password, ..Dial::to_hub(HUB, "k1", "") })
    };
    let mut long = connect(i64::MAX).expect("let in");
    assert_eq!((long.receive(), long.deadline()), (Ok(Vec::new()), None));
    drop(long);
    let expiry = cloud.clock().now() + TimeDelta::minutes(60);
    let mut device = connect(expiry.timestamp()).expect("let in");
    let deadline = device.deadline().expect("it ends by itself");
    assert!((TimeDelta::minutes(5)..=TimeDelta::minutes(10)).contains(&(deadline - expiry)), "{deadline}");
    cloud.clock().advance(TimeDelta::minutes(65));
    let topic = "devices/k1/messages/events/";
    device.publish(topic, b"{}").expect("it goes on for a while");
    cloud.clock().advance(TimeDelta::minutes(5));
    assert_eq!(device.publish(topic, b"{}"), Err(Disconnected(DisconnectReason::TokenExpired)));
    assert_eq!(hub.counters("k1").expect("counters").received, 1);
    assert_eq!(connect(expiry.timestamp()).err().expect("refused").code, 5);
}

#[test]
fn messages_kept_for_a_slow_subscriber_are_bounded_in_bytes() {
    let (cloud, chain) = cloud(&fast());
    let mut device = online(&cloud, &chain);
    let hub = cloud.hub("hub-1").expect("the hub");
    let mut slow = hub.telemetry();
    let body = vec![b'x'; 200_000];
    for _ in 0..60 {
        device.publish(&format!("devices/{DEVICE}/messages/events/"), &body).expect("connected");
    }
    assert_eq!(slow.try_next(), Err(SubscriptionError::Lagged(19)));
    let mut kept = 0;
    while let Some(message) = slow.try_next().expect("open") {
        kept += message.body.len();
    }
    assert_eq!(kept, 41 * 200_000, "the newest within 8 MB");
    // One that comes back gets what is left, the newest last.
    let mut resumed = hub.telemetry_after(Some(1));
    assert_eq!(resumed.try_next().expect("open").map(|message| message.sequence_number), Some(20));
}

#[test]
fn a_deletion_that_deletes_nothing_raises_no_version() {
    let (cloud, chain) = cloud(&fast());
    let mut device = online(&cloud, &chain);
    device.subscribe("$iothub/twin/res/#").expect("subscribed");
    let hub = cloud.hub("hub-1").expect("the hub");
    let desired = |patch| hub.update_twin_desired(DEVICE, patch).expect("taken");
    assert_eq!(desired(json!({"a": {"b": 1}})), 2);
    assert_eq!(desired(json!({"x": null, "a": {"c": null}})), 2);
    assert_eq!(desired(json!({"a": {"b": 1}})), 3, "an unchanged value counts");
    assert_eq!(desired(json!({"a": null})), 4);
    let error = hub.update_twin_desired(DEVICE, json!({"a b": null})).expect_err("against the rules");
    assert_eq!(error.error_code(), 400_004);
    let mut reported = |patch: &str| {
        device
            .publish("$iothub/twin/PATCH/properties/reported/?$rid=1", patch.as_bytes())
            .expect("connected");
        message(&mut device).0
    };
    assert_eq!(reported(r#"{"a":1}"#), "$iothub/twin/res/204/?$rid=1&$version=2");
    assert_eq!(reported(r#"{"x":null}"#), "$iothub/twin/res/204/?$rid=1&$version=2");
    assert_eq!(reported(r#"{"a":null}"#), "$iothub/twin/res/204/?$rid=1&$version=3");
    // Azure's own sentence says that a property or tag can't be null there.
    assert_eq!(reported(r#"{"a":[{"b":null}]}"#), "$iothub/twin/res/400/?$rid=1");
}
