//! Certificates renewed at the hub, by `$iothub/credentials/…`. Rows name their source: CS-T is the run of scenarios on the
//! service in azure-iot-sdk-csharp, branch feature/iot-csr-preview (30 January 2026); CS, JAVA, PY the branches of the SDKs;
//! C-CERT c/docs/eng/certificate-management.md in Azure/azure-iot-sdk.

use std::{sync::Arc, time::Duration};

use crate::common::{
    Client, Csr, Dial, HUB, Lab, event,
    issuing::{is_let_in, issued, lab_with, set_policy},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tracker_emulator::{
    Emulator, EventKind, Fault, FaultKind, FaultyService, ManualClock, pki::DeviceCredentials,
};

const FILTER: &str = "$iothub/credentials/res/#";

/// A lab, and a device of it with the certificate that DPS has issued.
struct Renewing {
    lab: Lab,
    credentials: DeviceCredentials,
}

impl Renewing {
    async fn start() -> Self {
        Self::with(lab_with(Emulator::builder()).await).await
    }

    async fn with(lab: Lab) -> Self {
        let csr = Csr::new("d1");
        let chain = issued(&lab, "d1", &csr).await;
        Self { lab, credentials: csr.credentials(&chain, 2) }
    }

    fn dial(&self) -> Dial {
        let mut dial = self.lab.to_hub("d1", &self.credentials);
        dial.user_name = Some(format!("{HUB}/d1/?api-version=2025-08-01-preview"));
        dial
    }

    async fn online(&self) -> Client {
        let mut client = self.dial().connect().await.expect("the hub lets in");
        client.subscribe(FILTER).await;
        client
    }

    fn inject(&self, kind: FaultKind) {
        let fault = Fault { service: FaultyService::AnyHub, device: Some("d1".into()), kind, times: Some(1) };
        self.lab.emulator.faults().inject(fault);
    }
}

fn body(csr: &str) -> String {
    json!({"id": "d1", "csr": csr}).to_string()
}

fn replacing(csr: &str, replace: &str) -> String {
    json!({"id": "d1", "csr": csr, "replace": replace}).to_string()
}

async fn ask(client: &mut Client, rid: &str, body: &str) {
    let topic = format!("$iothub/credentials/POST/issueCertificate/?$rid={rid}");
    client.publish(&topic, body).await;
}

/// The next answer: request ID, status, body.
async fn answer(client: &mut Client) -> (String, u16, Value) {
    let (topic, body) = client.json_message().await;
    let rest = topic.strip_prefix("$iothub/credentials/res/").expect("an answer to a request");
    let (status, rid) = rest.split_once("/?$rid=").expect("a request ID, and nothing after it");
    assert!(!rid.contains('&'), "CS: its parser takes all that follows for the ID: {topic}");
    (rid.to_owned(), status.parse().expect("a status"), body)
}

async fn expect(client: &mut Client, rid: &str, status: u16) -> Value {
    let (of, got, body) = answer(client).await;
    assert_eq!((of.as_str(), got), (rid, status), "{body}");
    body
}

/// Nothing comes until a twin request, which is answered in order.
async fn silence(client: &mut Client) {
    client.subscribe("$iothub/twin/res/#").await;
    client.publish("$iothub/twin/GET/?$rid=silence", "").await;
    let (topic, _) = client.message().await;
    assert!(topic.starts_with("$iothub/twin/res/200/?$rid=silence"), "{topic}");
}

#[tokio::test]
async fn a_device_renews_its_certificate_and_the_old_one_stays_good() {
    let device = Renewing::start().await;
    let mut client = device.online().await;
    for csr in [Csr::new("d1"), Csr::with("d1", &rcgen::PKCS_ECDSA_P384_SHA384)] {
        ask(&mut client, "first-1", &body(&csr.base64)).await;
        let accepted = expect(&mut client, "first-1", 202).await;
        let members: Vec<_> = accepted.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["correlationId", "operationExpires"], "CS-T, C-CERT");
        let issued = expect(&mut client, "first-1", 200).await;
        let members: Vec<_> = issued.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["certificates", "correlationId"], "CS, CS-T, JAVA, PY");
        assert_eq!(issued["correlationId"], accepted["correlationId"]);
        assert_eq!(issued["certificates"].as_array().map(Vec::len), Some(3), "leaf, intermediate, root");
        let renewed = csr.credentials(&issued["certificates"], 2);
        // Another client takes the connection over; the live one goes on until then.
        silence(&mut client).await;
        assert!(is_let_in(&device.lab, "d1", &renewed).await);
        assert!(is_let_in(&device.lab, "d1", &device.credentials).await, "nothing revokes it");
        client = device.online().await;
    }
}

#[tokio::test]
async fn a_bad_request_is_refused_at_once_with_its_number() {
    let device = Renewing::start().await;
    let mut client = device.online().await;
    let csr = Csr::new("d1").base64;
    let with = |member: &str, value: Value| {
        let mut body = json!({"id": "d1", "csr": csr});
        body[member] = value;
        body.to_string()
    };
    let rows = [
        ("CS-T: body missing", String::new(), 400_004),
        ("CS-T: not JSON", "{".into(), 400_006),
        ("CS-T: array", "[]".into(), 400_004),
        ("CS-T: csr missing", r#"{"id":"d1"}"#.into(), 400_004),
        ("CS-T: csr empty", body(""), 400_004),
        ("CS-T: csr too long", body(&"A".repeat(8193)), 400_004),
        ("CS-T: csr no base64", body("?"), 400_004),
        ("CS-T: another id", with("id", json!("d2")), 400_004),
        ("CS-T: empty id", with("id", json!("")), 400_004),
        ("CS-T: unknown field", with("validity", json!(1)), 400_004),
        ("CS-T: empty replace", with("replace", json!("")), 400_004),
        ("CS-T: null for replace", with("replace", Value::Null), 400_004),
        ("CS-T: replace no request ID", with("replace", json!("a b c")), 400_004),
        ("CS-T: replace names nothing pending", with("replace", json!("nobody")), 412_001),
    ];
    for (row, body, code) in rows {
        ask(&mut client, "bad-1", &body).await;
        let answer = expect(&mut client, "bad-1", (code / 1000) as u16).await;
        assert_eq!(answer["errorCode"], json!(code), "{row}: {answer}");
        for member in ["message", "trackingId", "timestampUtc"] {
            assert!(answer[member].as_str().is_some_and(|text| !text.is_empty()), "{row}: {member}");
        }
        assert_eq!(answer.get("info").is_some_and(Value::is_null), code != 412_001, "{row}: {answer}");
    }
    ask(&mut client, "good", &body(&csr)).await;
    expect(&mut client, "good", 202).await;
    expect(&mut client, "good", 200).await;
}

#[tokio::test]
async fn a_request_that_can_be_decoded_and_no_more_is_refused_after_it_was_taken() {
    for (builder, code, words) in [
        (Emulator::builder(), 400_040, ["FailedToDecodeCsr", "CsrSubjectMismatch", "UnsupportedCsrKey"]),
        (Emulator::builder().older_renewal_errors(), 400_037, ["400000"; 3]),
    ] {
        let device = Renewing::with(lab_with(builder).await).await;
        let mut client = device.online().await;
        let requests =
            ["AAAA".to_owned(), Csr::new("d2").base64, Csr::with("d1", &rcgen::PKCS_ED25519).base64];
        for (csr, word) in requests.iter().zip(words) {
            ask(&mut client, "late-1", &body(csr)).await;
            let accepted = expect(&mut client, "late-1", 202).await;
            let refused = expect(&mut client, "late-1", 400).await;
            assert_eq!(refused["errorCode"], json!(code));
            assert_eq!(refused["info"]["credentialError"], json!(word));
            assert_eq!(refused["info"]["correlationId"], accepted["correlationId"]);
            assert!(refused["message"].as_str().is_some_and(|text| text.contains("verification")));
        }
    }
}

#[tokio::test]
async fn one_request_is_pending_at_a_time() {
    for (builder, conflict) in
        [(Emulator::builder(), 409_005), (Emulator::builder().older_renewal_errors(), 409_004)]
    {
        let device = Renewing::with(lab_with(builder).await).await;
        let mut client = device.online().await;
        let csr = Csr::new("d1").base64;
        device.inject(FaultKind::IssueLost);
        ask(&mut client, "lost-1", &body(&csr)).await;
        let accepted = expect(&mut client, "lost-1", 202).await;
        silence(&mut client).await;
        ask(&mut client, "other-1", &body(&csr)).await;
        let refused = expect(&mut client, "other-1", 409).await;
        assert_eq!(refused["errorCode"], json!(conflict));
        let info = json!({"correlationId": accepted["correlationId"], "requestId": "lost-1",
            "operationExpires": accepted["operationExpires"]});
        assert_eq!(refused["info"], info, "CS-T");
        // The same again is no other.
        ask(&mut client, "lost-1", &body(&csr)).await;
        assert_eq!(expect(&mut client, "lost-1", 202).await, accepted, "C-CERT: idempotent");
        ask(&mut client, "other-1", &replacing(&csr, "wrong-1")).await;
        let refused = expect(&mut client, "other-1", 412).await;
        assert_eq!(
            (&refused["errorCode"], &refused["info"]["requestId"]),
            (&json!(412_001), &json!("wrong-1"))
        );
        device.inject(FaultKind::IssueLost);
        ask(&mut client, "other-1", &replacing(&csr, "lost-1")).await;
        expect(&mut client, "other-1", 202).await;
        ask(&mut client, "other-2", &replacing(&csr, "*")).await;
        expect(&mut client, "other-2", 202).await;
        expect(&mut client, "other-2", 200).await;
        silence(&mut client).await;
    }
}

#[tokio::test]
async fn an_answer_waits_for_a_subscription() {
    let device =
        Renewing::with(lab_with(Emulator::builder().issuing_time(Duration::from_millis(200))).await).await;
    let csr = Csr::new("d1").base64;
    // CS-T: never subscribed, no answer.
    let mut client = device.dial().connect().await.expect("the hub lets in");
    ask(&mut client, "early-1", &body(&csr)).await;
    silence(&mut client).await;
    client.subscribe(FILTER).await;
    silence(&mut client).await;
    // CS-T: unsubscribed after 202, delivered after subscribing again.
    ask(&mut client, "held-1", &body(&csr)).await;
    expect(&mut client, "held-1", 202).await;
    client.sender.unsubscribe(FILTER).await.expect("room");
    client.until(|event| matches!(event, rumqttc::Event::Incoming(rumqttc::Incoming::UnsubAck(_)))).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    silence(&mut client).await;
    client.subscribe(FILTER).await;
    expect(&mut client, "held-1", 200).await;
    client.disconnect().await;
    // CS-T: reconnect with clean session 0; with 1 and a subscription; with 1 and none.
    let mut dial = device.dial();
    dial.clean_session = false;
    let mut client = dial.connect().await.expect("the hub lets in");
    client.subscribe(FILTER).await;
    ask(&mut client, "held-2", &body(&csr)).await;
    expect(&mut client, "held-2", 202).await;
    client.disconnect().await;
    let mut dial = device.dial();
    dial.clean_session = false;
    let mut client = dial.connect().await.expect("the hub lets in");
    expect(&mut client, "held-2", 200).await;
    ask(&mut client, "held-3", &body(&csr)).await;
    expect(&mut client, "held-3", 202).await;
    client.disconnect().await;
    let mut client = device.dial().connect().await.expect("the hub lets in");
    tokio::time::sleep(Duration::from_millis(300)).await;
    silence(&mut client).await;
    client.subscribe(FILTER).await;
    let first = expect(&mut client, "held-3", 200).await;
    // C-CERT: the answer was lost with a connection, and the same is asked for again.
    ask(&mut client, "held-3", &body(&csr)).await;
    expect(&mut client, "held-3", 202).await;
    assert_eq!(expect(&mut client, "held-3", 200).await, first);
}

#[tokio::test]
async fn a_request_is_discarded_when_its_time_is_over() {
    let now = DateTime::<Utc>::from_timestamp(1_795_000_000, 0).expect("a time");
    let clock = Arc::new(ManualClock::new(now));
    let lab = lab_with(Emulator::builder().clock(Arc::clone(&clock) as _)).await;
    let device = Renewing::with(lab).await;
    let mut client = device.online().await;
    let csr = Csr::new("d1").base64;
    device.inject(FaultKind::IssueSlow { delay: Duration::from_hours(1) });
    ask(&mut client, "over-1", &body(&csr)).await;
    let accepted = expect(&mut client, "over-1", 202).await;
    assert_eq!(accepted["operationExpires"], "2026-11-18T23:06:40.0000000Z", "CS-T: about 12 h ahead");
    client.disconnect().await;
    clock.advance(TimeDelta::hours(12));
    let mut client = device.online().await;
    silence(&mut client).await;
    ask(&mut client, "over-2", &body(&csr)).await;
    expect(&mut client, "over-2", 202).await;
    expect(&mut client, "over-2", 200).await;
}

#[tokio::test]
async fn what_a_connection_must_be_to_renew() {
    let device = Renewing::start().await;
    let csr = Csr::new("d1").base64;
    let mut events = device.lab.emulator.events();
    let mut client = device.lab.to_hub("d1", &device.credentials).connect().await.expect("the hub lets in");
    client.subscribe(FILTER).await;
    ask(&mut client, "version", &body(&csr)).await;
    let refused = expect(&mut client, "version", 400).await;
    assert_eq!(refused["errorCode"], json!(400_001), "JAVA");
    let told = event(&mut events, |kind| match kind {
        EventKind::CertificateRefused { error_code, .. } => Some(*error_code),
        _ => None,
    });
    assert_eq!(told.await, 400_001);
    // A device that DPS has given no certificate.
    set_policy(&device.lab, None);
    let onboarding = device.lab.credentials("d2");
    device.lab.register("d2", &onboarding).await;
    let mut dial = device.lab.to_hub("d2", &onboarding);
    dial.user_name = Some(format!("{HUB}/d2/?api-version=2025-08-01-preview"));
    let mut other = dial.connect().await.expect("the hub lets in");
    other.subscribe(FILTER).await;
    let asked = json!({"id": "d2", "csr": Csr::new("d2").base64}).to_string();
    ask(&mut other, "none", &asked).await;
    assert_eq!(expect(&mut other, "none", 412).await["errorCode"], json!(412_005));
    let mut client = device.online().await;
    // An ID that is none is not answered, and a topic without one ends the connection.
    ask(&mut client, "abc", &body(&csr)).await;
    silence(&mut client).await;
    client
        .publish_blindly("$iothub/credentials/POST/issueCertificate/?", rumqttc::QoS::AtLeastOnce, body(&csr))
        .await;
    client.ended().await;
    device.lab.emulator.namespace().delete_policy("fleet").expect("it is there");
    let mut client = device.online().await;
    ask(&mut client, "gone", &body(&csr)).await;
    assert_eq!(expect(&mut client, "gone", 412).await["errorCode"], json!(412_005));
}

#[tokio::test]
async fn renewal_fails_is_slow_or_is_throttled_as_asked_for() {
    let device = Renewing::start().await;
    let mut client = device.online().await;
    let csr = Csr::new("d1").base64;
    for (code, status, is_taken) in [
        (403_010, 403, false),
        (429_003, 429, false),
        (500_001, 500, false),
        (503_102, 503, false),
        (400_040, 400, true),
    ] {
        device.inject(FaultKind::IssueRefused { code });
        ask(&mut client, "bad-1", &body(&csr)).await;
        if is_taken {
            expect(&mut client, "bad-1", 202).await;
        }
        assert_eq!(expect(&mut client, "bad-1", status).await["errorCode"], json!(code));
    }
    device.inject(FaultKind::IssueSlow { delay: Duration::from_millis(300) });
    ask(&mut client, "slow", &body(&csr)).await;
    expect(&mut client, "slow", 202).await;
    silence(&mut client).await;
    expect(&mut client, "slow", 200).await;
    let fault = Fault {
        service: FaultyService::AnyHub,
        device: None,
        kind: FaultKind::Throttle { per_second: 1 },
        times: None,
    };
    device.lab.emulator.faults().inject(fault);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    ask(&mut client, "many-1", &body(&csr)).await;
    expect(&mut client, "many-1", 202).await;
    expect(&mut client, "many-1", 200).await;
    ask(&mut client, "many-2", &body(&csr)).await;
    let refused = expect(&mut client, "many-2", 429).await;
    assert_eq!((&refused["errorCode"], &refused["retryAfter"]), (&json!(429_002), &json!(1)));
}

#[tokio::test]
async fn a_restart_forgets_no_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder =
        || Emulator::builder().state_directory(directory.path()).issuing_time(Duration::from_millis(50));
    let device = Renewing::with(lab_with(builder()).await).await;
    let mut client = device.online().await;
    let csr = Csr::new("d1").base64;
    device.inject(FaultKind::IssueSlow { delay: Duration::from_millis(200) });
    ask(&mut client, "kept-1", &body(&csr)).await;
    let accepted = expect(&mut client, "kept-1", 202).await;
    client.disconnect().await;
    let Renewing { lab, credentials } = device;
    let (root, factory) = (lab.root, lab.factory);
    lab.emulator.shutdown().await;
    let emulator = builder().start().await.expect("it starts again");
    let device = Renewing { lab: Lab { emulator, root, factory }, credentials };
    let mut client = device.online().await;
    let issued = expect(&mut client, "kept-1", 200).await;
    assert_eq!(issued["correlationId"], accepted["correlationId"]);
    device.lab.emulator.shutdown().await;
}
