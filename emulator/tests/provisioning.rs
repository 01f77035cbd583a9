//! Registration at DPS as a device lives it.

use std::{sync::Arc, time::Duration};

use crate::common::{Dial, HUB, Lab, PATIENCE, event, register_on, tls};
use chrono::{DateTime, TimeDelta, Utc};
use rumqttc::ConnectReturnCode;
use serde_json::{Value, json};
use tracker_emulator::{
    AllocationPolicy, AttestationMechanism, Clock as _, DeviceStatus, Emulator, EmulatorOptions,
    EnrollmentGroup, EventKind, Fault, FaultKind, FaultyService, IfMatch, IndividualEnrollment, InitialTwin,
    ManualClock, RegistrationStatus, ReprovisionPolicy, Substatus, SystemClock, TwinPatch, X509Attestation,
    X509CertificateWithInfo, X509Certificates,
    pki::{CertificateAuthority, DeviceCredentials, KeyAlgorithm, Validity},
};

fn assert_refused(answer: &(u16, Value)) {
    let (status, body) = answer;
    assert_eq!(*status, 401, "{body}");
    assert_eq!(body["errorCode"], 401_002);
    assert_eq!(body["message"], "Invalid certificate.");
    assert!(body["trackingId"].is_string() && body["timestampUtc"].is_string(), "{body}");
}

fn assert_disabled(answer: &(u16, Value), registration_id: &str) {
    assert_eq!(answer.0, 200);
    assert_eq!(
        answer.1,
        json!({"operationId": "", "status": "disabled",
            "registrationState": {"registrationId": registration_id, "status": "disabled"}})
    );
}

/// What the emulator says of a refusal to its operator.
async fn reason_of_refusal(events: &mut tracker_emulator::Subscription<tracker_emulator::Event>) -> String {
    event(events, |kind| match kind {
        EventKind::RegistrationRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_device_of_a_group_is_assigned_with_the_initial_twin() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("sensor-thl-001");
    let (status, body) = lab.register("sensor-thl-001", &credentials).await;
    assert_eq!(status, 200);
    let state = &body["registrationState"];
    assert_eq!(state["assignedHub"], HUB);
    assert_eq!(state["deviceId"], "sensor-thl-001");
    assert_eq!(state["substatus"], "initialAssignment");
    assert_eq!(state["x509"]["enrollmentGroupId"], "trackers");
    let created = state["createdDateTimeUtc"].as_str().expect("a time");
    assert_eq!(created.len(), "2020-04-10T03:11:15.4739023Z".len(), "{created}");

    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let device = hub.device("sensor-thl-001").expect("the identity");
    let thumbprint = &state["x509"]["certificateInfo"]["sha256Thumbprint"];
    assert_eq!(device.authentication.x509_thumbprint.primary_thumbprint.as_deref(), thumbprint.as_str());
    assert_eq!(
        device.authentication.x509_thumbprint.secondary_thumbprint,
        device.authentication.x509_thumbprint.primary_thumbprint
    );
    let twin = hub.twin("sensor-thl-001").expect("the twin");
    assert_eq!(Value::Object(twin.tags), json!({"environment": "lab"}));
    assert_eq!(twin.properties.desired["telemetryInterval"], 5);
    assert_eq!(twin.properties.desired["$version"], 1);

    let record = lab.emulator.dps().registration("SENSOR-THL-001").expect("the record");
    assert_eq!(record.status, Some(RegistrationStatus::Assigned));
    assert_eq!(record.etag.as_deref(), state["etag"].as_str());
    let of_group = lab.emulator.dps().group_registrations("trackers").expect("records");
    assert_eq!(of_group.len(), 1);
}

#[tokio::test]
async fn assigning_takes_its_time_and_says_when_to_ask_again() {
    let emulator = Emulator::builder()
        .dps_timing(Duration::from_secs(3), Duration::from_millis(200))
        .start()
        .await
        .expect("it starts");
    let lab = Lab::with(emulator);
    let credentials = lab.credentials("d1");
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.subscribe("$dps/registrations/res/#").await;
    let topic = "$dps/registrations/PUT/iotdps-register/?$rid=abc";
    client.publish(topic, r#"{"registrationId":"d1","payload":{"a":1}}"#).await;
    let (topic, body) = client.json_message().await;
    assert_eq!(topic, "$dps/registrations/res/202/?$rid=abc&retry-after=3");
    assert_eq!(body["status"], "assigning");
    let operation = body["operationId"].as_str().expect("an operation id");
    assert!(operation.starts_with("5.") && operation.len() == 2 + 16 + 1 + 36, "{operation}");
    let (status, body) = register_on(&mut client, "d1").await;
    assert_eq!((status, &body["status"]), (200, &json!("assigned")));
}

#[tokio::test]
async fn a_registration_can_be_answered_with_its_result() {
    let options =
        EmulatorOptions { port: 0, service_port: Some(0), assign_at_once: true, ..Default::default() };
    let lab = Lab::with(Emulator::start(options).await.expect("it starts"));
    let credentials = lab.credentials("d1");
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.subscribe("$dps/registrations/res/#").await;
    client.publish("$dps/registrations/PUT/iotdps-register/?$rid=abc", r#"{"registrationId":"d1"}"#).await;
    let (topic, body) = client.json_message().await;
    assert_eq!(topic, "$dps/registrations/res/200/?$rid=abc");
    assert_eq!((&body["status"], &body["registrationState"]["deviceId"]), (&json!("assigned"), &json!("d1")));
}

#[tokio::test]
async fn both_tls_versions_and_both_curves_are_served() {
    let lab = Lab::start().await;
    let validity = Validity::always();
    for (name, key) in [("p256", KeyAlgorithm::EcP256), ("p384", KeyAlgorithm::EcP384)] {
        let credentials = lab.factory.device_with(name, validity, key).expect("a leaf");
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let tls = tls(&lab.emulator, Some(&credentials), &[version]);
            // The second connection of the two resumes the session of the first, certificates included.
            for _ in 0..2 {
                let dial = Dial { tls: Arc::clone(&tls), ..lab.to_dps(name, &credentials) };
                let mut client = dial.connect().await.expect("DPS lets in");
                let (status, body) = register_on(&mut client, name).await;
                assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");
                client.disconnect().await;
            }
        }
    }
}

#[tokio::test]
async fn a_chain_that_leads_nowhere_is_refused_with_401002() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let foreign = CertificateAuthority::root("foreign root", Validity::always()).expect("a root");
    let foreign = foreign.device("d1", Validity::always()).expect("a leaf");
    assert_refused(&lab.register("d1", &foreign).await);
    assert!(reason_of_refusal(&mut events).await.contains("whose issuer \"CN=foreign root\""));

    let leaf_alone = lab.credentials("d2");
    let leaf_alone = DeviceCredentials { chain_pem: leaf_alone.certificate_pem.clone(), ..leaf_alone };
    assert_refused(&lab.register("d2", &leaf_alone).await);
    assert!(
        reason_of_refusal(&mut events).await.contains("whose issuer \"CN=lab factory\" it did not present")
    );

    let other_name = lab.credentials("somebody-else");
    assert_refused(&lab.register("d3", &other_name).await);
    assert!(reason_of_refusal(&mut events).await.contains("common name of the leaf is \"somebody-else\""));

    let no_certificate =
        Dial { tls: tls(&lab.emulator, None, rustls::DEFAULT_VERSIONS), ..lab.to_dps("d4", &leaf_alone) };
    let mut client = no_certificate.connect().await.expect("the certificate is not judged at CONNECT");
    assert_refused(&register_on(&mut client, "d4").await);
    let reason = reason_of_refusal(&mut events).await;
    // A client whose key TLS can't use leaves its certificate out as well.
    assert!(reason.contains("no client certificate") && reason.contains("EC P-256, EC P-384"), "{reason}");
    assert!(lab.emulator.dps().registrations().is_empty());
}

#[tokio::test]
async fn a_chain_below_an_unverified_ca_is_refused_until_possession_is_proven() {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    let root = CertificateAuthority::root("new root", Validity::always()).expect("a root");
    dps.certificates().upload("new-root", &root.certificate_pem()).expect("a CA certificate");
    let by_name = EnrollmentGroup::new("by-name", AttestationMechanism::ca_reference("new-root"));
    dps.groups().create(by_name).expect("a group");
    let device = root.device("d1", Validity::always()).expect("a leaf");
    assert_refused(&lab.register("d1", &device).await);
    dps.groups().delete("by-name", &IfMatch::Any).expect("deleted");
    let embedded = AttestationMechanism::signing_certificate(root.certificate_pem());
    dps.groups().create(EnrollmentGroup::new("embedded", embedded)).expect("a group");
    assert_refused(&lab.register("d1", &device).await);

    let code = dps.certificates().generate_verification_code("new-root").expect("a code");
    let wrong = root.device("not-the-code", Validity::always()).expect("a proof");
    let error = dps.certificates().verify("new-root", &wrong.certificate_pem).expect_err("the wrong name");
    assert!(error.to_string().contains(&code), "{error}");
    let forged = lab.root.device(&code, Validity::always()).expect("a proof");
    assert!(dps.certificates().verify("new-root", &forged.certificate_pem).is_err());
    let proof = root.device(&code, Validity::always()).expect("a proof");
    assert!(dps.certificates().verify("new-root", &proof.certificate_pem).expect("verified").is_verified);
    let (status, body) = lab.register("d1", &device).await;
    assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");

    dps.certificates().delete("new-root").expect("deleted");
    assert_refused(&lab.register("d1", &device).await);
}

#[tokio::test]
async fn the_first_group_up_the_chain_decides() {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    dps.groups()
        .create(EnrollmentGroup::new("all", AttestationMechanism::ca_reference("lab-root")))
        .expect("a group");
    let credentials = lab.credentials("d1");
    let group = |body: &Value| body["registrationState"]["x509"]["enrollmentGroupId"].clone();
    assert_eq!(group(&lab.register("d1", &credentials).await.1), "trackers");
    dps.groups().disable("trackers").expect("disabled");
    assert_disabled(&lab.register("d1", &credentials).await, "d1");
    let record = dps.registration("d1").expect("a record");
    assert_eq!(record.status, Some(RegistrationStatus::Disabled));
    dps.groups().delete("trackers", &IfMatch::Any).expect("deleted");
    assert_eq!(group(&lab.register("d1", &credentials).await.1), "all");
}

#[tokio::test]
async fn an_individual_enrollment_goes_before_the_group() {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    let credentials = lab.credentials("d1");
    let attestation = AttestationMechanism::client_certificate(&credentials.certificate_pem);
    let mut enrollment = IndividualEnrollment::new("d1", attestation);
    enrollment.device_id = Some("container-7".into());
    enrollment.terms.initial_twin = Some(InitialTwin::new(json!({}), json!({"own": true})));
    let created = dps.individuals().create(enrollment).expect("an enrollment");
    let info = created.terms.attestation.x509.and_then(|x509| x509.client_certificates?.primary?.info);
    assert_eq!(info.expect("certificate details").subject_name, "CN=d1");
    let (_, body) = lab.register("d1", &credentials).await;
    assert_eq!(body["registrationState"]["deviceId"], "container-7");
    let twin = lab.emulator.hub("hub-1").expect("the hub").twin("container-7").expect("the twin");
    assert_eq!(twin.properties.desired["own"], true);

    let another_leaf = lab.credentials("d1");
    assert_refused(&lab.register("d1", &another_leaf).await);

    dps.individuals().disable("D1").expect("disabled");
    assert_disabled(&lab.register("d1", &credentials).await, "d1");
    assert_disabled(&lab.register("d1", &another_leaf).await, "d1");
    let neighbour = lab.credentials("d2");
    assert_eq!(lab.register("d2", &neighbour).await.1["status"], "assigned");

    dps.individuals().enable("d1").expect("enabled");
    assert_eq!(lab.register("d1", &credentials).await.1["status"], "assigned");
    dps.individuals().delete("d1", &IfMatch::Any).expect("deleted");
    assert_eq!(lab.register("d1", &another_leaf).await.1["registrationState"]["deviceId"], "d1");
}

#[tokio::test]
async fn a_self_signed_leaf_is_enough_for_an_individual_enrollment_and_either_slot_matches() {
    let lab = Lab::start().await;
    let old = DeviceCredentials::self_signed("solo", Validity::always()).expect("a leaf");
    let new = DeviceCredentials::self_signed("solo", Validity::always()).expect("a leaf");
    let attestation = AttestationMechanism::x509(X509Attestation {
        client_certificates: Some(X509Certificates {
            primary: Some(X509CertificateWithInfo::new(&old.certificate_pem)),
            secondary: Some(X509CertificateWithInfo::new(&new.certificate_pem)),
        }),
        ..X509Attestation::default()
    });
    lab.emulator
        .dps()
        .individuals()
        .create(IndividualEnrollment::new("solo", attestation))
        .expect("an enrollment");
    for credentials in [&old, &new] {
        assert_eq!(lab.register("solo", credentials).await.1["status"], "assigned");
    }
}

#[tokio::test]
async fn validity_is_judged_by_the_emulators_clock() {
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now));
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).clock(clock.clone());
    let lab = Lab::with(builder.start().await.expect("it starts"));
    let mut events = lab.emulator.events();
    let validity = Validity { not_before: now + TimeDelta::hours(1), not_after: now + TimeDelta::hours(2) };
    let credentials = lab.factory.device("d1", validity).expect("a leaf");
    assert_refused(&lab.register("d1", &credentials).await);
    assert!(reason_of_refusal(&mut events).await.contains("is not valid before"));
    clock.advance(TimeDelta::minutes(90));
    assert_eq!(lab.register("d1", &credentials).await.1["status"], "assigned");
    clock.advance(TimeDelta::minutes(90));
    assert_refused(&lab.register("d1", &credentials).await);
    assert!(reason_of_refusal(&mut events).await.contains("\"CN=d1\" expired at"));
    let refusal = lab.to_hub("d1", &credentials).refused().await;
    assert_eq!(refusal, ConnectReturnCode::NotAuthorized);
}

#[tokio::test]
async fn an_expired_intermediate_breaks_the_chain() {
    let lab = Lab::start().await;
    let expired = Validity {
        not_before: DateTime::<Utc>::UNIX_EPOCH,
        not_after: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(1000),
    };
    let old_factory = lab.root.intermediate("old factory", expired).expect("an intermediate");
    let attestation = AttestationMechanism::signing_certificate(old_factory.certificate_pem());
    lab.emulator.dps().groups().create(EnrollmentGroup::new("old", attestation)).expect("a group");
    let credentials = old_factory.device("d1", Validity::always()).expect("a leaf");
    assert_refused(&lab.register("d1", &credentials).await);
}

#[tokio::test]
async fn connect_is_refused_for_what_it_says() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    let scope = Dial {
        user_name: Some("0ne0000FFFF/registrations/d1/api-version=2019-03-31".into()),
        ..lab.to_dps("d1", &credentials)
    };
    assert_eq!(scope.refused().await, ConnectReturnCode::NotAuthorized);
    let client_id = Dial { client_id: "d2".into(), ..lab.to_dps("d1", &credentials) };
    assert_eq!(client_id.refused().await, ConnectReturnCode::NotAuthorized);
    let no_user = Dial { user_name: None, ..lab.to_dps("d1", &credentials) };
    assert_eq!(no_user.refused().await, ConnectReturnCode::NotAuthorized);
    let neither = Dial { user_name: Some("me".into()), ..lab.to_dps("d1", &credentials) };
    assert_eq!(neither.refused().await, ConnectReturnCode::NotAuthorized);
}

#[tokio::test]
async fn malformed_requests_are_400_and_unknown_operations_404() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.subscribe("$dps/registrations/res/#").await;
    let register = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    for body in ["[]", r#"{"registrationId":"d2"}"#, r#"{"registrationId":"d1","payload":7}"#] {
        client.publish(register, body).await;
        let (status, answer) = client.dps_answer().await;
        assert_eq!((status, &answer["errorCode"]), (400, &json!(400_004)), "{body}");
    }
    let poll = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=5.0.nobody";
    client.publish(poll, " ").await;
    let (status, answer) = client.dps_answer().await;
    assert_eq!((status, &answer["errorCode"]), (404, &json!(404_203)));

    let illegal = lab.credentials("truck 7");
    let mut client = lab.to_dps("truck 7", &illegal).connect().await.expect("DPS lets in");
    let (status, answer) = register_on(&mut client, "truck 7").await;
    assert_eq!((status, &answer["errorCode"]), (400, &json!(400_004)));
    assert_eq!(answer["message"], "Invalid RegistrationId");
}

#[tokio::test]
async fn a_topic_that_dps_does_not_have_ends_the_connection() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.publish_blindly("devices/d1/messages/events/", rumqttc::QoS::AtLeastOnce, "{}").await;
    client.ended().await;
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.sender.subscribe("#", rumqttc::QoS::AtLeastOnce).await.expect("room");
    client.ended().await;
}

#[tokio::test]
async fn a_new_leaf_is_known_to_the_hub_after_registration_and_the_twin_stays() {
    let lab = Lab::start().await;
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    lab.online("d1").await.disconnect().await;
    hub.update_twin_desired("d1", json!({"telemetryInterval": 60})).expect("updated");
    let renewed = lab.credentials("d1");
    assert_eq!(lab.to_hub("d1", &renewed).refused().await, ConnectReturnCode::NotAuthorized);
    let (_, body) = lab.register("d1", &renewed).await;
    // What the API version of the device calls it.
    assert_eq!(body["registrationState"]["substatus"], "initialAssignment");
    lab.to_hub("d1", &renewed).connect().await.expect("the hub lets in");
    assert_eq!(hub.twin("d1").expect("the twin").properties.desired["telemetryInterval"], 60);
}

#[tokio::test]
async fn reprovisioning_moves_resets_or_stays_as_the_policy_says() {
    let emulator = Emulator::builder()
        .dps_timing(Duration::ZERO, Duration::ZERO)
        .hubs(["west", "east"])
        .start()
        .await
        .expect("it starts");
    let lab = Lab::with(emulator);
    let dps = lab.emulator.dps();
    let (west, east) = ("west.azure-devices.net", "east.azure-devices.net");
    let credentials = lab.credentials("d1");
    let settle = |hub: &str, policy| {
        let mut group = dps.groups().get("trackers").expect("the group");
        group.terms.allocation_policy = AllocationPolicy::Static;
        group.terms.iot_hubs = vec![hub.into()];
        group.terms.reprovision_policy = policy;
        dps.groups().update(group, &IfMatch::Any).expect("updated");
    };
    let policy = |update_hub_assignment, migrate_device_data| ReprovisionPolicy {
        update_hub_assignment,
        migrate_device_data,
    };
    let hub = |name: &str| lab.emulator.hub(name).expect("the hub");

    settle(west, policy(true, true));
    lab.register("d1", &credentials).await;
    hub(west).update_twin_desired("d1", json!({"kept": 1})).expect("updated");

    settle(east, policy(false, false));
    let state = |body: Value| body["registrationState"].clone();
    assert_eq!(state(lab.register("d1", &credentials).await.1)["assignedHub"], west);

    settle(east, policy(true, true));
    let moved = state(lab.register("d1", &credentials).await.1);
    assert_eq!((&moved["assignedHub"], &moved["substatus"]), (&json!(east), &json!("deviceDataMigrated")));
    assert!(hub(west).device("d1").is_err(), "it is gone from the old hub");
    assert_eq!(hub(east).twin("d1").expect("the twin").properties.desired["kept"], 1);

    settle(west, policy(true, false));
    let reset = state(lab.register("d1", &credentials).await.1);
    assert_eq!((&reset["assignedHub"], &reset["substatus"]), (&json!(west), &json!("deviceDataReset")));
    assert!(!hub(west).twin("d1").expect("the twin").properties.desired.contains_key("kept"));

    dps.delete_registration("d1", &IfMatch::Any).expect("deleted");
    assert_eq!(state(lab.register("d1", &credentials).await.1)["substatus"], "initialAssignment");
    assert_eq!(dps.registration("d1").expect("the record").substatus, Some(Substatus::InitialAssignment));
}

#[tokio::test]
async fn a_group_none_of_whose_hubs_is_linked_any_more_fails_the_registration() {
    let lab = Lab::start().await;
    lab.emulator.dps().unlink_hub("hub-1").expect("unlinked");
    let credentials = lab.credentials("d1");
    let (status, body) = lab.register("d1", &credentials).await;
    assert_eq!((status, &body["status"]), (200, &json!("failed")));
    assert_eq!(body["registrationState"]["errorCode"], 401_001);
}

#[tokio::test]
async fn what_is_not_implemented_is_refused_by_name() {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    let mut group = dps.groups().get("trackers").expect("the group");
    group.terms.allocation_policy = AllocationPolicy::Custom;
    let error = dps.groups().update(group, &IfMatch::Any).expect_err("refused");
    assert!(error.to_string().contains("customAllocationDefinition"), "{error}");
}

#[tokio::test]
async fn enrollments_have_etags_and_keep_certificates_that_are_only_referred_to() {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    let group = dps.groups().get("TRACKERS").expect("the group");
    let mut without_text = group.clone();
    let signing =
        without_text.terms.attestation.x509.as_mut().and_then(|x509| x509.signing_certificates.as_mut());
    signing.and_then(|signing| signing.primary.as_mut()).expect("a certificate").certificate = None;
    let etag = IfMatch::ETag(group.terms.etag.clone().expect("an etag"));
    let updated = dps.groups().update(without_text.clone(), &etag).expect("updated");
    assert_ne!(updated.terms.etag, group.terms.etag);
    assert_eq!(updated.terms.created_date_time_utc, group.terms.created_date_time_utc);
    assert_eq!(updated.terms.attestation, group.terms.attestation);
    let stale = dps.groups().update(without_text, &etag).expect_err("a stale etag");
    assert_eq!(stale.error_code(), 412_001);
    let twice = dps.groups().create(group).expect_err("it exists");
    assert_eq!(twice.error_code(), 409_202);
    assert_eq!(dps.groups().get("nobody").expect_err("none").error_code(), 404_204);
}

#[tokio::test]
async fn faults_of_dps_come_as_asked_for() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    let fault = |kind, times| {
        lab.emulator.faults().inject(Fault {
            service: FaultyService::Dps,
            device: Some("d1".into()),
            kind,
            times,
        })
    };
    fault(FaultKind::RefuseConnect { code: 3 }, Some(1));
    assert_eq!(lab.to_dps("d1", &credentials).refused().await, ConnectReturnCode::ServiceUnavailable);
    fault(FaultKind::DpsError { status: 429, retry_after: Some(Duration::from_secs(7)) }, Some(1));
    let mut client = lab.to_dps("d1", &credentials).connect().await.expect("DPS lets in");
    client.subscribe("$dps/registrations/res/#").await;
    let register = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    client.publish(register, r#"{"registrationId":"d1"}"#).await;
    let (topic, body) = client.json_message().await;
    assert_eq!(topic, "$dps/registrations/res/429/?$rid=1&retry-after=7");
    assert_eq!(body["errorCode"], 429_001);
    fault(FaultKind::GarbageBody, Some(1));
    client.publish(register, r#"{"registrationId":"d1"}"#).await;
    assert_eq!(client.message().await.1, b"<html>");
    let never = fault(FaultKind::NeverAssign, None);
    client.publish(register, r#"{"registrationId":"d1"}"#).await;
    let (_, body) = client.dps_answer().await;
    let operation = body["operationId"].as_str().expect("an operation id");
    let poll = format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation}");
    client.publish(&poll, "").await;
    assert_eq!(client.dps_answer().await.0, 202);
    assert!(lab.emulator.faults().clear(never));
    client.publish(&poll, "").await;
    assert_eq!(client.dps_answer().await.1["status"], "assigned");
}

#[tokio::test]
async fn a_twin_of_tags_alone_and_a_disabled_identity_survive_registration() {
    let lab = Lab::start().await;
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let tags = json!({"owner": "x"}).as_object().cloned();
    hub.update_twin("d1", TwinPatch { tags, desired: None }, &IfMatch::Any).expect("updated");
    hub.disable("d1").expect("disabled");
    lab.register("d1", &credentials).await;
    assert_eq!(hub.device("d1").expect("the identity").status, DeviceStatus::Disabled);
    assert_eq!(hub.twin("d1").expect("the twin").tags["owner"], "x");
    hub.delete("d1").expect("deleted");
    lab.register("d1", &credentials).await;
    assert_eq!(hub.device("d1").expect("made anew").status, DeviceStatus::Enabled);
}

#[tokio::test]
async fn shutdown_is_quick_with_connections_open() {
    let lab = Lab::start().await;
    let mut client = lab.online("d1").await;
    let idle =
        tokio::net::TcpStream::connect(lab.emulator.address()).await.expect("a connection without TLS");
    let started = std::time::Instant::now();
    tokio::time::timeout(PATIENCE, lab.emulator.shutdown()).await.expect("it ends");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    client.ended().await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_devices_at_once_all_get_through() {
    let lab = Arc::new(Lab::start().await);
    let mut telemetry = lab.emulator.hub("hub-1").expect("the hub").telemetry();
    let mut devices = tokio::task::JoinSet::new();
    for number in 0..100 {
        let lab = Arc::clone(&lab);
        devices.spawn(async move {
            let id = format!("d{number:03}");
            let mut client = lab.online(&id).await;
            client.publish(&format!("devices/{id}/messages/events/"), "{}").await;
        });
    }
    devices.join_all().await;
    let mut heard = std::collections::BTreeSet::new();
    while let Ok(Some(message)) = telemetry.try_next() {
        heard.insert(message.device_id.clone());
    }
    assert_eq!(heard.len(), 100);
    assert_eq!(lab.emulator.dps().registrations().len(), 100);
}
