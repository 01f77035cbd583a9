//! Certificates from DPS: asked for in the registration, issued by a policy, and good at the hub.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::common::{
    Csr, Dial, Lab, event,
    issuing::{MONTH, ask, ask_as, is_let_in, issued, lab, lab_with, set_policy},
    pem, register_with,
    service::{Service, sas},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tracker_certificates::Fields;
use tracker_emulator::{
    AttestationMechanism, AuthenticationType, Emulator, EnrollmentGroup, EventKind, Fault, FaultKind,
    FaultyService, IfMatch, IndividualEnrollment, ManualClock, SymmetricKey, pki::DeviceCredentials,
};

#[tokio::test]
async fn a_device_that_asks_is_issued_a_certificate_and_comes_to_its_hub_with_it() {
    let lab = lab().await;
    let onboarding = lab.credentials("d1");
    for (version, csr) in [
        ("2025-07-01-preview", Csr::new("d1")),
        ("2026-11-01", Csr::with("d1", &rcgen::PKCS_ECDSA_P384_SHA384)),
        ("2026-11-02-preview", Csr::new("d1")),
    ] {
        let asked = json!({"registrationId": "d1", "payload": {"a": 1}, "csr": csr.base64});
        let (status, body) = ask_as(&lab, "d1", &onboarding, version, &asked).await;
        assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");
        let chain = &body["registrationState"]["issuedCertificateChain"];
        assert_eq!(chain.as_array().map(Vec::len), Some(3), "leaf, issuing CA, root: {chain}");
        assert!(is_let_in(&lab, "d1", &csr.credentials(chain, 3)).await, "{version}: the whole chain");
        assert!(is_let_in(&lab, "d1", &csr.credentials(chain, 2)).await, "{version}: without the root");
        assert!(is_let_in(&lab, "d1", &csr.credentials(chain, 1)).await, "{version}: the leaf alone");
        assert!(!is_let_in(&lab, "d1", &onboarding).await, "the onboarding leaf is for DPS alone now");
    }
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let device = hub.device("d1").expect("the identity");
    assert_eq!(device.authentication.kind, AuthenticationType::CertificateAuthority);
    // The service's record of it has no chain.
    let record = lab.emulator.dps().registration("d1").expect("a record");
    assert_eq!(record.issued_certificate_chain, None);
}

#[tokio::test]
async fn a_leaf_is_for_clients_and_for_as_long_as_the_policy_says() {
    let now = DateTime::<Utc>::from_timestamp(1_795_000_000, 0).expect("a time");
    let clock = Arc::new(ManualClock::new(now));
    let lab = lab_with(Emulator::builder().clock(Arc::clone(&clock) as _)).await;
    let csr = Csr::new("d1");
    let chain = issued(&lab, "d1", &csr).await;
    let credentials = csr.credentials(&chain, 2);
    let leaf = rustls::pki_types::pem::PemObject::from_pem_slice(credentials.certificate_pem.as_bytes());
    let leaf: rustls::pki_types::CertificateDer<'_> = leaf.expect("a certificate");
    let fields = Fields::read(&leaf).expect("its fields");
    assert_eq!((fields.not_before, fields.not_after), (now.timestamp(), now.timestamp() + 30 * 86_400));
    let usage = openssl_text(&credentials.certificate_pem);
    for part in ["Subject: CN=d1", "TLS Web Client Authentication", "Digital Signature", "CA:FALSE"] {
        assert!(usage.replace(" = ", "=").contains(part), "{part} in {usage}");
    }
    // Each is signed by the next.
    let names: Vec<String> =
        chain.as_array().expect("a chain").iter().map(|text| pem(text.as_str().expect("text"))).collect();
    let texts: Vec<String> = names.iter().map(|pem| openssl_text(pem).replace(" = ", "=")).collect();
    let line = |text: &str, label: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(label));
        found.expect("the line").to_owned()
    };
    for pair in texts.windows(2) {
        assert_eq!(line(&pair[0], "Issuer: "), line(&pair[1], "Subject: "));
    }
    assert_eq!(line(&texts[2], "Issuer: "), line(&texts[2], "Subject: "), "a root");
    assert!(is_let_in(&lab, "d1", &credentials).await);
    clock.advance(TimeDelta::days(30) + TimeDelta::seconds(1));
    assert!(!is_let_in(&lab, "d1", &credentials).await, "expired");
    let renewed = Csr::new("d1");
    let chain = issued(&lab, "d1", &renewed).await;
    assert!(is_let_in(&lab, "d1", &renewed.credentials(&chain, 2)).await, "DPS is the way back");
}

fn openssl_text(pem: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["x509", "-noout", "-text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().expect("an input").write_all(pem.as_bytes()).expect("it reads");
    String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text")
}

#[tokio::test]
async fn another_devices_leaf_and_another_authoritys_are_refused() {
    let lab = lab().await;
    let (one, two) = (Csr::new("d1"), Csr::new("d2"));
    let chain = issued(&lab, "d1", &one).await;
    let other = issued(&lab, "d2", &two).await;
    assert!(!is_let_in(&lab, "d1", &two.credentials(&other, 3)).await, "the leaf is d2's");
    let stranger = lab_with(Emulator::builder()).await;
    let csr = Csr::new("d1");
    let foreign = issued(&stranger, "d1", &csr).await;
    assert!(!is_let_in(&lab, "d1", &csr.credentials(&foreign, 3)).await, "another namespace's CA");
    assert!(is_let_in(&lab, "d1", &one.credentials(&chain, 3)).await);
    // A policy that goes leaves what it has issued good, and a CA that goes does not.
    let namespace = lab.emulator.namespace();
    let authority = namespace.policy("fleet").expect("the policy").authority;
    assert!(namespace.delete_authority(&authority).is_err(), "it has its policy");
    namespace.delete_policy("fleet").expect("it is there");
    assert!(is_let_in(&lab, "d1", &one.credentials(&chain, 3)).await);
    namespace.delete_authority(&authority).expect("it is free");
    assert!(!is_let_in(&lab, "d1", &one.credentials(&chain, 3)).await);
}

#[tokio::test]
async fn without_a_policy_or_by_an_old_version_nothing_is_issued() {
    let lab = lab().await;
    let onboarding = lab.credentials("d1");
    let csr = Csr::new("d1").base64;
    let (_, body) =
        ask_as(&lab, "d1", &onboarding, "2021-10-01", &json!({"registrationId": "d1", "csr": csr})).await;
    assert_eq!(body["status"], "assigned");
    assert!(body["registrationState"].get("issuedCertificateChain").is_none(), "{body}");
    assert!(is_let_in(&lab, "d1", &onboarding).await, "as ever");
    set_policy(&lab, None);
    let (_, body) = ask_as(&lab, "d1", &onboarding, "2026-11-01", &json!({"csr": csr})).await;
    assert_eq!(body["registrationState"].get("issuedCertificateChain"), Some(&Value::Null), "{body}");
    assert!(is_let_in(&lab, "d1", &onboarding).await);
    // An SDK that asks for nothing.
    let (_, body) = ask_as(&lab, "d1", &onboarding, "2026-11-01", &json!({})).await;
    assert_eq!(body["registrationState"].get("issuedCertificateChain"), Some(&Value::Null), "{body}");
}

#[tokio::test]
async fn a_session_without_a_body_is_known_by_its_user_name() {
    let lab = lab().await;
    let mut dial = lab.to_dps("d1", &lab.credentials("d1"));
    let user = |version| format!("{}/registrations/d1/api-version={version}", lab.emulator.id_scope());
    dial.user_name = Some(user("2026-11-02-preview"));
    let mut client = dial.connect().await.expect("DPS lets in");
    assert_eq!(register_with(&mut client, "").await.1["status"], "assigned");
    let topic = "$dps/registrations/PUT/iotdps-register/?$rid=2";
    client.publish(topic, r#"{"registrationId":"d2"}"#).await;
    assert_eq!(client.dps_answer().await.0, 400, "another's name is refused");
    client.publish(topic, "{}").await;
    let (_, body) = client.dps_answer().await;
    let operation = body["operationId"].as_str().expect("an operation").to_owned();
    let topic = format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=3&operationId={operation}");
    client.publish(&topic, r#"{"csr":"AAAA"}"#).await;
    let (status, body) = client.dps_answer().await;
    assert_eq!((status, &body["errorCode"]), (400, &json!(400_004)), "{body}");
    client.publish(&topic, " ").await;
    assert_eq!(client.dps_answer().await.0, 200);
}

#[tokio::test]
async fn a_bad_request_is_told_what_is_wrong_with_it() {
    let lab = lab_with(Emulator::builder()).await;
    let mut broken = Csr::new("d1").base64;
    // Within the signature.
    let place = broken.len() - 12;
    let other = if &broken[place..=place] == "A" { "B" } else { "A" };
    broken.replace_range(place..=place, other);
    let cases = [
        (String::new(), 400_301, "empty"),
        ("A".repeat(8193), 400_301, "8193 characters"),
        ("-----BEGIN CERTIFICATE REQUEST-----".into(), 400_301, "not base64"),
        ("AAAA".into(), 400_301, "cannot be decoded"),
        (broken, 400_302, "not signed with the key"),
        (Csr::new("D1").base64, 400_303, "common name in csr is \"D1\", not \"d1\""),
        (Csr::with("d1", &rcgen::PKCS_ED25519).base64, 400_304, "Ed25519"),
    ];
    let small = {
        let directory = tempfile::tempdir().expect("a directory");
        let made = Command::new("openssl")
            .args([
                "req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=d1", "-outform", "DER",
                "-keyout",
            ])
            .arg(directory.path().join("key.pem"))
            .output()
            .expect("openssl is installed");
        STANDARD.encode(made.stdout)
    };
    for (csr, code, word) in [(small, 400_304, "RSA of 1024 bits")].into_iter().chain(cases) {
        let (status, body) = ask(&lab, "d1", "2026-11-01", &json!({"csr": csr})).await;
        assert_eq!((status, &body["errorCode"]), (400, &json!(code)), "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(word)), "{body}");
    }
    let (status, body) = ask(&lab, "d1", "2026-11-01", &json!({"csr": 5})).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!(400_004)));
    lab.emulator.namespace().delete_policy("fleet").expect("it is there");
    let (_, body) = ask(&lab, "d1", "2026-11-01", &json!({"csr": Csr::new("d1").base64})).await;
    assert_eq!(body["errorCode"], json!(400_305), "{body}");
    assert!(lab.emulator.hub("hub-1").expect("the hub").device("d1").is_err(), "nobody was assigned");
    let strict = lab_with(Emulator::builder().p384_only()).await;
    let (_, body) = ask(&strict, "d1", "2026-11-01", &json!({"csr": Csr::new("d1").base64})).await;
    assert_eq!(body["errorCode"], json!(400_304), "{body}");
    issued(&strict, "d1", &Csr::with("d1", &rcgen::PKCS_ECDSA_P384_SHA384)).await;
}

#[tokio::test]
async fn issuing_fails_is_slow_or_is_lost_as_asked_for() {
    let lab = lab().await;
    let inject = |kind| {
        let fault = Fault { service: FaultyService::Dps, device: None, kind, times: Some(1) };
        lab.emulator.faults().inject(fault)
    };
    let csr = Csr::new("d1");
    inject(FaultKind::IssueRefused { code: 429_002 });
    let (status, body) = ask(&lab, "d1", "2026-11-01", &json!({"csr": csr.base64})).await;
    assert_eq!((status, &body["errorCode"]), (429, &json!(429_002)), "{body}");
    inject(FaultKind::IssueLost);
    assert_eq!(issued(&lab, "d1", &csr).await, Value::Null);
    inject(FaultKind::IssueSlow { delay: Duration::from_millis(300) });
    let begun = tokio::time::Instant::now();
    assert!(issued(&lab, "d1", &csr).await.is_array());
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(lab.emulator.faults().list(), []);
}

#[tokio::test]
async fn enrollments_name_policies_that_are_there() {
    let lab = lab().await;
    let groups = lab.emulator.dps().groups();
    let refused = |change: fn(&mut EnrollmentGroup)| {
        let mut group = groups.get("trackers").expect("the group");
        change(&mut group);
        groups.update(group, &IfMatch::Any).expect_err("it is wrong").to_string()
    };
    let wrong = refused(|group| group.terms.certificate_policy_name = Some("other".into()));
    assert_eq!(wrong, "there is no certificate policy \"other\": make it first");
    let wrong = refused(|group| group.terms.namespace_name = Some("elsewhere".into()));
    assert_eq!(wrong, "there is no namespace \"elsewhere\" here, but \"emulator-namespace\"");
    let wrong = refused(|group| group.terms.certificate_authority_name = Some("nobody".into()));
    assert!(wrong.contains("is one of the issuing CA \"default\", not of \"nobody\""), "{wrong}");
    let wrong = refused(|group| {
        group.terms.certificate_policy_name = None;
        group.terms.namespace_name = Some("emulator-namespace".into());
    });
    assert_eq!(wrong, "namespaceName has no meaning without certificatePolicyName");
}

#[tokio::test]
async fn a_namespace_has_three_authorities_with_one_policy_each() {
    let emulator = Emulator::builder().start().await.expect("it starts");
    let namespace = emulator.namespace();
    assert_eq!((namespace.authorities().len(), namespace.policies().len()), (0, 0));
    for (name, wrong) in [("", "1 to 64"), ("-a", "1 to 64"), ("a b", "1 to 64")] {
        let error = namespace.create_authority(name).expect_err("no name").to_string();
        assert!(error.contains(wrong), "{error}");
    }
    namespace.create_authority("a").expect("a CA");
    assert!(namespace.create_authority("a").is_err(), "it is there");
    let made = namespace.create_policy("p", None, MONTH).expect("a policy");
    assert_eq!(made.authority, "a", "the one that was free");
    assert!(namespace.create_policy("p", None, MONTH).is_err(), "it is there");
    assert!(namespace.create_policy("q", Some("a"), MONTH).is_err(), "one policy each");
    assert!(namespace.create_policy("q", Some("nobody"), MONTH).is_err());
    for validity in
        [Duration::ZERO, Duration::from_millis(1500), Duration::from_hours(90 * 24) + Duration::from_secs(1)]
    {
        assert!(namespace.create_policy("q", None, validity).is_err(), "{validity:?}");
    }
    assert_eq!(namespace.create_policy("q", None, MONTH).expect("a policy").authority, "default");
    assert_eq!(
        namespace.create_policy("r", None, Duration::from_secs(1)).expect("one").authority,
        "default-2"
    );
    let error = namespace.create_policy("s", None, MONTH).expect_err("three are there").to_string();
    assert!(error.contains("has 3 issuing CAs"), "{error}");
    assert_eq!(namespace.authorities().len(), 3);
}

#[tokio::test]
async fn a_restart_keeps_authorities_policies_and_what_was_issued() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = || Emulator::builder().state_directory(directory.path());
    let lab = lab_with(builder()).await;
    let csr = Csr::new("d1");
    let chain = issued(&lab, "d1", &csr).await;
    let before = lab.emulator.namespace().authorities();
    let (root, factory) = (lab.root, lab.factory);
    lab.emulator.shutdown().await;
    let emulator = builder().certificate_policy("fleet", MONTH).start().await.expect("it starts again");
    let lab = Lab { emulator, root, factory };
    assert_eq!(lab.emulator.namespace().authorities(), before);
    assert!(is_let_in(&lab, "d1", &csr.credentials(&chain, 1)).await);
    let csr = Csr::new("d1");
    let again = issued(&lab, "d1", &csr).await;
    assert_eq!((&again[1], &again[2]), (&chain[1], &chain[2]));
    assert!(is_let_in(&lab, "d1", &csr.credentials(&again, 1)).await);
    lab.emulator.shutdown().await;
}

#[tokio::test]
async fn each_version_of_the_service_api_has_its_own_members_for_the_policy() {
    let lab = lab().await;
    let dps = Service::dps(&lab.emulator);
    let path = |version: &str| format!("/enrollmentGroups/trackers?api-version={version}");
    let members =
        ["namespaceName", "certificateAuthorityName", "certificatePolicyName", "credentialPolicyName"];
    let shown = async |version: &str| {
        let body = dps.get(&path(version)).await.body;
        members.map(|member| body.get(member).and_then(Value::as_str).map(str::to_owned))
    };
    let put = async |version: &str, change: Value| {
        let mut body = dps.get(&path("2021-10-01")).await.body;
        body.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        let answer = dps.call("PUT", &path(version), &[("If-Match", "*")], &body.to_string()).await;
        (answer.status, answer.body["message"].as_str().unwrap_or_default().to_owned())
    };
    let fleet = || Some("fleet".to_owned());
    assert_eq!(shown("2026-11-01").await, [None, None, fleet(), None]);
    assert_eq!(shown("2026-11-02-preview").await, [None, None, fleet(), None]);
    assert_eq!(shown("2025-07-01-preview").await, [None, None, None, fleet()]);
    assert_eq!(shown("2021-10-01").await, [None, None, None, None]);
    let all = json!({"namespaceName": "emulator-namespace", "certificateAuthorityName": "default",
        "certificatePolicyName": "fleet"});
    assert_eq!(put("2026-11-01", all.clone()).await.0, 200);
    let named = [Some("emulator-namespace".into()), Some("default".into()), fleet(), None];
    assert_eq!(shown("2026-11-01").await, named);
    assert_eq!(put("2025-07-01-preview", json!({"credentialPolicyName": "fleet"})).await.0, 200);
    assert_eq!(shown("2026-11-01").await, [None, None, fleet(), None]);
    for (version, change, word) in [
        ("2021-10-01", all, "namespaceName is known from the api-version 2026-11-01 on"),
        (
            "2026-11-01",
            json!({"credentialPolicyName": "fleet"}),
            "from 2026-11-01 on it is certificatePolicyName",
        ),
        ("2026-11-01", json!({"certificatePolicyName": "other"}), "there is no certificate policy \"other\""),
    ] {
        let (status, message) = put(version, change).await;
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(word), "{message}");
    }
    // One that knows none of them replaces the enrollment by one without.
    assert_eq!(put("2021-10-01", json!({})).await.0, 200);
    assert_eq!(shown("2026-11-01").await, [None, None, None, None]);
}

#[tokio::test]
async fn an_individual_enrollment_with_keys_gets_a_certificate_too() {
    let lab = lab().await;
    let individuals = lab.emulator.dps().individuals();
    let mut enrollment =
        IndividualEnrollment::new("k1", AttestationMechanism::symmetric_key(SymmetricKey::default()));
    enrollment.terms.certificate_policy_name = Some("fleet".into());
    enrollment.device_id = Some("other".into());
    let wrong = individuals.create(enrollment.clone()).expect_err("the common name is another").to_string();
    assert!(wrong.contains("deviceId \"other\" is not the registration ID"), "{wrong}");
    enrollment.device_id = None;
    let made = individuals.create(enrollment).expect("it is taken");
    let keys = made.terms.attestation.symmetric_key.expect("keys");
    let scope = lab.emulator.id_scope();
    let mut dial = Dial::new(&lab.emulator, None);
    dial.client_id = "k1".into();
    dial.user_name = Some(format!("{scope}/registrations/k1/api-version=2026-11-01"));
    dial.password =
        sas(&format!("{scope}/registrations/k1"), &keys.primary_key.expect("a key"), 4_000_000_000, None);
    let mut client = dial.connect().await.expect("DPS lets in");
    let csr = Csr::new("k1");
    let (_, body) = register_with(&mut client, &json!({"csr": csr.base64}).to_string()).await;
    let chain = &body["registrationState"]["issuedCertificateChain"];
    assert!(is_let_in(&lab, "k1", &csr.credentials(chain, 2)).await, "{body}");
}

#[tokio::test]
async fn authorities_and_policies_are_made_and_deleted_by_rest() {
    let lab = Lab::start().await;
    let dps = Service::dps(&lab.emulator);
    let put = async |path: &str, body: Value| {
        let answer = dps.call("PUT", path, &[], &body.to_string()).await;
        (answer.status, answer.body)
    };
    let policy = |leaf: Value| json!({"properties": {"leafCertificateConfiguration": leaf}});
    assert_eq!(dps.get("/certificateAuthorities").await.body, json!({"value": []}));
    let (status, made) = put("/certificateAuthorities/north", json!({})).await;
    assert_eq!((status, &made["name"]), (200, &json!("north")), "{made}");
    assert!(
        made["properties"]["certificateChain"].as_str().is_some_and(|pem| pem.matches("BEGIN").count() == 2)
    );
    let (status, made) = put("/certificatePolicies/fleet", policy(json!({"validityPeriodInDays": 30}))).await;
    let leaf = json!({"validityPeriodInDays": 30, "validityPeriodInSeconds": 2_592_000});
    let properties = json!({"certificateAuthorityName": "north", "leafCertificateConfiguration": leaf});
    assert_eq!((status, &made["properties"]), (200, &properties));
    assert_eq!(dps.get("/certificatePolicies/fleet").await.body, made);
    assert_eq!(dps.get("/certificatepolicies").await.body, json!({"value": [made]}));
    let (_, made) = put("/certificatePolicies/short", policy(json!({"validityPeriodInSeconds": 15}))).await;
    assert_eq!(made["properties"]["leafCertificateConfiguration"], json!({"validityPeriodInSeconds": 15}));
    for (path, body, status, word) in [
        ("/certificateAuthorities/north", json!({}), 409, "exists"),
        ("/certificateAuthorities/a.b", json!({}), 400, "1 to 64 letters"),
        ("/certificatePolicies/fleet", policy(json!({"validityPeriodInDays": 1})), 409, "exists"),
        ("/certificatePolicies/p", policy(json!({})), 400, "has to hold validityPeriodInDays or"),
        ("/certificatePolicies/p", policy(json!({"validityPeriodInDays": 91})), 400, "1 second to 90 days"),
        ("/certificatePolicies/p", policy(json!({"validityPeriodInSeconds": 0})), 400, "1 second to 90 days"),
    ] {
        let (got, body) = put(path, body).await;
        assert_eq!(got, status, "{path}: {body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(word)), "{body}");
    }
    assert_eq!(dps.call("DELETE", "/certificateAuthorities/north", &[], "").await.status, 409, "in use");
    assert_eq!(dps.call("DELETE", "/certificatePolicies/fleet", &[], "").await.status, 204);
    assert_eq!(dps.call("DELETE", "/certificateAuthorities/north", &[], "").await.status, 204);
    assert_eq!(dps.get("/certificateAuthorities/north").await.status, 404);
}

#[tokio::test]
async fn an_identity_by_authority_connects_with_what_a_ca_of_the_hub_has_signed() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = || Emulator::builder().state_directory(directory.path());
    let lab = Lab::with(builder().start().await.expect("it starts"));
    let rest = Service::hub(&lab.emulator);
    let body = json!({"deviceId": "c1", "authentication": {"type": "certificateAuthority"}}).to_string();
    assert_eq!(rest.call("PUT", "/devices/c1?api-version=2021-04-12", &[], &body).await.status, 200);
    let leaf = lab.credentials("c1");
    let mut events = lab.emulator.events();
    assert!(!is_let_in(&lab, "c1", &leaf).await, "the hub trusts nobody yet");
    let reason = event(&mut events, |kind| match kind {
        EventKind::ConnectionRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.await;
    assert!(reason.contains("the hub trusts no CA in it"), "{reason}");
    let put = async |name: &str, certificate: &str| {
        let body = json!({"properties": {"certificate": certificate}}).to_string();
        rest.call("PUT", &format!("/certificates/{name}"), &[], &body).await
    };
    let made = put("lab", &lab.root.certificate_pem()).await;
    assert_eq!((made.status, &made.body["properties"]["subject"]), (200, &json!("CN=lab root")));
    assert_eq!(rest.get("/certificates").await.body, json!({"value": [made.body]}));
    assert!(is_let_in(&lab, "c1", &leaf).await);
    assert!(!is_let_in(&lab, "c1", &lab.credentials("c2")).await, "another name");
    let alone = DeviceCredentials { chain_pem: leaf.certificate_pem.clone(), ..leaf.clone() };
    assert!(!is_let_in(&lab, "c1", &alone).await, "the hub doesn't know the intermediate");
    for (name, certificate, word) in [
        ("a b", lab.root.certificate_pem(), "1 to 64 letters"),
        ("leaf", leaf.certificate_pem.clone(), "is not a CA certificate"),
        ("none", "?".into(), "not a certificate"),
    ] {
        let refused = put(&name.replace(' ', "%20"), &certificate).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["Message"].as_str().is_some_and(|text| text.contains(word)), "{}", refused.body);
    }
    let (root, factory) = (lab.root, lab.factory);
    lab.emulator.shutdown().await;
    let lab = Lab { emulator: builder().start().await.expect("it starts again"), root, factory };
    assert!(is_let_in(&lab, "c1", &leaf).await, "it is kept");
    let rest = Service::hub(&lab.emulator);
    assert_eq!(rest.call("DELETE", "/certificates/lab", &[], "").await.status, 204);
    assert_eq!(rest.call("DELETE", "/certificates/lab", &[], "").await.status, 404);
    assert!(!is_let_in(&lab, "c1", &leaf).await);
    lab.emulator.shutdown().await;
}
