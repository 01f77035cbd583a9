//! Devices at DPS over HTTPS.

use std::time::Duration;

use crate::common::{
    Csr, Lab,
    https::{Answer, Caller},
    issuing,
};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, Emulator, Fault, FaultKind, FaultyService, IndividualEnrollment, SymmetricKey,
};

const GLOBAL: &str = "global.azure-devices-provisioning.net";
const VERSION: &str = "api-version=2021-06-01";

fn path(lab: &Lab, registration_id: &str, rest: &str) -> String {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, VERSION));
    format!("/{}/registrations/{registration_id}{rest}?{query}", lab.emulator.id_scope())
}

async fn register(lab: &Lab, caller: &Caller, registration_id: &str) -> Answer {
    let body = json!({"registrationId": registration_id}).to_string();
    caller.call("PUT", &path(lab, registration_id, "/register"), &[], body.as_bytes()).await
}

/// Asks until the operation has ended.
async fn ended(lab: &Lab, caller: &Caller, registration_id: &str, begun: &Answer) -> Answer {
    let id = begun.json()["operationId"].as_str().expect("an operation").to_owned();
    loop {
        // As iot-identity-service and Node ask: the latter with a body of {}.
        let target = path(lab, registration_id, &format!("/operations/{id}"));
        let answer = caller.call("GET", &target, &[], b"{}").await;
        if answer.status != 202 {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_device_with_a_certificate_registers_asks_and_looks_itself_up() {
    let emulator = Emulator::builder().dps_timing(Duration::from_secs(3), Duration::from_millis(50));
    let lab = Lab::with(emulator.start().await.expect("it starts"));
    let device = Caller::new(&lab.emulator, GLOBAL, Some(&lab.credentials("d1")));
    let unknown = device.post(&path(&lab, "d1", ""), r#"{"registrationId":"d1"}"#).await;
    assert_eq!((unknown.status, unknown.header("x-ms-error-code")), (404, Some("404202")));

    let begun = register(&lab, &device, "d1").await;
    assert_eq!((begun.status, begun.header("retry-after")), (202, Some("3")), "{begun:?}");
    assert_eq!(begun.json()["status"], "assigning");
    let operation = begun.json()["operationId"].as_str().expect("an operation").to_owned();
    let location = begun.header("location").expect("a location").to_owned();
    assert!(
        location.starts_with(&format!("https://{GLOBAL}/")) && location.contains(&operation),
        "{location}"
    );
    let done = ended(&lab, &device, "d1", &begun).await;
    assert_eq!((done.status, done.header("content-type")), (200, Some("application/json; charset=utf-8")));
    let state = &done.json()["registrationState"];
    assert_eq!(
        (&state["status"], &state["assignedHub"]),
        (&json!("assigned"), &json!("hub-1.azure-devices.net"))
    );

    let record = device.post(&path(&lab, "d1", ""), r#"{"registrationId":"d1"}"#).await;
    assert_eq!((record.status, &record.json()["assignedHub"]), (200, &state["assignedHub"]));
    // What one device may ask for is none of another's business.
    let other = Caller::new(&lab.emulator, GLOBAL, Some(&lab.credentials("d2")));
    let nobody = Caller::new(&lab.emulator, GLOBAL, None);
    for stranger in [&other, &nobody] {
        for answer in [
            stranger.get(&path(&lab, "d1", &format!("/operations/{operation}"))).await,
            stranger.post(&path(&lab, "d1", ""), "").await,
            register(&lab, stranger, "d1").await,
        ] {
            assert_eq!(
                (answer.status, answer.header("x-ms-error-code")),
                (401, Some("401002")),
                "{answer:?}"
            );
            assert_eq!(answer.json()["message"], "Invalid certificate.");
        }
    }
    let gone = device.get(&path(&lab, "d1", "/operations/5.0")).await;
    assert_eq!((gone.status, &gone.json()["errorCode"]), (404, &json!(404_203)));
    // The hub takes it as it takes one that has registered over MQTT.
    lab.to_hub("d1", &lab.credentials("d1")).connect().await.err();
    assert!(lab.emulator.hub("hub-1").expect("the hub").device("d1").is_ok());
}

#[tokio::test]
async fn a_device_with_keys_registers_by_its_token_at_any_name() {
    let lab = Lab::start().await;
    let keys = AttestationMechanism::symmetric_key(SymmetricKey::default());
    let made =
        lab.emulator.dps().individuals().create(IndividualEnrollment::new("k1", keys)).expect("it is taken");
    let key = made.terms.attestation.symmetric_key.and_then(|keys| keys.primary_key).expect("a key");
    let resource = format!("{}/registrations/k1", lab.emulator.id_scope());
    for host in [GLOBAL, "emulator-dps.azure-devices-provisioning.net", "localhost:8443"] {
        let device = Caller::with_key(&lab.emulator, host, &resource, &key, Some("registration"));
        let begun = register(&lab, &device, "k1").await;
        assert_eq!(begun.status, 202, "{host}: {begun:?}");
        let done = ended(&lab, &device, "k1", &begun).await;
        assert_eq!(done.json()["registrationState"]["deviceId"], "k1", "{host}");
    }
    let wrong =
        Caller::with_key(&lab.emulator, GLOBAL, "elsewhere/registrations/k1", &key, Some("registration"));
    let answer = register(&lab, &wrong, "k1").await;
    assert_eq!((answer.status, &answer.json()["message"]), (401, &json!("Unauthorized")));
    assert!(!String::from_utf8_lossy(&answer.body).contains(&key));
}

#[tokio::test]
async fn a_certificate_is_asked_for_in_the_registration_alone() {
    let lab = issuing::lab().await;
    let device = Caller::new(&lab.emulator, GLOBAL, Some(&lab.credentials("d1")));
    let csr = Csr::new("d1");
    let body = json!({"registrationId": "d1", "csr": csr.base64}).to_string();
    let newer = "api-version=2025-07-01-preview";
    let target = path(&lab, "d1", &format!("/register?{newer}"));
    let begun = device.call("PUT", &target, &[], body.as_bytes()).await;
    let id = begun.json()["operationId"].as_str().unwrap_or_default().to_owned();
    let done = loop {
        let answer = device.get(&path(&lab, "d1", &format!("/operations/{id}?{newer}"))).await;
        if answer.status != 202 {
            break answer;
        }
    };
    let chain = done.json()["registrationState"]["issuedCertificateChain"].clone();
    assert!(chain.as_array().is_some_and(|chain| chain.len() > 1), "{done:?}");
    assert!(lab.to_hub("d1", &csr.credentials(&chain, 2)).connect().await.is_ok());
    let refused = device.post(&path(&lab, "d1", &format!("?{newer}")), &body).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let record = device.post(&path(&lab, "d1", &format!("?{newer}")), "").await;
    assert_eq!((record.status, &record.json()["issuedCertificateChain"]), (200, &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_shape_of_dps() {
    let lab = Lab::start().await;
    let device = Caller::new(&lab.emulator, GLOBAL, Some(&lab.credentials("d1")));
    let scope = lab.emulator.id_scope().to_owned();
    let good = br#"{"registrationId":"d1"}"#;
    let large = json!({"registrationId": "d1", "payload": {"x": "x".repeat(97 * 1024)}}).to_string();
    for (target, body, status) in [
        (format!("/{scope}/registrations/d1/register"), &good[..], 400),
        (format!("/{scope}/registrations/d1/register?api-version=soon"), good, 400),
        (format!("/elsewhere/registrations/d1/register?{VERSION}"), good, 401),
        (format!("/{scope}/registrations/d1/register?{VERSION}"), br#"{"registrationId":"d2"}"#, 400),
        (format!("/{scope}/registrations/d1/register?{VERSION}"), b"no JSON", 400),
        (format!("/{scope}/registrations/d1/register?{VERSION}"), large.as_bytes(), 413),
        (format!("/{scope}/registrations/a%20b/register?{VERSION}"), b"{}", 400),
    ] {
        let answer = device.call("PUT", &target, &[], body).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        let code = answer.json()["errorCode"].as_u64().expect("a code");
        assert_eq!(code / 1000, u64::from(status));
        assert_eq!(answer.header("x-ms-error-code"), Some(code.to_string().as_str()));
    }
    lab.emulator.faults().inject(Fault {
        service: FaultyService::Dps,
        device: Some("d1".into()),
        kind: FaultKind::DpsError { status: 429, retry_after: Some(Duration::from_secs(7)) },
        times: Some(1),
    });
    let throttled = register(&lab, &device, "d1").await;
    assert_eq!((throttled.status, throttled.header("retry-after")), (429, Some("7")));
    assert_eq!(register(&lab, &device, "d1").await.status, 202);
}

#[tokio::test]
async fn calls_of_services_stay_theirs_whatever_things_are_called() {
    let lab = Lab::start().await;
    let hub = crate::common::service::Service::hub(&lab.emulator);
    let answer = hub.call("POST", "/twins/registrations/methods?api-version=2021-04-12", &[], "{}").await;
    assert_ne!(answer.status, 401, "{}", answer.text);
    let dps = crate::common::service::Service::dps(&lab.emulator);
    let target = "/enrollments/registrations/attestationMechanism?api-version=2021-10-01";
    let answer = dps.call("POST", target, &[], "").await;
    assert_eq!((answer.status, &answer.body["errorCode"]), (404, &json!(404_201)), "{}", answer.text);
}
