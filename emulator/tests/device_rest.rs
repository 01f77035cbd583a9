//! Devices at their hub over HTTPS.

use std::time::Duration;

use crate::common::{HUB, Lab, PATIENCE, https::Caller, service::Service};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracker_emulator::{
    Acknowledgement, Authentication, CloudToDeviceMessage, DeviceCapabilities, Emulator, EventKind, Hub,
    SymmetricKey, TelemetryMessage,
};

const VERSION: &str = "api-version=2021-04-12";

/// Makes a device with symmetric keys; gives its first key.
fn with_keys(hub: &Hub, device_id: &str) -> String {
    let keys = Authentication::sas(SymmetricKey::default());
    let made = hub.create_device(device_id, keys, DeviceCapabilities::default()).expect("a device");
    made.authentication.symmetric_key.primary_key.expect("a key")
}

/// A device `d1` with symmetric keys, at the hub's own name.
fn caller(emulator: &Emulator) -> (Hub, Caller) {
    let hub = emulator.hub("hub-1").expect("the hub");
    let key = with_keys(&hub, "d1");
    let caller = Caller::with_key(emulator, HUB, &format!("{HUB}/devices/d1"), &key, None);
    (hub, caller)
}

fn events(device_id: &str) -> String {
    format!("/devices/{device_id}/messages/events?{VERSION}")
}

fn bound(device_id: &str, rest: &str) -> String {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    format!("/devices/{device_id}/messages/devicebound{path}?{VERSION}&{query}")
}

async fn next(telemetry: &mut tracker_emulator::Subscription<TelemetryMessage>) -> TelemetryMessage {
    let message = tokio::time::timeout(PATIENCE, telemetry.next()).await.expect("in time");
    (*message.expect("kept")).clone()
}

#[tokio::test]
async fn a_message_is_taken_with_its_properties_and_an_empty_one_stays_empty() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let mut telemetry = hub.telemetry();
    let headers = [
        ("IoTHub-MessageId", "m-1"),
        ("IoTHub-CorrelationId", "c-1"),
        ("iothub-contenttype", "application/json"),
        ("iothub-contentencoding", "utf-8"),
        ("iothub-to", "/devices/d1/messages/events"),
        ("iothub-app-Colour", "r\u{f6}t"),
        ("dt-subject", "thermostat"),
        ("User-Agent", "a device"),
    ];
    let sent = device.call("POST", &events("d1"), &headers, br#"{"t":4}"#).await;
    assert_eq!((sent.status, sent.body.len()), (204, 0), "{sent:?}");
    let message = next(&mut telemetry).await;
    assert_eq!((&message.body[..], message.device_id.as_str()), (&br#"{"t":4}"#[..], "d1"));
    let system = json!(message.system_properties());
    let expected =
        json!({"mid": "m-1", "cid": "c-1", "ct": "application/json", "ce": "utf-8", "sub": "thermostat"});
    assert_eq!(system, expected);
    assert_eq!(json!(message.application_properties()), json!({"Colour": "r\u{f6}t"}));

    assert_eq!(device.call("POST", &events("d1"), &[], b"").await.status, 204);
    let empty = next(&mut telemetry).await;
    assert!(empty.body.is_empty() && empty.system_properties().is_empty());
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let mut telemetry = hub.telemetry();
    let batch = async |body: &str| {
        let headers = [("Content-Type", "application/vnd.microsoft.iothub.json; charset=utf-8")];
        device.call("POST", &events("d1"), &headers, body.as_bytes()).await
    };
    let good = json!([
        {"body": "AAEC", "properties": {"iothub-app-n": "1", "iothub-messageid": "m"}},
        {"body": "text", "base64Encoded": false, "properties": {"dt-subject": "s"}},
        {"body": ""},
    ]);
    let answer = batch(&good.to_string()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let first = next(&mut telemetry).await;
    assert_eq!((&first.body[..], first.message_id()), (&[0, 1, 2][..], Some("m")));
    assert_eq!(first.properties.get("n"), Some("1"));
    let second = next(&mut telemetry).await;
    assert_eq!((&second.body[..], second.system_properties()["sub"]), (&b"text"[..], "s"));
    assert!(next(&mut telemetry).await.body.is_empty());

    for (bad, part) in [
        (json!([{"body": "AAEC"}, {"body": "no base64!"}]).to_string(), "message 1 is not base64"),
        (json!([{"body": "", "properties": {"x": []}}]).to_string(), "an array or an object"),
        (json!([]).to_string(), "a batch of 0 messages"),
        ("{".to_owned(), "not an array of messages"),
        (json!([{"body": "", "properties": {"iothub-app-$.mid": "x"}}]).to_string(), "system property"),
    ] {
        let answer = batch(&bad).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 400 && text.contains(part), "{bad}: {text}");
    }
    let large = format!("[{{\"body\":\"{}\"}}]", "A".repeat(400 * 1024));
    assert_eq!(batch(&large).await.status, 413);
    assert_eq!(hub.counters("d1").expect("counters").received, 3, "nothing of the bad ones");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_azures_code() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let fits = vec![b'x'; 256 * 1024];
    assert_eq!(device.call("POST", &events("d1"), &[], &fits).await.status, 204);
    let large = device.call("POST", &events("d1"), &[("iothub-app-a", "b")], &fits).await;
    assert_eq!((large.status, large.header("iothub-errorcode")), (413, Some("MessageTooLarge")));
    assert_eq!(hub.counters("d1").expect("counters").received, 1);
}

#[tokio::test]
async fn a_message_to_a_device_is_received_abandoned_rejected_and_completed() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let none = device.get(&bound("d1", "")).await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    let message = CloudToDeviceMessage {
        message_id: Some("m-1".into()),
        correlation_id: Some("c-1".into()),
        user_id: Some("somebody".into()),
        body: vec![0, 255, 7],
        content_type: Some("application/octet-stream".into()),
        properties: vec![("colour".into(), "red".into()), ("odd".into(), "a\nb".into())],
        ack: Acknowledgement::Full,
        ..CloudToDeviceMessage::default()
    };
    hub.send("d1", message.clone()).expect("room");
    let first = device.get(&bound("d1", "")).await;
    assert_eq!((first.status, &first.body[..]), (200, &[0, 255, 7][..]));
    for (name, value) in [
        ("iothub-messageid", "m-1"),
        ("iothub-correlationid", "c-1"),
        ("iothub-userid", "somebody"),
        ("iothub-to", "/devices/d1/messages/devicebound"),
        ("iothub-ack", "full"),
        ("iothub-sequencenumber", "1"),
        ("iothub-deliverycount", "0"),
        ("iothub-contenttype", "application/octet-stream"),
        ("iothub-app-colour", "red"),
        ("iothub-app-odd", "a%0Ab"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    assert_eq!(device.get(&bound("d1", "")).await.status, 204, "it is under way");

    let lock = first.lock_token();
    assert_eq!(device.post(&bound("d1", &format!("/{lock}/abandon")), "").await.status, 204);
    let again = device.post(&bound("d1", &format!("/{lock}/abandon")), "").await;
    assert_eq!((again.status, again.header("iothub-errorcode")), (412, Some("DeviceMessageLockLost")));
    let second = device.get(&bound("d1", "")).await;
    assert_eq!(second.header("iothub-deliverycount"), Some("1"));
    // As the C SDK quotes it.
    let lock = second.lock_token();
    assert_eq!(device.delete(&bound("d1", &format!("/%22{lock}%22"))).await.status, 204);
    assert_eq!(device.delete(&bound("d1", &format!("/{lock}"))).await.status, 412, "it is done with");

    hub.send("d1", message).expect("room");
    let lock = device.get(&bound("d1", "")).await.lock_token();
    assert_eq!(device.delete(&bound("d1", &format!("/{lock}?reject"))).await.status, 204);
    let feedback =
        Service::hub(&lab.emulator).get(&format!("/messages/serviceBound/feedback?{VERSION}")).await;
    let outcomes: Vec<_> =
        feedback.body.as_array().expect("records").iter().map(|r| &r["statusCode"]).collect();
    assert_eq!(outcomes, ["Success", "Rejected"]);
    let words: Vec<_> =
        feedback.body.as_array().expect("records").iter().map(|r| &r["description"]).collect();
    assert_eq!(words, ["Success", "Message rejected"]);
}

#[tokio::test]
async fn a_lock_is_no_good_for_another_device_and_has_the_length_that_is_asked_for() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let key = with_keys(&hub, "d2");
    let other = Caller::with_key(&lab.emulator, HUB, &format!("{HUB}/devices/d2"), &key, None);
    hub.send("d1", CloudToDeviceMessage::default()).expect("room");
    let received = device.call("GET", &bound("d1", ""), &[("IotHub-MessageLockTimeout", "1")], b"").await;
    let lock = received.lock_token();
    assert_eq!(other.delete(&bound("d2", &format!("/{lock}"))).await.status, 412);
    assert_eq!(other.delete(&bound("d1", &format!("/{lock}"))).await.status, 401);
    let back = async {
        while device.get(&bound("d1", "")).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it comes back when the lock has ended");
    assert_eq!(device.delete(&bound("d1", &format!("/{lock}"))).await.status, 412);
    for bad in ["0", "soon", "301", "-1"] {
        let answer = device.call("GET", &bound("d1", ""), &[("IotHub-MessageLockTimeout", bad)], b"").await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_message_that_is_abandoned_over_https_reaches_the_device_by_mqtt() {
    let lab = Lab::start().await;
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let credentials = lab.credentials("d1");
    assert_eq!(lab.register("d1", &credentials).await.0, 200);
    let mut device = lab.to_hub("d1", &credentials).connect().await.expect("the hub lets in");
    let gateway = Caller::new(&lab.emulator, HUB, Some(&credentials));
    hub.send("d1", CloudToDeviceMessage { body: b"x".to_vec(), ..Default::default() }).expect("room");
    let lock = gateway.get(&bound("d1", "")).await.lock_token();
    device.subscribe("devices/d1/messages/devicebound/#").await;
    assert_eq!(gateway.post(&bound("d1", &format!("/{lock}/abandon")), "").await.status, 204);
    assert_eq!(device.message().await.1, b"x");
}

#[tokio::test]
async fn who_is_not_the_device_is_refused_and_the_operator_told() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let key = with_keys(&hub, "d2");
    let resource = |id: &str| format!("{HUB}/devices/{id}");
    let owner = Service::hub(&lab.emulator);
    let reader = Service::of(&lab.emulator, "hub-1", "registryRead");
    let with = |resource: &str, key: &str, policy: Option<&str>| {
        Caller::with_key(&lab.emulator, HUB, resource, key, policy)
    };
    let with_token = |token: &str| {
        let mut caller = Caller::new(&lab.emulator, HUB, None);
        caller.token = Some(token.to_owned());
        caller
    };
    let mut told = lab.emulator.events();
    for (what, caller) in [
        ("the token of another device", with(&resource("d2"), &key, None)),
        ("the key of another device", with(&resource("d1"), &key, None)),
        ("a policy without the right", with(HUB, &reader.key, Some("registryRead"))),
        ("no token", Caller::new(&lab.emulator, HUB, None)),
        ("no token at all", with_token("Bearer x")),
        ("nonsense", with_token("%%%")),
    ] {
        let answer = caller.post(&events("d1"), "x").await;
        assert_eq!(
            (answer.status, answer.header("iothub-errorcode")),
            (401, Some("IotHubUnauthorizedAccess")),
            "{what}"
        );
        let client_id = crate::common::event(&mut told, |kind| match kind {
            EventKind::ConnectionRefused { client_id, code: None, .. } => Some(client_id.clone()),
            _ => None,
        });
        assert_eq!(client_id.await, "d1", "{what}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains(&key), "{what}: {text}");
    }
    assert_eq!(device.post(&events("nobody"), "x").await.status, 401);
    assert_eq!(device.post("/devices/d1/messages/events", "x").await.status, 400, "no api-version");
    hub.disable("d1").expect("disabled");
    let disabled = device.post(&events("d1"), "x").await;
    assert_eq!((disabled.status, disabled.header("iothub-errorcode")), (403, Some("DeviceDisabled")));
    assert_eq!(hub.counters("d1").expect("counters").received, 0);
    // A gateway's policy is good for all.
    hub.enable("d1").expect("enabled");
    assert_eq!(with(HUB, &owner.key, Some(&owner.policy)).post(&events("d1"), "x").await.status, 204);
}

#[tokio::test]
async fn under_localhost_the_credentials_say_which_hub_is_meant() {
    let emulator = Emulator::builder().hubs(["hub-1", "hub-2"]).start().await.expect("it starts");
    let lab = Lab::with(emulator);
    let hub = lab.emulator.hub("hub-2").expect("the hub");
    let key = with_keys(&hub, "d1");
    with_keys(&lab.emulator.hub("hub-1").expect("the hub"), "d1");
    let host = format!("localhost:{}", lab.emulator.service_address().expect("a port").port());
    for resource in [format!("{host}/devices/d1"), "hub-2.azure-devices.net/devices/d1".to_owned()] {
        let device = Caller::with_key(&lab.emulator, &host, &resource, &key, None);
        let answer = device.post(&events("d1"), "x").await;
        assert_eq!(answer.status, 204, "{resource}: {answer:?}");
    }
    assert_eq!(hub.counters("d1").expect("counters").received, 2);
    let elsewhere = Caller::with_key(&lab.emulator, "elsewhere", &format!("{host}/devices/d9"), &key, None);
    assert_eq!(elsewhere.post(&events("d9"), "x").await.status, 401);
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_its_name() {
    let lab = Lab::start().await;
    let (_, device) = caller(&lab.emulator);
    for (target, what) in
        [("/devices/d1/files", "file upload"), ("/devices/d1/files/notifications", "file upload")]
    {
        let answer = device.post(&format!("{target}?{VERSION}"), "{}").await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 501 && text.contains(what), "{target}: {text}");
    }
}

#[tokio::test]
async fn rough_devices_are_refused_or_waited_out() {
    let lab = Lab::start().await;
    let (hub, device) = caller(&lab.emulator);
    let huge = "x".repeat(600 * 1024);
    let mut stream = device.connect().await;
    let head = format!("POST {} HTTP/1.1\r\nHost: {HUB}\r\niothub-app-a: {huge}\r\n\r\n", events("d1"));
    // The server may stop reading at any time.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time");
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    let many: Vec<_> = (0..500).map(|n| format!("iothub-app-{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(device.call("POST", &events("d1"), &many, b"x").await.status, 431);
    // Half of a body, and silence.
    let mut half = device.connect().await;
    let token = device.token.clone().unwrap_or_default();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {HUB}\r\nAuthorization: {token}\r\nContent-Length: 100\r\n\r\nhalf",
        events("d1")
    );
    half.write_all(head.as_bytes()).await.expect("sent");
    for odd in
        ["/devices//messages/events", "/devices/%00/messages/events", "/devices/%ff%fe/messages/events"]
    {
        let answer = device.post(&format!("{odd}?{VERSION}"), "x").await;
        assert!((400..500).contains(&answer.status), "{odd}: {}", answer.status);
    }
    assert_eq!(device.call("POST", &events("d1"), &[("iothub-app-", "x")], b"x").await.status, 400);
    assert_eq!(device.post(&events("d1"), "x").await.status, 204, "others are served");
    assert_eq!(hub.counters("d1").expect("counters").received, 1);
}

#[tokio::test]
async fn a_certificate_of_the_handshake_is_as_good_as_over_mqtt() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    assert_eq!(lab.register("d1", &credentials).await.0, 200);
    for host in [HUB, "localhost:8443"] {
        let device = Caller::new(&lab.emulator, host, Some(&credentials));
        assert_eq!(device.post(&events("d1"), "x").await.status, 204, "{host}");
        let stranger = Caller::new(&lab.emulator, host, Some(&lab.credentials("d2")));
        assert_eq!(stranger.post(&events("d1"), "x").await.status, 401, "{host}");
    }
}

#[tokio::test]
async fn a_hub_of_mqtt_5_has_nothing_for_devices_over_https() {
    let emulator = Emulator::builder().hubs(["hub-5=mqtt5"]).start().await.expect("it starts");
    let hub = emulator.hub("hub-5").expect("the hub");
    let key = with_keys(&hub, "d1");
    let name = "hub-5.azure-devices.net";
    let device = Caller::with_key(&emulator, name, &format!("{name}/devices/d1"), &key, None);
    let answer = device.post(&events("d1"), "x").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 400 && text.contains("MQTT 5 alone"), "{text}");
}
