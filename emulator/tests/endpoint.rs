//! The built-in endpoint: `$management`, readers of partitions, consumer groups, and the way there from the hub's name.

#![allow(clippy::panic)]

use std::time::Duration;

use serde_json::json;
use tracker_amqp::{
    Attach, Body, Error, LinkId, Message, Outcome, Properties, SaslClient, Source, Target, Value, condition,
    get,
};
use tracker_emulator::{Emulator, EmulatorBuilder, Hub, Retention, Routing};

use crate::common::{Client, HUB, Lab, amqp::Amqp, service::Service};

const SELECTOR: &str = "apache.org:selector-filter:string";
const FROM_START: &str = "amqp.annotation.x-opt-offset > '-1'";

fn builder() -> EmulatorBuilder {
    Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).amqp_port(0)
}

async fn lab() -> Lab {
    Lab::with(builder().start().await.expect("it starts"))
}

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

/// A reader that has shown a token for the event hub.
async fn reader_of(lab: &Lab, policy: &str) -> Amqp {
    let host = hub(lab).event_hubs_host();
    let mut client = Amqp::connect(&lab.emulator, &host, None, Some(SaslClient::Mssbcbs)).await;
    let token = Service::of(&lab.emulator, "hub-1", policy).token();
    assert_eq!(client.put_token(&format!("sb://{host}/hub-1"), &token).await, 200);
    client
}

async fn reader(lab: &Lab) -> Amqp {
    reader_of(lab, "service").await
}

fn asked(group: &str, partition: usize, filter: &str) -> Attach {
    let address = format!("amqps://any.host:5671/hub-1/ConsumerGroups/{group}/Partitions/{partition}");
    let described = Value::described(Value::Ulong(0x468C_0000_0004), filter.into());
    let source = Source { filter: vec![(Value::symbol(SELECTOR), described)], ..Source::at(address) };
    Attach::receiver(format!("reader of {group} {partition} {filter}"), source, Target::at("here"))
}

fn with_epoch(attach: Attach, name: &str, epoch: i64) -> Attach {
    let properties = vec![(Value::symbol("com.microsoft:epoch"), Value::Long(epoch))];
    Attach { name: name.to_owned(), properties, ..attach }
}

async fn attach(client: &mut Amqp, attach: Attach) -> Result<LinkId, Error> {
    let link = client.attach(attach).await?;
    client.credit(link, 100).await;
    Ok(link)
}

async fn events(client: &mut Amqp, link: LinkId, count: usize) -> Vec<Message> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(client.message(link).await.1);
    }
    events
}

fn bodies(events: &[Message]) -> Vec<String> {
    let text = |event: &Message| {
        let body = event.body.to_bytes().expect("a data section");
        String::from_utf8(body.to_vec()).expect("text")
    };
    events.iter().map(text).collect()
}

fn annotation<'a>(event: &'a Message, name: &str) -> Option<&'a Value> {
    get(&event.message_annotations, name)
}

async fn publish(device: &mut Client, bag: &str, body: &str) {
    device.publish(&format!("devices/d1/messages/events/{bag}"), body).await;
}

/// Asks `$management`, and gives the status and the body of the answer.
async fn read(client: &mut Amqp, properties: &[(&str, &str)]) -> (i64, Value) {
    let receiver = client.receiver("$management", &[]).await.expect("a link from $management");
    let sender = client.sender("$management", &[]).await.expect("a link to $management");
    let question = Message {
        properties: Properties { message_id: Some(Value::Ulong(7)), ..Properties::default() },
        application_properties: properties
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        ..Message::default()
    };
    assert_eq!(client.send(sender, &question).await, Outcome::Accepted);
    let (_, answer) = client.message(receiver).await;
    assert_eq!(answer.properties.correlation_id, Some(Value::Ulong(7)), "of the same type");
    client.detach(sender).await;
    client.detach(receiver).await;
    let status = get(&answer.application_properties, "status-code").and_then(Value::as_i64);
    let Body::Value(body) = answer.body else { panic!("no value") };
    (status.expect("a status"), body)
}

/// The partition that has events.
async fn partition(client: &mut Amqp) -> usize {
    for partition in 0..4 {
        let number = partition.to_string();
        let asked = [
            ("operation", "READ"),
            ("name", "hub-1"),
            ("type", "com.microsoft:partition"),
            ("partition", &number),
        ];
        let (_, body) = read(client, &asked).await;
        if get(body.as_map().expect("a map"), "is_partition_empty") == Some(&Value::Bool(false)) {
            return partition;
        }
    }
    panic!("no partition has events");
}

#[tokio::test]
async fn management_tells_what_there_is() {
    let lab = lab().await;
    let mut client = reader(&lab).await;
    let hub = [("operation", "READ"), ("name", "hub-1"), ("type", "com.microsoft:eventhub")];
    let (status, body) = read(&mut client, &hub).await;
    let body = body.as_map().expect("a map");
    assert_eq!(status, 200);
    assert_eq!(get(body, "partition_count"), Some(&Value::Int(4)));
    let ids = ["0", "1", "2", "3"].map(Value::from);
    assert_eq!(get(body, "partition_ids"), Some(&Value::Array(ids.into())));
    assert!(matches!(get(body, "created_at"), Some(Value::Timestamp(_))));
    let partition = |number| {
        [("operation", "READ"), ("name", "hub-1"), ("type", "com.microsoft:partition"), ("partition", number)]
    };
    let (status, body) = read(&mut client, &partition("3")).await;
    let body = body.as_map().expect("a map").clone();
    assert_eq!(status, 200);
    assert_eq!(get(&body, "begin_sequence_number"), Some(&Value::Long(0)));
    assert_eq!(get(&body, "last_enqueued_sequence_number"), Some(&Value::Long(-1)));
    assert_eq!(get(&body, "last_enqueued_offset"), Some(&"-1".into()));
    assert_eq!(get(&body, "is_partition_empty"), Some(&Value::Bool(true)));
    for (question, status) in [
        (&partition("4")[..], 400),
        (&partition("x"), 400),
        (&[("operation", "READ"), ("name", "hub-9"), ("type", "com.microsoft:eventhub")], 404),
        (&[("operation", "READ"), ("name", "hub-1"), ("type", "com.microsoft:queue")], 400),
        (&[("operation", "DELETE"), ("name", "hub-1"), ("type", "com.microsoft:eventhub")], 400),
        (&[], 400),
    ] {
        assert_eq!(read(&mut client, question).await.0, status, "{question:?}");
    }
}

#[tokio::test]
async fn readers_get_what_devices_sent_byte_for_byte_from_where_they_say() {
    let lab = lab().await;
    let mut device = lab.online("d1").await;
    let odd = "{ \"b\":1,  \"a\":2.50 }";
    publish(
        &mut device,
        "%24.mid=m1&%24.cid=c1&%24.ct=application%2Fjson&%24.ce=utf-8&colour=red&alone",
        odd,
    )
    .await;
    publish(&mut device, "", "").await;
    publish(&mut device, "", "third").await;
    let mut client = reader(&lab).await;
    let partition = partition(&mut client).await;
    let link = attach(&mut client, asked("$Default", partition, FROM_START)).await.expect("a reader");
    let history = events(&mut client, link, 3).await;
    assert_eq!(bodies(&history), [odd, "", "third"]);
    let first = &history[0];
    for (name, value) in [
        ("iothub-connection-device-id", "d1".into()),
        ("iothub-message-source", "Telemetry".into()),
        (
            "iothub-connection-auth-method",
            r#"{"scope":"device","type":"x509","issuer":"external","acceptingIpFilterRule":null}"#.into(),
        ),
        (
            "iothub-connection-auth-generation-id",
            hub(&lab).device("d1").expect("there").generation_id.as_str().into(),
        ),
        ("x-opt-sequence-number", Value::Long(0)),
        ("x-opt-offset", "0".into()),
    ] {
        assert_eq!(annotation(first, name), Some(&value), "{name}");
    }
    assert!(matches!(annotation(first, "x-opt-enqueued-time"), Some(Value::Timestamp(_))));
    assert_eq!(first.properties.message_id, Some("m1".into()));
    assert_eq!(first.properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(first.application_properties, [("colour".into(), "red".into()), ("alone".into(), "".into())]);
    publish(&mut device, "", "live").await;
    assert_eq!(bodies(&events(&mut client, link, 1).await), ["live"], "what comes now, too");

    let of = |event: &Message, name: &str| match annotation(event, name) {
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.as_i64().expect("a number").to_string(),
        None => panic!("no {name}"),
    };
    let offset = of(&history[1], "x-opt-offset");
    for (filter, expected) in [
        (format!("amqp.annotation.x-opt-offset > '{offset}'"), &["third", "live"][..]),
        (format!("amqp.annotation.x-opt-offset >= '{offset}'"), &["", "third", "live"]),
        ("amqp.annotation.x-opt-sequence-number > '1'".into(), &["third", "live"]),
        ("amqp.annotation.x-opt-sequence-number >= '3'".into(), &["live"]),
        ("amqp.annotation.x-opt-enqueuedtimeutc > 0".into(), &[odd, "", "third", "live"]),
    ] {
        let link = attach(&mut client, asked("$default", partition, &filter)).await.expect("a reader");
        assert_eq!(bodies(&events(&mut client, link, expected.len()).await), expected, "{filter}");
        client.detach(link).await;
    }
    let latest = asked("$Default", partition, "amqp.annotation.x-opt-offset > '@latest'");
    let latest = attach(&mut client, latest).await.expect("a reader");
    publish(&mut device, "", "newest").await;
    assert_eq!(bodies(&events(&mut client, latest, 1).await), ["newest"]);
}

#[tokio::test]
async fn what_can_not_be_read_is_refused_in_words_that_clients_know() {
    let lab = lab().await;
    let mut client = reader(&lab).await;
    let mut refused = async |attach: Attach| {
        let error = client.attach(attach).await.expect_err("refused");
        (error.condition, error.description.unwrap_or_default())
    };
    let (name, text) = refused(asked("nobody", 0, FROM_START)).await;
    assert_eq!(name, condition::NOT_FOUND);
    assert!(
        text.starts_with("The messaging entity 'sb://iothub-ns-hub-1-")
            && text.contains("could not be found"),
        "{text}"
    );
    let (name, text) = refused(asked("$Default", 4, FROM_START)).await;
    assert_eq!(name, condition::ARGUMENT_OUT_OF_RANGE);
    assert!(text.contains("between 0 and 3"), "{text}");
    let (name, text) = refused(asked("$Default", 0, "colour = 'red'")).await;
    assert_eq!(name, condition::ARGUMENT_ERROR);
    assert!(text.contains("x-opt-sequence-number"), "{text}");
    let mut others = reader_of(&lab, "registryRead").await;
    let error = others.attach(asked("$Default", 0, FROM_START)).await.expect_err("no right");
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
    assert!(error.description.unwrap_or_default().contains("'Listen'"));
}

#[tokio::test]
async fn one_reader_with_an_epoch_or_five_without() {
    let lab = lab().await;
    let mut client = reader(&lab).await;
    let plain = |name: &str| Attach { name: name.to_owned(), ..asked("$Default", 0, FROM_START) };
    let mut five = Vec::new();
    for name in ["1", "2", "3", "4", "5"] {
        five.push(attach(&mut client, plain(name)).await.expect("room"));
    }
    let error = client.attach(plain("6")).await.expect_err("no room");
    assert_eq!(error.condition, condition::RESOURCE_LIMIT_EXCEEDED);
    let first = attach(&mut client, with_epoch(plain(""), "first", 1)).await.expect("goes before all");
    for link in five {
        assert_eq!(client.detached(link).await.expect("a reason").condition, condition::STOLEN);
    }
    for attach in [plain("7"), with_epoch(plain(""), "lower", 0)] {
        assert_eq!(client.attach(attach).await.expect_err("not beside it").condition, condition::STOLEN);
    }
    let second = attach(&mut client, with_epoch(plain(""), "second", 1)).await.expect("the newer one");
    assert_eq!(client.detached(first).await.expect("a reason").condition, condition::STOLEN);
    client.detach(second).await;
    attach(&mut client, plain("8")).await.expect("all have gone");
}

#[tokio::test]
async fn consumer_groups_are_made_and_deleted_by_rest() {
    let lab = lab().await;
    let owner = Service::hub(&lab.emulator);
    let body = r#"{"properties":{"name":"shop"}}"#;
    let made = owner.call("PUT", "/consumerGroups/shop", &[], body).await;
    assert_eq!((made.status, &made.body["properties"]["name"]), (200, &json!("shop")));
    let mut client = reader(&lab).await;
    let link = attach(&mut client, asked("SHOP", 0, FROM_START)).await.expect("a reader");
    let names: Vec<_> = owner.get("/consumerGroups").await.body["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| group["name"].clone())
        .collect();
    assert_eq!(names, ["$Default", "shop"]);
    assert_eq!(owner.call("DELETE", "/consumerGroups/Shop", &[], "").await.status, 204);
    assert_eq!(client.detached(link).await.expect("a reason").condition, condition::NOT_FOUND);
    for (method, path, body, status) in [
        ("GET", "/consumerGroups/shop", "", 404),
        ("DELETE", "/consumerGroups/shop", "", 404),
        ("DELETE", "/consumerGroups/$Default", "", 400),
        ("PUT", "/consumerGroups/-x", "", 400),
        ("PUT", "/consumerGroups/a", body, 400),
    ] {
        assert_eq!(owner.call(method, path, &[], body).await.status, status, "{method} {path}");
    }
    let reader = Service::of(&lab.emulator, "hub-1", "service");
    assert_eq!(reader.call("PUT", "/consumerGroups/a", &[], "").await.status, 401);
}

#[tokio::test]
async fn the_hubs_own_name_leads_to_the_endpoint() {
    let lab = lab().await;
    let token = Service::of(&lab.emulator, "hub-1", "iothubowner").token();
    let sasl = SaslClient::Plain { user: "iothubowner@sas.root.hub-1".into(), password: token };
    let mut client = Amqp::connect(&lab.emulator, HUB, None, Some(sasl)).await;
    let address = format!("amqps://{HUB}/messages/events/$management");
    let error = client.receiver(&address, &[]).await.expect_err("a redirection");
    assert_eq!(error.condition, condition::LINK_REDIRECT);
    let host = hub(&lab).event_hubs_host();
    let expected = [
        ("hostname", host.as_str().into()),
        ("network-host", host.as_str().into()),
        ("port", Value::Uint(5671)),
        ("address", format!("amqps://{host}/hub-1/").into()),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(name, value)| (Value::symbol(name), value)).collect();
    assert_eq!(error.info, expected);
    let mut device = lab.online("d1").await;
    publish(&mut device, "", "hello").await;
    let partition = partition(&mut client).await;
    let older = format!("amqps://{HUB}/messages/events/ConsumerGroups/$Default/Partitions/{partition}");
    let link = client.receiver(&older, &[]).await.expect("older clients do not go elsewhere");
    assert_eq!(bodies(&events(&mut client, link, 1).await), ["hello"]);
}

#[tokio::test]
async fn changes_of_twins_come_where_a_route_leads_them() {
    let lab = lab().await;
    let routing = json!({"routes": [{
        "name": "twins", "source": "TwinChangeEvents", "condition": "true", "endpointNames": ["events"], "isEnabled": true,
    }]});
    let routing: Routing = serde_json::from_value(routing).expect("a routing");
    hub(&lab).set_routing(routing).expect("taken");
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/twin/res/#").await;
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", r#"{"battery":55}"#).await;
    hub(&lab).update_twin_desired("d1", json!({"interval": 5})).expect("updated");
    let mut client = reader(&lab).await;
    let partition = partition(&mut client).await;
    let link = attach(&mut client, asked("$Default", partition, FROM_START)).await.expect("a reader");
    let told = events(&mut client, link, 2).await;
    for event in &told {
        assert_eq!(annotation(event, "iothub-connection-device-id"), Some(&"d1".into()));
        assert_eq!(annotation(event, "iothub-message-source"), Some(&"twinChangeEvents".into()));
        assert_eq!(get(&event.application_properties, "opType"), Some(&"updateTwin".into()));
        assert_eq!(event.properties.content_type.as_deref(), Some("application/json"));
    }
    let body = |event: &Message| -> serde_json::Value {
        serde_json::from_slice(&event.body.to_bytes().expect("bytes")).expect("JSON")
    };
    assert_eq!(body(&told[0])["properties"]["reported"]["battery"], 55);
    assert_eq!(body(&told[1])["properties"]["desired"]["interval"], 5);
}

#[tokio::test]
async fn a_reader_that_asks_for_it_hears_of_its_partition_and_large_events_come_in_parts() {
    let lab = lab().await;
    let mut device = lab.online("d1").await;
    let large = "x".repeat(200_000);
    publish(&mut device, "", &large).await;
    let mut client = reader(&lab).await;
    let partition = partition(&mut client).await;
    let wanted = vec!["com.microsoft:enable-receiver-runtime-metric".to_owned()];
    let asked = Attach { desired_capabilities: wanted, ..asked("$Default", partition, FROM_START) };
    let link = attach(&mut client, asked).await.expect("a reader");
    let event = client.message(link).await.1;
    assert_eq!(bodies(std::slice::from_ref(&event)), [large]);
    let told = &event.delivery_annotations;
    assert_eq!(get(told, "last_enqueued_sequence_number"), Some(&Value::Long(0)));
    assert_eq!(get(told, "last_enqueued_offset"), Some(&"0".into()));
    assert!(matches!(get(told, "runtime_info_retrieval_time_utc"), Some(Value::Timestamp(_))));
}

#[tokio::test]
async fn numbers_and_groups_outlive_a_restart_and_messages_do_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || async {
        let builder = builder().state_directory(directory.path());
        builder.start().await.expect("it starts")
    };
    let lab = Lab::with(start().await);
    let host = hub(&lab).event_hubs_host();
    hub(&lab).create_consumer_group("shop").expect("a group");
    let mut device = lab.online("d1").await;
    publish(&mut device, "", "before").await;
    let mut client = reader(&lab).await;
    let partition = partition(&mut client).await;
    let Lab { emulator, root, factory } = lab;
    emulator.shutdown().await;

    let lab = Lab { emulator: start().await, root, factory };
    assert_eq!(hub(&lab).event_hubs_host(), host);
    let mut client = reader(&lab).await;
    let checkpoint = asked("shop", partition, "amqp.annotation.x-opt-sequence-number > '0'");
    let link = attach(&mut client, checkpoint).await.expect("the group is there");
    let mut device = lab.online("d1").await;
    publish(&mut device, "", "after").await;
    let event = client.message(link).await.1;
    assert_eq!(bodies(std::slice::from_ref(&event)), ["after"]);
    assert_eq!(annotation(&event, "x-opt-sequence-number"), Some(&Value::Long(1)), "it goes on");
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_a_slow_reader_goes_on_with_the_oldest() {
    let retention = Retention { bytes: 1024 * 1024, ..Retention::default() };
    let lab = Lab::with(builder().retention(retention).start().await.expect("it starts"));
    let mut device = lab.online("d1").await;
    for number in 0..30 {
        publish(&mut device, "", &format!("{number}{}", " ".repeat(100_000))).await;
    }
    let mut client = reader(&lab).await;
    let partition = partition(&mut client).await;
    let link = attach(&mut client, asked("$Default", partition, FROM_START)).await.expect("a reader");
    let first = client.message(link).await.1;
    assert_eq!(annotation(&first, "x-opt-sequence-number"), Some(&Value::Long(20)));
}

#[tokio::test]
async fn connection_strings_name_the_endpoint() {
    let lab = lab().await;
    let strings = lab.emulator.connection_strings();
    let found = strings.iter().find(|string| string.service == hub(&lab).event_hubs_host());
    let found = found.expect("one of the endpoint");
    let port = lab.emulator.amqp_address().expect("AMQP").port();
    let named =
        format!("Endpoint=sb://{}:{port}/;SharedAccessKeyName=service;SharedAccessKey=", found.service);
    assert!(found.named.starts_with(&named) && found.named.ends_with(";EntityPath=hub-1"), "{}", found.named);
    assert!(found.local.starts_with(&format!("Endpoint=sb://localhost:{port}/;")), "{}", found.local);
}
