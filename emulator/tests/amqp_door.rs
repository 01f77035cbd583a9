//! The door of AMQP: signing in, tokens, what services may do there, and messages to devices with their feedback.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use serde_json::Value as Json;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tracker_amqp::{Body, LinkId, Message, Outcome, Properties, SaslClient, Value, condition, get};
use tracker_emulator::{
    Authentication, DeviceCapabilities, Emulator, EventKind, Hub, ManualClock, SymmetricKey,
};

use crate::common::{
    HUB, Lab, PATIENCE,
    amqp::Amqp,
    service::{Service, sas},
};

const FAR: i64 = 4_000_000_000;
const SEND: &str = "/messages/devicebound";
const FEEDBACK: &str = "/messages/serviceBound/feedback";

async fn lab() -> Lab {
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).amqp_port(0);
    Lab::with(builder.start().await.expect("it starts"))
}

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

fn policy(lab: &Lab, name: &str) -> Service {
    Service::of(&lab.emulator, "hub-1", name)
}

async fn plain(lab: &Lab, user: &str, password: &str) -> Result<Amqp, String> {
    let sasl = SaslClient::Plain { user: user.into(), password: password.into() };
    Amqp::try_connect(&lab.emulator, HUB, None, Some(sasl)).await
}

/// A service that has shown a token of this policy.
async fn service(lab: &Lab, name: &str) -> Amqp {
    let mut client = Amqp::connect(&lab.emulator, HUB, None, Some(SaslClient::Mssbcbs)).await;
    assert_eq!(client.put_token(&format!("https://{HUB}"), &policy(lab, name).token()).await, 200);
    client
}

fn to(device_id: &str, body: &str) -> Message {
    Message {
        properties: Properties {
            to: Some(format!("/devices/{device_id}/messages/devicebound")),
            message_id: Some(Value::String("m-1".into())),
            ..Properties::default()
        },
        body: Body::data(body.to_owned()),
        ..Message::default()
    }
}

fn create(lab: &Lab, device_id: &str) {
    hub(lab)
        .create_device(device_id, Authentication::sas(SymmetricKey::default()), DeviceCapabilities::default())
        .expect("a new device");
}

fn condition_of(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rejected(Some(error)) => error.condition,
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn services_sign_in_by_every_way_that_clients_have() {
    let lab = lab().await;
    create(&lab, "d");
    let owner = policy(&lab, "iothubowner");
    let service = policy(&lab, "service");
    let ways = [
        ("iothubowner@sas.root.hub-1".to_owned(), owner.token()),
        ("service@sas.root.hub-1".to_owned(), service.token()),
        ("service".to_owned(), service.key.clone()),
    ];
    for (user, password) in &ways {
        let mut client = plain(&lab, user, password).await.expect("let in");
        let link = client.sender(SEND, &[]).await.expect("a link");
        assert_eq!(client.send(link, &to("d", "x")).await, Outcome::Accepted, "{user}");
        client.close().await;
    }
    for sasl in [None, Some(SaslClient::Mssbcbs), Some(SaslClient::Anonymous), Some(SaslClient::External)] {
        for host in [HUB, "localhost", "hub-1.service.azure-devices.net"] {
            let mut client = Amqp::connect(&lab.emulator, host, None, sasl.clone()).await;
            assert_eq!(client.put_token(HUB, &owner.token()).await, 200, "{sasl:?} at {host}");
            let link = client.sender(&format!("amqps://{host}{SEND}"), &[]).await.expect("a link");
            assert_eq!(client.send(link, &to("d", "x")).await, Outcome::Accepted);
            client.close().await;
        }
    }
    assert_eq!(hub(&lab).device("d").expect("it is there").cloud_to_device_message_count, 15);
}

#[tokio::test]
async fn who_signs_in_wrongly_is_refused_and_no_secret_is_repeated() {
    let lab = lab().await;
    let owner = policy(&lab, "iothubowner");
    let mut events = lab.emulator.events();
    let wrong_key = STANDARD.encode([7; 32]);
    let token = |key: &str, resource: &str, expiry| sas(resource, key, expiry, Some("iothubowner"));
    let tries = [
        ("iothubowner@sas.root.hub-1", token(&wrong_key, HUB, FAR)),
        ("iothubowner@sas.root.hub-1", token(&owner.key, HUB, 1)),
        ("iothubowner@sas.root.hub-1", token(&owner.key, "other.azure-devices.net", FAR)),
        ("iothubowner@sas.root.hub-7", token(&owner.key, HUB, FAR)),
        ("iothubowner@sas.root.hub-1", "nonsense".into()),
        ("iothubowner", wrong_key.clone()),
        ("nobody", owner.key.clone()),
        ("", owner.key.clone()),
    ];
    for (user, password) in &tries {
        assert!(plain(&lab, user, password).await.is_err(), "{user}");
        let reason = loop {
            let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("in time").expect("kept");
            if let EventKind::ConnectionRefused { reason, .. } = &event.kind {
                break reason.clone();
            }
        };
        assert!(reason.starts_with("SASL PLAIN:"), "{reason}");
        assert!(!reason.contains(password.as_str()) && !reason.contains("sig="), "{reason}");
    }
}

#[tokio::test]
async fn tokens_count_in_every_form_and_are_refused_with_401() {
    let lab = lab().await;
    create(&lab, "d");
    let owner = policy(&lab, "iothubowner");
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let token = |resource: &str| sas(resource, &owner.key, FAR, Some("iothubowner"));
    let devices = format!("{HUB}/devices/d");
    for (audience, resource) in [
        (HUB.to_owned(), HUB.to_owned()),
        (HUB.to_uppercase(), HUB.to_owned()),
        (format!("https://{HUB}"), HUB.to_owned()),
        (format!("amqps://{HUB}:5671/messages"), HUB.to_owned()),
        (format!("sb://{HUB}/hub-1"), format!("sb://{HUB}/hub-1")),
        (devices.replace('/', "%2F"), devices.clone()),
    ] {
        assert_eq!(client.put_token(&audience, &token(&resource)).await, 200, "{audience}");
    }
    // As az escapes, and as clients of Event Hubs sign.
    let lower = owner.token().replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
    assert_eq!(client.put_token(HUB, &lower).await, 200);
    let key = hmac::Key::new(hmac::HMAC_SHA256, owner.key.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{HUB}\n{FAR}").as_bytes()));
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let by_text = format!("SharedAccessSignature sr={HUB}&sig={signature}&se={FAR}&skn=iothubowner");
    assert_eq!(client.put_token(HUB, &by_text).await, 200);

    for (audience, token) in [
        (HUB, sas(HUB, &STANDARD.encode([7; 32]), FAR, Some("iothubowner"))),
        (HUB, sas(HUB, &owner.key, 1, Some("iothubowner"))),
        (HUB, sas("hub-2.azure-devices.net", &owner.key, FAR, Some("iothubowner"))),
        ("hub-2.azure-devices.net", owner.token()),
        (&format!("{HUB}/devices/e"), token(&devices)),
        (HUB, sas(HUB, &owner.key, FAR, None)),
        (HUB, "Bearer abc".into()),
        (HUB, String::new()),
    ] {
        assert_eq!(client.put_token(audience, &token).await, 401, "{audience} {token}");
    }
}

#[tokio::test]
async fn rights_are_asked_for_and_what_is_not_there_is_refused_by_name() {
    let lab = lab().await;
    let mut stranger = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let mut reader = service(&lab, "registryRead").await;
    for client in [&mut stranger, &mut reader] {
        for refused in [client.sender(SEND, &[]).await, client.receiver(FEEDBACK, &[]).await] {
            assert_eq!(refused.expect_err("refused").condition, condition::UNAUTHORIZED_ACCESS);
        }
    }
    let mut client = service(&lab, "service").await;
    for (refused, wanted) in [
        (client.receiver(SEND, &[]).await, condition::NOT_ALLOWED),
        (client.sender(FEEDBACK, &[]).await, condition::NOT_ALLOWED),
        (client.sender("/messages/elsewhere", &[]).await, condition::NOT_FOUND),
        (client.receiver("", &[]).await, condition::NOT_FOUND),
    ] {
        let error = refused.expect_err("refused");
        assert_eq!(error.condition, wanted, "{error}");
        assert!(error.description.is_some_and(|text| text.contains("TrackingId:")));
    }
    let files = client.receiver("/messages/serviceBound/fileNotifications", &[]).await;
    assert!(files.is_ok(), "services listen for files that nobody uploads");
}

#[tokio::test]
async fn messages_reach_devices_and_those_that_do_not_are_refused_by_name() {
    let lab = lab().await;
    let mut device = lab.online("d").await;
    device.subscribe("devices/d/messages/devicebound/#").await;
    let mut client = service(&lab, "service").await;
    let link = client.sender(SEND, &[]).await.expect("a link");
    let mut message = to("d", "hello");
    message.properties.message_id = Some(Value::Uuid([0xab; 16]));
    message.properties.correlation_id = Some(Value::Ulong(7));
    message.properties.content_type = Some("text/plain".into());
    message.application_properties = vec![("a".into(), "1".into()), ("n".into(), Value::Int(-3))];
    assert_eq!(client.send(link, &message).await, Outcome::Accepted);
    let (topic, body) = device.message().await;
    for part in
        ["%24.mid=abababab-abab-abab-abab-abababababab", "%24.cid=7", "%24.ct=text%2Fplain", "a=1", "n=-3"]
    {
        assert!(topic.contains(part), "{part} in {topic}");
    }
    assert_eq!(body, b"hello");

    create(&lab, "full");
    for _ in 0..50 {
        assert_eq!(client.send(link, &to("full", "x")).await, Outcome::Accepted);
    }
    let mut ack = to("d", "x");
    ack.application_properties = vec![("iothub-ack".into(), "sometimes".into())];
    let nowhere = Message { properties: Properties::default(), ..to("d", "x") };
    let module = Message {
        properties: Properties {
            to: Some("/devices/d/modules/m/messages/devicebound".into()),
            ..Properties::default()
        },
        ..to("d", "x")
    };
    let list = Message { body: Body::Value(Value::List(Vec::new())), ..to("d", "x") };
    for (message, wanted) in [
        (to("full", "x"), condition::RESOURCE_LIMIT_EXCEEDED),
        (to("nobody", "x"), condition::NOT_FOUND),
        (to("d", &"x".repeat(70_000)), condition::MESSAGE_SIZE_EXCEEDED),
        (ack, condition::INVALID_FIELD),
        (nowhere, condition::INVALID_FIELD),
        (module, condition::NOT_ALLOWED),
        (list, condition::INVALID_FIELD),
    ] {
        assert_eq!(condition_of(client.send(link, &message).await), wanted);
    }
    let mut late = to("full", "x");
    late.properties.absolute_expiry_time = Some(1000);
    hub(&lab).purge_messages("full").expect("it is there");
    assert_eq!(client.send(link, &late).await, Outcome::Accepted);
}

/// The records of a batch of feedback.
fn records(message: &Message) -> Vec<Json> {
    serde_json::from_slice(&message.body.to_bytes().expect("data")).expect("JSON")
}

#[tokio::test]
async fn feedback_goes_out_until_somebody_has_accepted_it() {
    let lab = lab().await;
    create(&lab, "d");
    let mut client = service(&lab, "service").await;
    let sender = client.sender(SEND, &[]).await.expect("a link");
    let send = async |client: &mut Amqp, id: &str| {
        let mut message = to("d", "x");
        message.properties.message_id = Some(id.into());
        message.application_properties = vec![("iothub-ack".into(), "full".into())];
        assert_eq!(client.send(sender, &message).await, Outcome::Accepted);
    };
    let feedback: LinkId = client.receiver("/messages/servicebound/feedback", &[]).await.expect("a link");
    send(&mut client, "first").await;
    hub(&lab).purge_messages("d").expect("it is there");
    let (delivery, batch) = client.message(feedback).await;
    let [record] = &records(&batch)[..] else { panic!("{batch:?}") };
    assert_eq!((&record["originalMessageId"], &record["statusCode"]), (&"first".into(), &"Purged".into()));
    assert_eq!(record["deviceId"], "d");
    client.settle(feedback, delivery, Outcome::Released).await;
    let (delivery, again) = client.message(feedback).await;
    assert_eq!(records(&again), records(&batch));
    client.settle(feedback, delivery, Outcome::Accepted).await;

    send(&mut client, "second").await;
    hub(&lab).purge_messages("d").expect("it is there");
    let (_, batch) = client.message(feedback).await;
    assert_eq!(records(&batch)[0]["originalMessageId"], "second");
    // It goes without a word; the next one gets what it had.
    client.close().await;
    let mut client = service(&lab, "iothubowner").await;
    let feedback = client.receiver(FEEDBACK, &[]).await.expect("a link");
    let (_, batch) = client.message(feedback).await;
    assert_eq!(records(&batch)[0]["originalMessageId"], "second");
}

#[tokio::test]
async fn links_end_when_their_token_has_expired_and_live_on_with_a_new_one() {
    let now = DateTime::<Utc>::from_timestamp(2_000_000_000, 0).expect("in range");
    let clock = Arc::new(ManualClock::new(now));
    let builder = Emulator::builder().clock(Arc::clone(&clock) as Arc<_>).amqp_port(0);
    let lab = Lab::with(builder.start().await.expect("it starts"));
    create(&lab, "d");
    let owner = policy(&lab, "iothubowner");
    let token = |hours| {
        let expiry = (now + TimeDelta::hours(hours)).timestamp();
        sas(HUB, &owner.key, expiry, Some("iothubowner"))
    };
    let mut renewing = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let mut careless = Amqp::connect(&lab.emulator, HUB, None, None).await;
    for client in [&mut renewing, &mut careless] {
        assert_eq!(client.put_token(HUB, &token(1)).await, 200);
    }
    let kept = renewing.sender(SEND, &[]).await.expect("a link");
    let lost = careless.sender(SEND, &[]).await.expect("a link");
    assert_eq!(renewing.put_token(HUB, &token(10)).await, 200);
    clock.advance(TimeDelta::hours(2));
    assert_eq!(careless.detached(lost).await.expect("a reason").condition, condition::UNAUTHORIZED_ACCESS);
    assert_eq!(renewing.send(kept, &to("d", "x")).await, Outcome::Accepted);
    assert_eq!(careless.put_token(HUB, &token(10)).await, 200, "the connection itself lives on");
    assert!(careless.sender(SEND, &[]).await.is_ok());
}

#[tokio::test]
async fn a_shutdown_ends_all_and_frees_the_port() {
    let lab = lab().await;
    let address = lab.emulator.amqp_address().expect("a port");
    let client = service(&lab, "service").await;
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    tokio::time::timeout(PATIENCE, lab.emulator.shutdown()).await.expect("it ends");
    assert!(client.ended().await.contains("forced"));
    let mut byte = [0];
    assert!(!matches!(silent.read(&mut byte).await, Ok(1)));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn answers_of_cbs_have_the_type_of_the_question() {
    let lab = lab().await;
    let token = policy(&lab, "service").token();
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let sender = client.sender("$cbs", &[]).await.expect("a link");
    let receiver = client.receiver("$cbs", &[]).await.expect("a link");
    for id in [Value::Ulong(0), Value::Uuid([3; 16]), Value::String("x".into())] {
        for (operation, status) in [("put-token", 200), ("delete-token", 400)] {
            let message = Message {
                properties: Properties { message_id: Some(id.clone()), ..Properties::default() },
                application_properties: vec![
                    ("operation".into(), operation.into()),
                    ("name".into(), HUB.into()),
                ],
                body: Body::Value(token.as_str().into()),
                ..Message::default()
            };
            assert_eq!(client.send(sender, &message).await, Outcome::Accepted);
            let (_, answer) = client.message(receiver).await;
            assert_eq!(answer.properties.correlation_id, Some(id.clone()));
            assert_eq!(get(&answer.application_properties, "status-code"), Some(&Value::Int(status)));
        }
    }
}
