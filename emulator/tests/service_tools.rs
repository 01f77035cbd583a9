//! What else Microsoft's tools send to both services, call by call: odd wildcards and slashes, whole objects sent back,
//! numbers as text, and what they need to find in the answers.

use crate::common::{
    Lab,
    service::{Service, sas},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tracker_emulator::IfMatch;

const DPS: &str = "api-version=2021-10-01";
/// What the old Python client sends.
const OLD_DPS: &str = "api-version=2018-09-01-preview";
const HUB: &str = "api-version=2021-04-12";
/// What az sends.
const AZ_HUB: &str = "api-version=2024-03-31";

fn group(lab: &Lab) -> Value {
    let certificate = json!({"certificate": lab.factory.certificate_pem()});
    json!({"attestation": {"type": "x509", "x509": {"signingCertificates": {"primary": certificate}}}})
}

#[tokio::test]
async fn what_is_absent_on_creation_has_azures_defaults() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    for version in [DPS, OLD_DPS] {
        let path = format!("/enrollmentGroups/g?{version}");
        let made = dps.call("PUT", &path, &[], &group(&lab).to_string()).await;
        assert_eq!(made.status, 200, "{}", made.body);
        for (member, value) in [
            ("provisioningStatus", json!("enabled")),
            ("allocationPolicy", json!("hashed")),
            ("capabilities", json!({"iotEdge": false})),
            ("reprovisionPolicy", json!({"updateHubAssignment": true, "migrateDeviceData": true})),
        ] {
            assert_eq!(made.body[member], value, "{}", made.body);
        }
        for member in ["etag", "createdDateTimeUtc", "lastUpdatedDateTimeUtc"] {
            assert!(made.body[member].is_string(), "{}", made.body);
        }
        // Bare and quoted, and without any condition.
        let wildcard = if version == DPS { "*" } else { "\"*\"" };
        assert_eq!(dps.call("DELETE", &path, &[("If-Match", wildcard)], "").await.status, 204);
    }
}

#[tokio::test]
async fn ids_may_need_encoding_and_certificates_come_in_three_forms() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let pem = lab.factory.certificate_pem();
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let forms = [pem.replace('\n', "\r\n"), pem.trim_end().to_owned(), der, STANDARD.encode(&pem)];
    let mut thumbprints = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        let path = format!("/enrollmentGroups/we%3Aird-{number}/?{DPS}");
        let certificate = json!({"certificate": form});
        let body = json!({"attestation": {"type": "x509", "x509": {"signingCertificates": {"primary": certificate}}}});
        let made = dps.call("PUT", &path, &[], &body.to_string()).await;
        assert_eq!((made.status, &made.body["enrollmentGroupId"]), (200, &json!(format!("we:ird-{number}"))));
        let info = &made.body["attestation"]["x509"]["signingCertificates"]["primary"]["info"];
        thumbprints.push(info["sha256Thumbprint"].clone());
    }
    assert!(thumbprints.windows(2).all(|pair| pair[0] == pair[1]), "{thumbprints:?}");
}

#[tokio::test]
async fn ca_references_and_certificates_replace_each_other() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = format!("/enrollmentGroups/trackers?{DPS}");
    let by_name = json!({"attestation": {"type": "x509", "x509": {"caReferences": {"primary": "lab-root", "secondary": null}}}});
    let changed = dps.call("PUT", &path, &[("If-Match", "*")], &by_name.to_string()).await;
    let x509 = &changed.body["attestation"]["x509"];
    assert_eq!(x509["caReferences"]["primary"], "lab-root", "{}", changed.body);
    assert!(x509["signingCertificates"].is_null(), "{}", changed.body);
    assert_eq!(lab.register("d1", &lab.credentials("d1")).await.0, 200);
    let changed = dps.call("PUT", &path, &[("If-Match", "*")], &group(&lab).to_string()).await;
    let x509 = &changed.body["attestation"]["x509"];
    assert!(x509["caReferences"].is_null() && x509["signingCertificates"]["primary"].is_object());
    let mechanism =
        dps.call("POST", &format!("/enrollmentgroups/trackers/attestationmechanism?{DPS}"), &[], "").await;
    assert_eq!((mechanism.status, &mechanism.body["type"]), (200, &json!("x509")));
}

#[tokio::test]
async fn a_twin_wrapped_by_az_is_kept_as_it_was_sent() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = format!("/enrollmentGroups/trackers?{DPS}");
    let mut update = dps.get(&path).await.body;
    let wrapped = json!({"additional_properties": {"environment": "lab"}});
    update["initialTwin"]["tags"] = wrapped.clone();
    update["initialTwin"]["properties"]["desired"] = wrapped.clone();
    let etag = update["etag"].as_str().expect("an etag").to_owned();
    let updated = dps.call("PUT", &path, &[("If-Match", &etag)], &update.to_string()).await;
    assert_eq!((updated.status, &updated.body["initialTwin"]["tags"]), (200, &wrapped), "{}", updated.body);
}

#[tokio::test]
async fn groups_with_keys_are_made_in_bulk_and_derive_those_of_devices() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let entry = |id: &str| json!({"enrollmentGroupId": id, "attestation": {"type": "symmetricKey"}});
    let body = json!({"mode": "create", "enrollmentGroups": [entry("k1"), entry("k2")]});
    let made = dps.call("POST", &format!("/enrollmentGroups/?{DPS}"), &[], &body.to_string()).await;
    assert_eq!(made.body, json!({"isSuccessful": true, "errors": []}));
    let target = format!("/enrollmentGroups/k1/attestationmechanism?{DPS}");
    let keys = dps.call("POST", &target, &[], "").await.body["symmetricKey"].clone();
    assert_ne!(keys["primaryKey"], keys["secondaryKey"]);
    // az computes the key of a device by itself.
    let key = STANDARD.decode(keys["primaryKey"].as_str().expect("a key")).expect("base64");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let derived = STANDARD.encode(ring::hmac::sign(&key, b"box-1"));
    let resource = format!("{}/registrations/box-1", lab.emulator.id_scope());
    let mut dial = lab.to_dps("box-1", &lab.credentials("box-1"));
    dial.tls = crate::common::tls(&lab.emulator, None, rustls::DEFAULT_VERSIONS);
    dial.password = sas(&resource, &derived, 4_000_000_000, Some("registration"));
    let mut device = dial.connect().await.expect("DPS lets in");
    let (_, state) = crate::common::register_on(&mut device, "box-1").await;
    assert_eq!(state["status"], "assigned", "{state}");
    let stale = json!({"mode": "updateIfMatchETag", "enrollmentGroups": [{"enrollmentGroupId": "k1", "attestation": {"type": "symmetricKey"}, "etag": "\"stale\""}]});
    let refused = dps.call("POST", &format!("/enrollmentGroups?{DPS}"), &[], &stale.to_string()).await.body;
    assert_eq!(
        (&refused["isSuccessful"], &refused["errors"][0]["enrollmentGroupId"]),
        (&json!(false), &json!("k1"))
    );
}

#[tokio::test]
async fn refused_and_failed_registrations_leave_a_record() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let service = lab.emulator.dps();
    service.groups().disable("trackers").expect("disabled");
    lab.register("d1", &lab.credentials("d1")).await;
    let record = dps.get(&format!("/registrations/d1?{DPS}")).await;
    assert_eq!((record.status, &record.body["status"]), (200, &json!("disabled")), "{}", record.body);
    assert!(record.body["etag"].is_string() && record.body["lastUpdatedDateTimeUtc"].is_string());
    assert!(record.body["assignedHub"].is_null(), "{}", record.body);
    service.groups().enable("trackers").expect("enabled");
    service.unlink_hub("hub-1").expect("unlinked");
    lab.register("d1", &lab.credentials("d1")).await;
    let record = dps.get(&format!("/registrations/d1?{DPS}")).await.body;
    assert_eq!(record["status"], "failed", "{record}");
    assert!(record["errorCode"].is_u64() && record["errorMessage"].is_string(), "{record}");
    // Node asks with a query, which says nothing.
    let target = format!("/registrations/trackers/query?{DPS}");
    let records = dps.call("POST", &target, &[("x-ms-max-item-count", "5")], r#"{"query":"*"}"#).await;
    assert_eq!(records.header("x-ms-item-type"), Some("deviceRegistration"));
    assert_eq!(records.body.as_array().map(Vec::len), Some(1), "{}", records.body);
    let etag = record["etag"].as_str().expect("an etag");
    let target = format!("/registrations/d1?{DPS}");
    assert_eq!(dps.call("DELETE", &target, &[("If-Match", "\"stale\"")], "").await.status, 412);
    assert_eq!(dps.call("DELETE", &target, &[("If-Match", etag)], "").await.status, 204);
}

#[tokio::test]
async fn the_identity_that_dps_makes_has_the_thumbprint_of_the_leaf() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    lab.register("d1", &lab.credentials("d1")).await;
    let device = hub.get(&format!("/devices/d1?{AZ_HUB}")).await.body;
    let authentication = &device["authentication"];
    assert_eq!(authentication["type"], "selfSigned", "{device}");
    let thumbprints = &authentication["x509Thumbprint"];
    assert_eq!(thumbprints["primaryThumbprint"].as_str().map(str::len), Some(64));
    assert_eq!(thumbprints["primaryThumbprint"], thumbprints["secondaryThumbprint"]);
    // az reads these before an update, and shows nothing without them.
    assert!(authentication["symmetricKey"].is_object() && device["capabilities"]["iotEdge"].is_boolean());
    let twin = hub.get(&format!("/twins/d1?{AZ_HUB}")).await.body;
    assert_eq!(twin["authenticationType"], "selfSigned");
    assert_eq!(twin["x509Thumbprint"], *thumbprints);
}

#[tokio::test]
async fn versions_of_a_twin_count_changes_even_of_nothing() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    lab.register("d1", &lab.credentials("d1")).await;
    let path = format!("/twins/d1?{AZ_HUB}");
    let before = hub.get(&path).await.body;
    let patch = json!({"properties": {"desired": {"firmware": "1.0.0"}}}).to_string();
    let same = hub.call("PATCH", &path, &[("If-Match", "\"*\"")], &patch).await.body;
    let desired = |twin: &Value| twin["properties"]["desired"]["$version"].as_u64();
    assert_eq!(desired(&same), desired(&before).map(|version| version + 1));
    let tagged = hub.call("PATCH", &path, &[], r#"{"tags":{"a":1}}"#).await.body;
    assert_eq!(desired(&tagged), desired(&same), "tags leave it");
    assert_ne!((&tagged["etag"], &tagged["version"]), (&same["etag"], &same["version"]));
    // What only the device writes is passed over.
    let forged =
        hub.call("PATCH", &path, &[], r#"{"properties":{"reported":{"x":1}},"status":"disabled"}"#).await;
    assert_eq!((forged.status, &forged.body["status"]), (200, &json!("enabled")), "{}", forged.body);
    assert!(forged.body["properties"]["reported"].get("x").is_none());
}

#[tokio::test]
async fn the_smaller_calls_of_a_hub_are_answered() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let device = lab.online("d1").await;
    let statistics = hub.get(&format!("/statistics/service?{HUB}")).await;
    assert_eq!((statistics.status, &statistics.body), (200, &json!({"connectedDeviceCount": 1})));
    // Mixed case and slashes at the end, as clients send them.
    assert_eq!(hub.get(&format!("/Statistics/Devices/?{HUB}")).await.body["totalDeviceCount"], 1);
    assert_eq!(hub.get(&format!("/devices/d1/modules?{HUB}")).await.body, json!([]));
    assert_eq!(hub.get(&format!("/configurations?top=20&{AZ_HUB}")).await.body, json!([]));
    let body = json!({"deviceId": "k", "authentication": {"type": "sas", "symmetricKey": {}}}).to_string();
    let made = hub.call("PUT", &format!("/devices/k?{AZ_HUB}"), &[], &body).await.body;
    let key = |device: &Value, which: &str| device["authentication"]["symmetricKey"][which].clone();
    let body = r#"{"policyKey":"primaryKey","devices":[{"id":"k"}]}"#;
    let renewed = hub.call("POST", &format!("/devices/keys/regenerate?{AZ_HUB}"), &[], body).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    let after = hub.get(&format!("/devices/k?{AZ_HUB}")).await.body;
    assert_ne!(key(&after, "primaryKey"), key(&made, "primaryKey"));
    assert_eq!(key(&after, "secondaryKey"), key(&made, "secondaryKey"));

    let first = hub.get(&format!("/devices/k?{HUB}")).await.body["generationId"].clone();
    hub.call("PATCH", &format!("/twins/k?{HUB}"), &[], r#"{"tags":{"a":1}}"#).await;
    assert_eq!(hub.call("DELETE", &format!("/devices/k/?{HUB}"), &[], "").await.status, 204);
    let body = json!({"deviceId": "k", "status": "enabled"}).to_string();
    let again = hub.call("PUT", &format!("/devices/k?{HUB}"), &[], &body).await.body;
    assert_ne!(again["generationId"], first);
    assert!(hub.get(&format!("/twins/k?{HUB}")).await.body.get("tags").is_none(), "the new twin is empty");
    device.disconnect().await;
}

#[tokio::test]
async fn a_method_that_nobody_answers_in_time_is_504_in_azures_shape() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/methods/POST/#").await;
    let body = r#"{"methodName":"sleep","payload":null,"responseTimeoutInSeconds":"5","connectTimeoutInSeconds":"0"}"#;
    let target = format!("/twins/d1/methods?{AZ_HUB}");
    let call = hub.call("POST", &target, &[], body);
    let (late, (topic, _)) = tokio::join!(call, device.message());
    assert!(topic.starts_with("$iothub/methods/POST/sleep/"), "{topic}");
    assert_eq!((late.status, late.header("iothub-errorcode")), (504, Some("GatewayTimeout")));
    let inner: Value =
        serde_json::from_str(late.body["Message"].as_str().expect("text")).expect("JSON in text");
    assert_eq!(inner["errorCode"], 504_101);
    for member in ["trackingId", "message", "timestampUtc"] {
        assert!(inner[member].is_string(), "{inner}");
    }
    // A late answer is discarded, and the device stays.
    let rid = topic.rsplit('=').next().expect("a request ID").to_owned();
    device.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), "{}").await;
    device.publish("devices/d1/messages/events/", "still here").await;
}

#[tokio::test]
async fn tokens_come_in_the_forms_of_all_clients() {
    let lab = Lab::start().await;
    let mut hub = Service::hub(&lab.emulator);
    let target = format!("/devices?{HUB}");
    // With a port in the connection string, it is in the token; Python leaves slashes in the signature as they are.
    hub.host = format!("localhost:{}", hub.port);
    let token = sas(&hub.host, &hub.key, 4_000_000_000, Some(&hub.policy));
    assert!(token.contains("%3A"), "{token}");
    let bare = token.replace("%2F", "/");
    let parts: Vec<_> = token.trim_start_matches("SharedAccessSignature ").split('&').collect();
    let reordered = format!("SharedAccessSignature {}&{}&{}&{}", parts[0], parts[1], parts[3], parts[2]);
    for token in [token.clone(), bare, reordered] {
        let reply = hub.call_with("GET", &target, &[("Authorization", &token)], "").await;
        assert_eq!(reply.status, 200, "{token}");
    }
    let stale = sas(&hub.host, &hub.key, 1, Some(&hub.policy));
    let refused = hub.call_with("GET", &target, &[("Authorization", &stale)], "").await;
    assert_eq!((refused.status, refused.header("iothub-errorcode")), (401, Some("IotHubUnauthorizedAccess")));
    assert_eq!(
        refused.body["Message"].as_str().map(|text| text.starts_with("ErrorCode:IotHubUnauthorizedAccess;")),
        Some(true)
    );
    let old = hub.get("/devices").await;
    assert_eq!((old.status, old.header("iothub-errorcode")), (400, Some("InvalidProtocolVersion")));
    // az sends a length and a type with a request that has no body.
    let headers = [("Content-Type", "application/json; charset=utf-8"), ("x-ms-client-request-id", "1")];
    assert_eq!(hub.call("DELETE", &format!("/devices/nobody?{HUB}"), &headers, "").await.status, 404);
    lab.emulator.dps().groups().delete("trackers", &IfMatch::Any).expect("deleted");
}

/// The scope of a token is a host, or a path below it; what it does not reach is 401, and the reason names it.
#[tokio::test]
async fn a_token_may_be_scoped_to_a_part_of_a_service() {
    let lab = Lab::start().await;
    let read = Service::of(&lab.emulator, "hub-1", "registryRead");
    let hub = Service::hub(&lab.emulator);
    hub.call("PUT", &format!("/devices/d1?{HUB}"), &[], r#"{"deviceId":"d1"}"#).await;
    let with = async |service: &Service, scope: &str, path: &str| {
        let token = sas(scope, &service.key, 4_000_000_000, Some(&service.policy));
        service.call_with("GET", &format!("{path}?{HUB}"), &[("Authorization", &token)], "").await.status
    };
    let name = "hub-1.azure-devices.net";
    for (scope, path, status) in [
        (format!("{name}/devices"), "/devices", 200),
        (format!("{name}/devices"), "/devices/d1", 200),
        (format!("{name}/devices/d1"), "/devices/d1", 200),
        (format!("{name}/devices/d1"), "/devices", 401),
        (format!("{name}/devices/d"), "/devices/d1", 401),
        (format!("{name}/dev"), "/devices", 401),
        ("hub-2.azure-devices.net/devices".to_owned(), "/devices", 401),
    ] {
        assert_eq!(with(&read, &scope, path).await, status, "{scope} {path}");
        // By the key alone, under a name that says nothing.
        let mut local = Service::of(&lab.emulator, "hub-1", "registryRead");
        local.host = format!("localhost:{}", read.port);
        assert_eq!(with(&local, &scope, path).await, status, "localhost {scope} {path}");
    }
    // The scope gives no right that the policy has not, and DPS has scopes as well.
    assert_eq!(with(&read, &format!("{name}/twins"), "/twins/d1").await, 401);
    let dps = Service::dps(&lab.emulator);
    let own = "emulator-dps.azure-devices-provisioning.net";
    assert_eq!(with(&dps, &format!("{own}/enrollmentGroups"), "/enrollmentGroups/trackers").await, 200);
    assert_eq!(with(&dps, &format!("{own}/enrollments"), "/enrollmentGroups/trackers").await, 401);
}

/// A gateway connects devices by a token of a policy.
#[tokio::test]
async fn a_device_may_connect_with_a_token_of_a_policy_that_may_connect_devices() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    for id in ["k1", "k11"] {
        hub.call("PUT", &format!("/devices/{id}?{HUB}"), &[], &json!({ "deviceId": id }).to_string()).await;
    }
    let name = "hub-1.azure-devices.net";
    for (policy, scope, is_let_in) in [
        ("device", format!("{name}/devices/k1"), true),
        ("iothubowner", format!("{name}/devices/k1"), true),
        ("device", format!("{name}/devices"), true),
        ("device", name.to_owned(), true),
        ("device", format!("{name}/devices/k"), false),
        ("device", format!("{name}/devices/k11"), false),
        ("service", format!("{name}/devices/k1"), false),
        ("registryReadWrite", format!("{name}/devices/k1"), false),
    ] {
        let key = Service::of(&lab.emulator, "hub-1", policy).key;
        let mut dial = lab.to_hub("k1", &lab.credentials("k1"));
        dial.tls = crate::common::tls(&lab.emulator, None, rustls::DEFAULT_VERSIONS);
        dial.password = sas(&scope, &key, 4_000_000_000, Some(policy));
        assert_eq!(dial.connect().await.is_ok(), is_let_in, "{policy} {scope}");
    }
    // The name of a policy is no excuse for the key of another.
    let key = Service::of(&lab.emulator, "hub-1", "service").key;
    let mut dial = lab.to_hub("k1", &lab.credentials("k1"));
    dial.password = sas(&format!("{name}/devices/k1"), &key, 4_000_000_000, Some("device"));
    dial.refused().await;
}
