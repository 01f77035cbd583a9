//! What Microsoft's own suites have seen of Azure, and other emulators do not do.

#![allow(clippy::disallowed_methods, reason = "OpenSSL reads files")]

use crate::common::{Lab, register_with, service::Service};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DPS: &str = "api-version=2021-10-01";
const HUB: &str = "api-version=2021-04-12";

/// Odd order, odd spaces, odd numbers, a line end: JSON as somebody wrote it.
const WRITTEN: &str = "{ \"b\" :1.50e2,\n \"a\":[ 1 , 2.0 ] }";

#[tokio::test]
async fn a_message_is_shown_with_the_bytes_that_the_device_sent() {
    let lab = Lab::start().await;
    let mut device = lab.online("d1").await;
    device.publish("devices/d1/messages/events/", WRITTEN).await;
    let hub = Service::hub(&lab.emulator);
    let mut stream = hub.connect().await;
    let token = hub.token();
    let request = format!(
        "GET /telemetry?{HUB} HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\nLast-Event-ID: 0\r\n\r\n",
        hub.host
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut text = String::new();
    while !text.contains("2.0 ] }") {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.expect("it is read");
        assert!(count > 0, "{text}");
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    // A line end is that between two lines of an event's data.
    assert!(text.contains("\"body\":{ \"b\" :1.50e2,\ndata:  \"a\":[ 1 , 2.0 ] }"), "{text}");
    device.disconnect().await;
}

#[tokio::test]
async fn a_methods_payload_and_its_answer_keep_their_bytes() {
    let lab = Lab::start().await;
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/methods/POST/#").await;
    let hub = Service::hub(&lab.emulator);
    let body = format!("{{\"methodName\":\"m\",\"responseTimeoutInSeconds\":10,\"payload\":{WRITTEN}}}");
    let target = format!("/twins/d1/methods?{HUB}");
    let call = hub.call("POST", &target, &[], &body);
    let answer = async {
        let (topic, payload) = device.message().await;
        assert_eq!(String::from_utf8_lossy(&payload), WRITTEN);
        let rid = topic.split("$rid=").nth(1).expect("a request ID");
        device.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), WRITTEN).await;
    };
    let (reply, ()) = tokio::join!(call, answer);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text, format!("{{\"status\":200,\"payload\":{WRITTEN}}}"));
    device.disconnect().await;
}

#[tokio::test]
async fn a_section_of_a_twin_that_is_null_is_emptied_and_a_device_is_told() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    let path = format!("/twins/d1?{HUB}");
    let full = json!({"tags": {"a": 1, "b": {"c": 2}}, "properties": {"desired": {"x": 1, "y": {"z": 2}}}});
    let made = hub.call("PATCH", &path, &[], &full.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.body);
    device.message().await;
    for (body, member) in
        [(json!({"properties": {"desired": null}}), "desired"), (json!({"tags": null}), "tags")]
    {
        let emptied = hub.call("PATCH", &path, &[("If-Match", "*")], &body.to_string()).await;
        assert_eq!(emptied.status, 200, "{}", emptied.body);
        let properties = &emptied.body["properties"]["desired"];
        assert!(properties.get("x").is_none() && properties.get("y").is_none(), "{}", emptied.body);
        assert_eq!(emptied.body["tags"].get("a").is_none(), member == "tags", "{}", emptied.body);
    }
    let (topic, told) = device.json_message().await;
    assert!(topic.contains("properties/desired"), "{topic}");
    assert_eq!((&told["x"], &told["y"]), (&Value::Null, &Value::Null));
    assert!(told.as_object().is_some_and(|told| told.contains_key("x") && told.contains_key("y")), "{told}");
    device.disconnect().await;
}

#[tokio::test]
async fn keys_that_were_renewed_are_listed_and_who_has_none_is_no_hindrance() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let x509 = json!({"deviceId": "x", "authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "A".repeat(40)}}});
    for (id, body) in [("k", json!({"deviceId": "k"})), ("x", x509)] {
        let made = hub.call("PUT", &format!("/devices/{id}?{HUB}"), &[], &body.to_string()).await;
        assert_eq!(made.status, 200, "{}", made.body);
    }
    let body = json!({"policyKey": "both", "devices": [{"id": "k"}, {"id": "x"}]}).to_string();
    let renewed = hub.call("POST", &format!("/devices/keys/regenerate?{HUB}"), &[], &body).await.body;
    let now = hub.get(&format!("/devices/k?{HUB}")).await.body["authentication"]["symmetricKey"].clone();
    let expected = json!([{"id": "k", "primaryKey": now["primaryKey"], "secondaryKey": now["secondaryKey"]}]);
    assert_eq!((&renewed["policyKey"], &renewed["rotatedKeys"]), (&json!("both"), &expected));
}

#[tokio::test]
async fn an_enrollment_with_a_static_policy_may_have_no_hub_and_places_nobody() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let keys = json!({"attestation": {"type": "symmetricKey"}, "allocationPolicy": "static"});
    let path = format!("/enrollmentGroups/g?{DPS}");
    let made = dps.call("PUT", &path, &[], &keys.to_string()).await;
    assert_eq!((made.status, &made.body["allocationPolicy"]), (200, &json!("static")), "{}", made.body);
    let two = json!({"attestation": {"type": "symmetricKey"}, "allocationPolicy": "static", "iotHubs": ["a.azure-devices.net", "b.azure-devices.net"]});
    assert_eq!(dps.call("PUT", &path, &[("If-Match", "*")], &two.to_string()).await.status, 400);
    assert_eq!(dps.call("DELETE", &path, &[("If-Match", "*")], "").await.status, 204);

    let mut group = lab.emulator.dps().groups().get("trackers").expect("the group");
    group.terms.allocation_policy = tracker_emulator::AllocationPolicy::Static;
    group.terms.iot_hubs = Vec::new();
    lab.emulator.dps().groups().update(group, &tracker_emulator::IfMatch::Any).expect("it is taken");
    let (status, body) = lab.register("d1", &lab.credentials("d1")).await;
    assert_eq!((status, &body["status"]), (200, &json!("failed")), "{body}");
}

#[tokio::test]
async fn a_registration_may_have_no_body_and_a_text_as_payload() {
    let lab = Lab::start().await;
    for (id, body) in [("d1", ""), ("d2", r#"{"registrationId":"d2","payload":"text"}"#), ("d3", "{}")] {
        let mut client = lab.to_dps(id, &lab.credentials(id)).connect().await.expect("DPS lets in");
        let (status, body) = register_with(&mut client, body).await;
        assert_eq!((status, &body["registrationState"]["deviceId"]), (200, &json!(id)), "{body}");
    }
}

#[tokio::test]
async fn a_wildcard_in_place_of_the_device_brings_its_own_messages_alone() {
    let lab = Lab::start().await;
    let (mut device, other) = (lab.online("d1").await, lab.online("d2").await);
    device.subscribe("devices/+/messages/devicebound/#").await;
    let hub = Service::hub(&lab.emulator);
    for id in ["d2", "d1"] {
        let path = format!("/devices/{id}/messages/deviceBound?{HUB}");
        assert_eq!(hub.call("POST", &path, &[], id).await.status, 204);
    }
    let (topic, body) = device.message().await;
    assert!(topic.starts_with("devices/d1/messages/devicebound/"), "{topic}");
    assert_eq!(body, b"d1");
    device.disconnect().await;
    other.disconnect().await;
}

#[tokio::test]
async fn a_ca_certificate_without_extensions_is_taken_and_lets_nobody_in() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let directory = tempfile::tempdir().expect("a directory");
    let (key, pem, config) =
        (directory.path().join("k"), directory.path().join("c.pem"), directory.path().join("cnf"));
    std::fs::write(&config, "[req]\ndistinguished_name=dn\n[dn]\n").expect("written");
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "9",
        ])
        .args(["-subj", "/CN=bare"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&pem)
        .arg("-config")
        .arg(&config)
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{made:?}");
    let text = std::fs::read_to_string(&pem).expect("a certificate");
    let body = json!({"certificate": text}).to_string();
    let uploaded = dps.call("PUT", &format!("/certificates/bare?{DPS}"), &[], &body).await;
    assert_eq!(uploaded.status, 200, "{}", uploaded.body);
    let group = json!({"attestation": {"type": "x509", "x509": {"caReferences": {"primary": "bare"}}}});
    let named = dps.call("PUT", &format!("/enrollmentGroups/bare?{DPS}"), &[], &group.to_string()).await;
    assert_eq!(named.status, 200, "{}", named.body);
    let leaf = lab.factory.certificate_pem();
    let no_ca = lab.credentials("d9").certificate_pem;
    for (name, certificate, status) in [("factory", leaf, 200), ("leaf", no_ca, 400)] {
        let body = json!({"certificate": certificate}).to_string();
        let answer = dps.call("PUT", &format!("/certificates/{name}?{DPS}"), &[], &body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}
