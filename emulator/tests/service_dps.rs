//! The provisioning service by REST, with the requests that Microsoft's tools send.

use crate::common::{
    Lab,
    service::{Service, sas},
};
use serde_json::{Value, json};
use tracker_emulator::pki::{CertificateAuthority, Validity};

const VERSION: &str = "api-version=2021-10-01";

fn group(lab: &Lab) -> Value {
    json!({
        "enrollmentGroupId": "thl-sensors",
        "attestation": {"type": "x509", "x509": {"signingCertificates": {"primary": {"certificate": lab.factory.certificate_pem()}, "secondary": null}}},
        "capabilities": {"iotEdge": false},
        "initialTwin": {"tags": {"environment": "production"}, "properties": {"desired": {"telemetryInterval": 60}}},
        "provisioningStatus": "enabled", "allocationPolicy": "hashed", "iotHubs": ["hub-1.azure-devices.net"],
        "reprovisionPolicy": {"updateHubAssignment": true, "migrateDeviceData": true},
        "etag": null, "createdDateTimeUtc": null, "customAllocationDefinition": null,
    })
}

#[tokio::test]
async fn a_group_is_created_read_updated_and_deleted_as_az_and_node_do_it() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = format!("/enrollmentGroups/thl-sensors?{VERSION}");
    let created = dps.call("PUT", &path, &[], &group(&lab).to_string()).await;
    assert_eq!(created.status, 200, "{}", created.body);
    assert_eq!(created.header("content-type"), Some("application/json; charset=utf-8"));
    let etag = created.body["etag"].as_str().expect("an etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    assert_eq!(created.header("etag"), Some(etag.as_str()));
    let info = &created.body["attestation"]["x509"]["signingCertificates"]["primary"]["info"];
    for member in [
        "subjectName",
        "sha1Thumbprint",
        "sha256Thumbprint",
        "issuerName",
        "notBeforeUtc",
        "notAfterUtc",
        "serialNumber",
    ] {
        assert!(info[member].is_string(), "{member}: {info}");
    }
    assert_eq!(info["version"], 3);

    let again = dps.call("PUT", &path, &[], &group(&lab).to_string()).await;
    assert_eq!((again.status, &again.body["errorCode"]), (409, &json!(409_202)));
    assert_eq!(again.header("x-ms-error-code"), Some("409202"));

    // Node asks in lower case, and with a slash at the end where Azure has none.
    let read = dps.get(&format!("/enrollmentgroups/THL-sensors/?{VERSION}")).await;
    assert_eq!((read.status, &read.body), (200, &created.body));

    // An update sends back what was answered; `info` without `certificate` keeps the certificate.
    let mut update = read.body.clone();
    update["provisioningStatus"] = json!("disabled");
    let primary = &mut update["attestation"]["x509"]["signingCertificates"]["primary"];
    primary.as_object_mut().expect("an object").remove("certificate");
    let stale = dps.call("PUT", &path, &[("If-Match", "\"stale\"")], &update.to_string()).await;
    assert_eq!(stale.status, 412);
    let updated = dps.call("PUT", &path, &[("If-Match", &etag)], &update.to_string()).await;
    assert_eq!((updated.status, &updated.body["provisioningStatus"]), (200, &json!("disabled")));
    assert_eq!(updated.body["attestation"], created.body["attestation"]);
    assert_eq!(updated.body["createdDateTimeUtc"], created.body["createdDateTimeUtc"]);
    assert_ne!(updated.body["etag"], created.body["etag"]);
    // az sends the wildcard bare.
    let updated = dps.call("PUT", &path, &[("If-Match", "*")], &group(&lab).to_string()).await;
    assert_eq!(updated.status, 200);
    let missing = dps
        .call(
            "PUT",
            &format!("/enrollmentGroups/nobody?{VERSION}"),
            &[("If-Match", "*")],
            &json!({"attestation": group(&lab)["attestation"]}).to_string(),
        )
        .await;
    assert_eq!((missing.status, &missing.body["errorCode"]), (404, &json!(404_204)));

    let deleted = dps.call("DELETE", &path, &[("If-Match", "*")], "").await;
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    assert_eq!(dps.call("DELETE", &path, &[], "").await.status, 404);
}

#[tokio::test]
async fn lists_come_in_pages_whatever_the_query_says() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    for number in 0..5 {
        let id = format!("we:ird-{number}");
        let mut body = group(&lab);
        body["enrollmentGroupId"] = json!(id);
        let put = dps
            .call("PUT", &format!("/enrollmentGroups/we%3Aird-{number}?{VERSION}"), &[], &body.to_string())
            .await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    // A slip of az: the text of the query is the print of an object.
    let query = r#"{"query":"{'additional_properties': {}, 'query': 'SELECT *'}"}"#;
    let mut found = Vec::new();
    let mut continuation = String::new();
    loop {
        let headers = [("x-ms-max-item-count", "2"), ("x-ms-continuation", continuation.as_str())];
        let headers = if continuation.is_empty() { &headers[..1] } else { &headers[..] };
        let page = dps.call("POST", &format!("/enrollmentGroups/query?{VERSION}"), headers, query).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("x-ms-item-type"), Some("enrollmentGroup"));
        let items = page.body.as_array().expect("a bare array");
        assert!(items.len() <= 2);
        found.extend(items.iter().map(|item| item["enrollmentGroupId"].as_str().expect("an ID").to_owned()));
        match page.header("x-ms-continuation") {
            Some(next) => continuation = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, ["trackers", "we:ird-0", "we:ird-1", "we:ird-2", "we:ird-3", "we:ird-4"]);
    let none = dps.call("POST", &format!("/enrollments/query?{VERSION}"), &[], r#"{"query":"*"}"#).await;
    assert_eq!((none.status, &none.body), (200, &json!([])));
    let bad = dps
        .call("POST", &format!("/enrollments/query?{VERSION}"), &[("x-ms-max-item-count", "0")], "{}")
        .await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn symmetric_keys_are_made_and_shown_only_where_azure_shows_them() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = format!("/enrollments/sensor-1?{VERSION}");
    let body =
        json!({"registrationId": "sensor-1", "attestation": {"type": "symmetricKey", "symmetricKey": {}}});
    let created = dps.call("PUT", &path, &[], &body.to_string()).await;
    let keys = created.body["attestation"]["symmetricKey"].clone();
    assert_eq!(keys["primaryKey"].as_str().map(str::len), Some(88), "{}", created.body);
    assert!(dps.get(&path).await.body["attestation"]["symmetricKey"].is_null());
    let mechanism =
        dps.call("POST", &format!("/enrollments/sensor-1/attestationmechanism?{VERSION}"), &[], "").await;
    assert_eq!(mechanism.body, json!({"type": "symmetricKey", "symmetricKey": keys}));

    let scope = lab.emulator.id_scope();
    let key = keys["primaryKey"].as_str().expect("a key");
    let resource = format!("{scope}/registrations/sensor-1");
    let credentials = lab.credentials("sensor-1");
    let mut dial = lab.to_dps("sensor-1", &credentials);
    dial.tls = crate::common::tls(&lab.emulator, None, rustls::DEFAULT_VERSIONS);
    dial.password = sas(&resource, key, 4_000_000_000, Some("registration"));
    let mut device = dial.connect().await.expect("DPS lets in");
    let (status, state) = crate::common::register_on(&mut device, "sensor-1").await;
    assert_eq!((status, &state["status"]), (200, &json!("assigned")), "{state}");
    device.disconnect().await;

    let hub = lab.emulator.hub("hub-1").expect("the hub");
    assert_eq!(
        hub.device("sensor-1").expect("an identity").authentication.symmetric_key.primary_key.as_deref(),
        Some(key)
    );
    let mut dial = lab.to_hub("sensor-1", &credentials);
    dial.password = sas(&format!("{}/devices/sensor-1", hub.name()), key, 4_000_000_000, None);
    dial.connect().await.expect("the hub lets in").disconnect().await;
    let mut dial = lab.to_hub("sensor-1", &credentials);
    dial.password = sas(&format!("{}/devices/another", hub.name()), key, 4_000_000_000, None);
    assert_eq!(dial.refused().await, rumqttc::ConnectReturnCode::NotAuthorized);
}

#[tokio::test]
async fn bulk_requests_say_what_became_of_each() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let entry = |id: &str| json!({"registrationId": id, "attestation": {"type": "symmetricKey"}});
    let target = format!("/enrollments/?{VERSION}");
    let body = json!({"mode": "create", "enrollments": [entry("a"), entry("b")]}).to_string();
    assert_eq!(dps.call("POST", &target, &[], &body).await.body, json!({"isSuccessful": true, "errors": []}));
    let body = json!({"mode": "create", "enrollments": [entry("b"), entry("c")]}).to_string();
    let partly = dps.call("POST", &target, &[], &body).await.body;
    assert_eq!(
        (&partly["isSuccessful"], &partly["errors"][0]["registrationId"]),
        (&json!(false), &json!("b"))
    );
    assert_eq!(partly["errors"][0]["errorCode"], 409_201);
    let eleven: Vec<_> = (0..11).map(|n| entry(&format!("x{n}"))).collect();
    let body = json!({"mode": "delete", "enrollments": eleven}).to_string();
    assert_eq!(dps.call("POST", &target, &[], &body).await.body["errorCode"], 400_205);
    let body = json!({"mode": "delete", "enrollments": [entry("a"), entry("b"), entry("c")]}).to_string();
    assert_eq!(dps.call("POST", &target, &[], &body).await.body["isSuccessful"], true);
}

#[tokio::test]
async fn registration_records_are_shown_queried_and_deleted() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    for device in ["d1", "d2"] {
        lab.register(device, &lab.credentials(device)).await;
    }
    // az sends no body here, node a query.
    let records = dps.call("POST", &format!("/registrations/trackers/query?{VERSION}"), &[], "").await;
    assert_eq!(records.body.as_array().map(Vec::len), Some(2), "{}", records.body);
    let record = dps.get(&format!("/registrations/d1?{VERSION}")).await;
    assert_eq!(
        (&record.body["assignedHub"], &record.body["status"], &record.body["substatus"]),
        (&json!("hub-1.azure-devices.net"), &json!("assigned"), &json!("initialAssignment"))
    );
    assert_eq!(dps.call("DELETE", &format!("/registrations/d1?{VERSION}"), &[], "").await.status, 204);
    let gone = dps.get(&format!("/registrations/d1?{VERSION}")).await;
    assert_eq!((gone.status, &gone.body["errorCode"]), (404, &json!(404_202)));
    for member in ["trackingId", "message", "timestampUtc"] {
        assert!(gone.body[member].is_string(), "{}", gone.body);
    }
}

#[tokio::test]
async fn a_ca_certificate_is_verified_by_proof_of_possession() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let root = CertificateAuthority::root("new root", Validity::always()).expect("a root");
    let body = json!({"properties": {"certificate": root.certificate_pem()}}).to_string();
    let uploaded = dps.call("PUT", "/certificates/new-root", &[], &body).await;
    assert_eq!(
        (uploaded.status, &uploaded.body["properties"]["isVerified"]),
        (200, &json!(false)),
        "{}",
        uploaded.body
    );
    let on_it = json!({"attestation": {"type": "x509", "x509": {"caReferences": {"primary": "new-root"}}}})
        .to_string();
    // A group may name it before.
    let made = dps.call("PUT", &format!("/enrollmentGroups/on-it?{VERSION}"), &[], &on_it).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let asked = dps.call("POST", "/certificates/new-root/generateVerificationCode", &[], "").await;
    let code = asked.body["properties"]["verificationCode"].as_str().expect("a code").to_owned();
    let proof = root.device(&code, Validity::always()).expect("a proof").certificate_pem;
    let proof = json!({ "certificate": proof }).to_string();
    let stale = uploaded.body["etag"].as_str().expect("an etag");
    let late = dps.call("POST", "/certificates/new-root/verify", &[("If-Match", stale)], &proof).await;
    assert_eq!(late.status, 412);
    let verified = dps.call("POST", "/certificates/new-root/verify", &[], &proof).await;
    assert_eq!(verified.body["properties"]["isVerified"], true, "{}", verified.body);
    let path = format!("/enrollmentGroups/on-it?{VERSION}");
    assert_eq!(dps.call("PUT", &path, &[("If-Match", "*")], &on_it).await.status, 200);
    assert_eq!(dps.get("/certificates").await.body["value"].as_array().map(Vec::len), Some(2));
    assert_eq!(dps.call("DELETE", "/certificates/new-root", &[], "").await.status, 204);
}

#[tokio::test]
async fn tokens_are_checked_and_the_key_finds_the_service_under_any_name() {
    let lab = Lab::start().await;
    let mut dps = Service::dps(&lab.emulator);
    let target = format!("/enrollmentGroups/trackers?{VERSION}");
    let key = dps.key.clone();
    let host = dps.host.clone();
    let other = Service::hub(&lab.emulator).key;
    let tokens = [
        sas(&host, &key, 1, Some("provisioningserviceowner")),
        sas(&host, &other, 4_000_000_000, Some("provisioningserviceowner")),
        sas(&host, &key, 4_000_000_000, Some("iothubowner")),
        sas(&host, &key, 4_000_000_000, None),
        sas("other.azure-devices-provisioning.net", &key, 4_000_000_000, Some("provisioningserviceowner")),
        "Bearer abc".to_owned(),
        "SharedAccessSignature sr=&sig=&se=&skn=".to_owned(),
        "é".to_owned(),
    ];
    for token in &tokens {
        let refused = dps.call_with("GET", &target, &[("Authorization", token)], "").await;
        assert_eq!((refused.status, &refused.body["errorCode"]), (401, &json!(401_002)), "{token}");
    }
    assert_eq!(dps.call_with("GET", &target, &[], "").await.status, 401);
    assert_eq!(dps.get("/enrollmentGroups/trackers").await.status, 400, "api-version is missing");
    assert_eq!(dps.get("/enrollmentGroups/trackers?api-version=yesterday").await.status, 400);
    for name in ["localhost", "127.0.0.1", "global.azure-devices-provisioning.net"] {
        dps.host = format!("{name}:{}", dps.port);
        assert_eq!(dps.get(&target).await.status, 200, "{name}");
    }
    let mut hub = Service::hub(&lab.emulator);
    hub.host = format!("localhost:{}", hub.port);
    assert_eq!(hub.get("/devices?api-version=2021-04-12").await.status, 200);
}

#[tokio::test]
async fn what_is_not_as_it_must_be_is_said_in_the_shape_of_the_service() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = format!("/enrollments/d1?{VERSION}");
    for body in [
        "",
        "no JSON",
        "[]",
        "{}",
        r#"{"registrationId":"other","attestation":{"type":"symmetricKey"}}"#,
        r#"{"attestation":{"type":"magic"}}"#,
        r#"{"attestation":{"type":"x509"}}"#,
        r#"{"attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"short"}}}"#,
        r#"{"attestation":{"type":"symmetricKey"},"iotHubs":["elsewhere.azure-devices.net"]}"#,
        r#"{"attestation":{"type":"symmetricKey"},"allocationPolicy":"custom"}"#,
    ] {
        let refused = dps.call("PUT", &path, &[], body).await;
        assert_eq!(
            (refused.status, refused.body["errorCode"].as_u64()),
            (400, Some(400_004)),
            "{body}: {}",
            refused.body
        );
    }
    assert_eq!(dps.get(&format!("/nonsense?{VERSION}")).await.status, 404);
}

#[tokio::test]
async fn faults_are_injected_listed_and_cleared() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let fault = json!({"service": "dps", "device": "d1", "fault": "dpsError", "status": 429, "retryAfterSeconds": 7, "times": 1});
    let injected = dps.call("POST", "/faults", &[], &fault.to_string()).await;
    assert_eq!((injected.status, &injected.body["fault"]), (200, &json!("dpsError")), "{}", injected.body);
    let latency = json!({"service": "hub-1.azure-devices.net", "fault": "latency", "milliseconds": 1});
    dps.call("POST", "/faults", &[], &latency.to_string()).await;
    assert_eq!(dps.get("/faults").await.body.as_array().map(Vec::len), Some(2));
    for bad in [
        r#"{"service":"dps","fault":"explode"}"#,
        r#"{"service":"dps","fault":"refuseConnect","code":9}"#,
        "{}",
    ] {
        assert_eq!(dps.call("POST", "/faults", &[], bad).await.status, 400, "{bad}");
    }
    let id = &injected.body["id"];
    assert_eq!(dps.call("DELETE", &format!("/faults/{id}"), &[], "").await.status, 204);
    assert_eq!(dps.call("DELETE", &format!("/faults/{id}"), &[], "").await.status, 404);
    lab.online("d1").await.publish("devices/d1/messages/events/", "slow, and it arrives").await;
    assert_eq!(dps.call("DELETE", "/faults", &[], "").await.status, 204);
    assert_eq!(dps.get("/faults").await.body, json!([]));
}

/// The old certificate stands until the new one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ca_certificate_that_is_replaced_is_never_missing() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let certificates = || lab.emulator.dps().certificates();
    let (done, missed) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicU32::new(0));
    let order = std::sync::atomic::Ordering::SeqCst;
    let other = CertificateAuthority::root("other", Validity::always());
    let text = other.expect("a root").certificate_pem();
    let body = json!({"properties": {"certificate": text, "isVerified": true}}).to_string();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(order) {
                    missed.fetch_add(u32::from(certificates().get("lab-root").is_err()), order);
                }
            });
        }
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..60 {
                    let replaced =
                        dps.call("PUT", "/certificates/lab-root", &[("If-Match", "*")], &body).await;
                    assert_eq!(replaced.status, 200);
                }
            });
        });
        done.store(true, order);
    });
    assert_eq!(missed.load(order), 0, "times that the certificate was not there");
    // What is no CA certificate replaces nothing, and a stale tag neither.
    let leaf = lab.credentials("d1").chain_pem;
    let end = leaf.find("-----END CERTIFICATE-----").expect("a leaf") + 25;
    let bad = json!({"properties": {"certificate": leaf[..end]}}).to_string();
    let refused = dps.call("PUT", "/certificates/lab-root", &[("If-Match", "*")], &bad).await;
    assert_eq!((refused.status, &refused.body["errorCode"]), (400, &json!(400_004)));
    let stale = dps.call("PUT", "/certificates/lab-root", &[("If-Match", "\"stale\"")], &body).await;
    assert_eq!(stale.status, 412);
    let unknown = dps.call("PUT", "/certificates/unknown", &[("If-Match", "*")], &body).await;
    assert_eq!(unknown.status, 404);
    assert!(certificates().get("lab-root").expect("it stands").is_verified);
    lab.emulator.shutdown().await;
}

#[tokio::test]
async fn a_device_id_that_no_hub_takes_is_refused_with_its_enrollment() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = "/enrollments/d1?api-version=2021-10-01";
    let body = json!({"attestation": {"type": "symmetricKey"}, "deviceId": "not allowed"}).to_string();
    let refused = dps.call("PUT", path, &[], &body).await;
    assert_eq!((refused.status, &refused.body["errorCode"]), (400, &json!(400_004)));
    let said = refused.body["message"].as_str().expect("a message");
    assert!(said.contains("deviceId") && said.contains("not allowed"), "{said}");
    assert_eq!(dps.get(path).await.status, 404);
    let body = json!({"attestation": {"type": "symmetricKey"}, "deviceId": "berth-7"}).to_string();
    assert_eq!(dps.call("PUT", path, &[], &body).await.status, 200);
    lab.emulator.shutdown().await;
}

/// A twin that no hub would take is no initial twin.
#[tokio::test]
async fn an_initial_twin_against_the_rules_is_refused_when_it_is_written() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let path = "/enrollmentGroups/trackers?api-version=2021-10-01";
    let group = dps.get(path).await.body;
    let large: serde_json::Map<_, _> = (0..10).map(|i| (format!("$k{i}"), json!("x".repeat(4000)))).collect();
    for (twin, part) in [
        (json!({"properties": {"desired": large}}), "the key"),
        (json!({"properties": {"desired": {"a": vec!["x".repeat(4000); 10]}}}), "the limit is 32768"),
        (json!({"tags": {"a": vec!["x".repeat(4000); 3]}}), "the limit is 8192"),
        (json!({"tags": {"a.b": 1}}), "the key"),
        (json!({"desiredProperties": {"a": 1}}), "initialTwin has no desiredProperties"),
        (json!({"properties": {"desird": {"a": 1}}}), "initialTwin.properties has no desird"),
    ] {
        let mut update = group.clone();
        update["initialTwin"] = twin;
        let bulk = json!({"mode": "update", "enrollmentGroups": [update]}).to_string();
        let refused = dps.call("PUT", path, &[("If-Match", "*")], &update.to_string()).await;
        assert_eq!((refused.status, &refused.body["errorCode"]), (400, &json!(400_004)), "{}", refused.body);
        assert!(refused.body["message"].as_str().is_some_and(|text| text.contains(part)), "{}", refused.body);
        let many = dps.call("POST", "/enrollmentGroups?api-version=2021-10-01", &[], &bulk).await.body;
        assert_eq!(many["errors"][0]["errorCode"], 400_004, "{many}");
    }
    assert_eq!(dps.get(path).await.body, group);
}
