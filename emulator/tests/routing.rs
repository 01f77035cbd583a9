//! Message routing: where messages and notices go, and what becomes of them when an endpoint fails.

use std::time::Duration;

use crate::common::{Lab, PATIENCE, receiver::Receiver, service::Service};
use serde_json::{Value, json};
use tracker_emulator::{Authentication, DeviceCapabilities, Emulator, Hub, IfMatch, Routing, SymmetricKey};

const ALARM: &str = "devices/d1/messages/events/$.ct=application%2Fjson&$.ce=utf-8&alarm=tooWarm";
const PLAIN: &str = "devices/d1/messages/events/$.ct=application%2Fjson&$.ce=utf-8";

async fn lab(files: &std::path::Path) -> Lab {
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).files_directory(files);
    Lab::with(builder.first_redelivery(Duration::from_millis(5)).start().await.expect("it starts"))
}

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

fn routing(value: Value) -> Routing {
    serde_json::from_value(value).expect("a routing")
}

fn webhook(url: &str) -> Value {
    json!({"name": "hook", "url": url, "deadLetterFile": "dead.jsonl", "retryPolicy": {"maxDeliveryAttempts": 4}})
}

fn route(source: &str, condition: &str, endpoint: &str) -> Value {
    let name = format!("{source}-{endpoint}");
    json!({"name": name, "source": source, "condition": condition, "endpointNames": [endpoint]})
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_message_takes_the_routes_that_hold_and_falls_back_where_none_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = lab(directory.path()).await;
    let mut receiver = Receiver::start().await;
    let hub = hub(&lab);
    let mut device = lab.online("d1").await;
    let mut again = route("DeviceMessages", "$body.temperature > 5", "hook");
    again["name"] = json!("again");
    let mut off = route("DeviceMessages", "true", "all");
    off["isEnabled"] = json!(false);
    hub.set_routing(routing(json!({
        "endpoints": {"webhooks": [webhook(&receiver.url)], "files": [{"name": "all", "file": "in/all.jsonl"}]},
        "routes": [
            route("DeviceMessages", "alarm = 'tooWarm' AND $twin.tags.environment = 'lab'", "hook"), again, off,
        ],
        "enrichments": [
            {"key": "site", "value": "$twin.tags.environment", "endpointNames": ["hook", "events"]},
            {"key": "hub", "value": "$iothubname", "endpointNames": ["hook"]},
        ],
    })))
    .expect("a good routing");
    let mut events = hub.telemetry();
    device.publish(ALARM, r#"{"temperature": 9}"#).await;
    device.publish(PLAIN, r#"{"temperature": 1}"#).await;
    device.publish(PLAIN, r#"{"temperature": 6}"#).await;

    let posted = receiver.first(2).await;
    assert_eq!(posted[0].path, "/hook?code=secret");
    let record = &posted[0].body;
    assert_eq!(record["Body"], json!({"temperature": 9}));
    assert_eq!(record["Properties"], json!({"alarm": "tooWarm", "site": "lab", "hub": "hub-1"}));
    let system = &record["SystemProperties"];
    assert_eq!(
        (&system["connectionDeviceId"], &system["contentType"], &system["enqueuedTime"]),
        (&json!("d1"), &json!("application/json"), &record["EnqueuedTimeUtc"])
    );
    assert!(
        system["connectionAuthMethod"].as_str().is_some_and(|method| method.contains("x509")),
        "{system}"
    );
    assert_eq!(posted[1].body["Body"], json!({"temperature": 6}));
    let fallen = events.next().await.expect("one falls back");
    assert_eq!((fallen.sequence_number, fallen.body.as_ref()), (1, r#"{"temperature": 1}"#.as_bytes()));
    assert_eq!(fallen.properties.get("site"), Some("lab"), "the built-in endpoint is stamped too");
    assert_eq!(events.try_next(), Ok(None), "what a route has taken does not fall back");
    assert_eq!(hub.counters("d1").expect("d1").received, 3);
    assert!(!directory.path().join("in/all.jsonl").exists(), "a route that is not enabled takes nothing");

    // Without a fallback, what no route takes is dropped; a file gets what is not JSON in base64.
    hub.set_routing(routing(json!({
        "endpoints": {"files": [{"name": "all", "file": "in/all.jsonl"}]},
        "routes": [route("DeviceMessages", "NOT is_defined(alarm)", "all")],
        "fallbackRoute": {"isEnabled": false},
    })))
    .expect("a good routing");
    device.publish(ALARM, "{}").await;
    device.publish("devices/d1/messages/events/x=1", "bytes").await;
    device.publish(PLAIN, "{}").await;
    let file = directory.path().join("in/all.jsonl");
    until("two lines", || lines(&file).len() == 2).await;
    assert_eq!(lines(&file)[0]["Body"], "Ynl0ZXM=");
    assert_eq!((&lines(&file)[0]["Properties"]["x"], &lines(&file)[1]["Body"]), (&json!("1"), &json!({})));
    assert_eq!(events.try_next(), Ok(None));
}

#[tokio::test]
async fn what_fails_is_repeated_in_order_and_what_never_succeeds_is_a_dead_letter() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = lab(directory.path()).await;
    let of = |posted: &crate::common::receiver::Posted| posted.body["Body"]["n"].as_u64().unwrap_or_default();
    let mut receiver = Receiver::answering(move |number, posted| match (of(posted), number) {
        (1, 0 | 1) => (503, Value::Null),
        (3, _) => (400, Value::Null),
        (4, _) => (500, Value::Null),
        _ => (204, Value::Null),
    })
    .await;
    let hub = hub(&lab);
    let mut device = lab.online("d1").await;
    hub.set_routing(routing(json!({
        "endpoints": {"webhooks": [webhook(&receiver.url)]},
        "routes": [route("DeviceMessages", "true", "hook")],
    })))
    .expect("a good routing");
    for n in 1..=5 {
        device.publish(PLAIN, json!({"n": n}).to_string()).await;
    }
    let posted = receiver.first(10).await;
    let order: Vec<_> = posted.iter().map(of).collect();
    assert_eq!(order, [1, 1, 1, 2, 3, 4, 4, 4, 4, 5]);
    let dead = directory.path().join("dead.jsonl");
    until("two dead letters", || lines(&dead).len() == 2).await;
    let dead = lines(&dead);
    let reasons = ["deadLetterReason", "lastDeliveryOutcome", "deliveryAttempts"];
    let told = |letter: &Value| json!(reasons.map(|reason| letter[reason].clone()));
    assert_eq!((dead[0]["Body"]["n"].as_u64(), dead[1]["Body"]["n"].as_u64()), (Some(3), Some(4)));
    assert_eq!(told(&dead[0]), json!(["UndeliverableDueToClientError", "HTTP 400", 1]));
    assert_eq!(told(&dead[1]), json!(["MaxDeliveryAttemptsExceeded", "HTTP 500", 4]));

    let service = Service::hub(&lab.emulator);
    let mut health = service.get("/routingEndpointsHealth").await.body["value"][0].take();
    while health["delivered"] != 3 {
        health = service.get("/routingEndpointsHealth").await.body["value"][0].take();
    }
    assert_eq!(
        json!([
            health["endpointId"],
            health["healthStatus"],
            health["waiting"],
            health["deadLetters"],
            health["lost"]
        ]),
        json!(["hook", "healthy", 0, 2, 0])
    );
}

#[tokio::test]
async fn a_hub_tells_of_twins_identities_and_connections() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = lab(directory.path()).await;
    let hub = hub(&lab);
    let mut of_events = route("DeviceLifecycleEvents", "opType = 'createDeviceIdentity'", "events");
    of_events["name"] = json!("created");
    hub.set_routing(routing(json!({
        "endpoints": {"files": [{"name": "told", "file": "told.jsonl"}]},
        "routes": [
            of_events,
            route("DeviceLifecycleEvents", "true", "told"),
            route("DeviceConnectionStateEvents", "deviceId = \"d1\"", "told"),
            route("TwinChangeEvents", "is_defined($body.properties.desired.interval) OR opType = 'replaceTwin' OR \
                   is_defined($body.properties.reported.battery) OR is_defined($body.tags)", "told"),
        ],
    })))
    .expect("a good routing");
    let mut events = hub.telemetry();
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/twin/res/#").await;
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", r#"{"battery": 55}"#).await;
    hub.update_twin_desired("d1", json!({"interval": 5})).expect("updated");
    hub.update_twin_desired("d1", json!({"other": 5})).expect("updated");
    let tags = |value: Value| tracker_emulator::TwinPatch { tags: value.as_object().cloned(), desired: None };
    hub.update_twin("d1", tags(json!({"ship": "Anna"})), &IfMatch::Any).expect("updated");
    hub.replace_twin("d1", tags(json!({"ship": "Berta"})), &IfMatch::Any).expect("replaced");
    device.disconnect().await;
    let file = directory.path().join("told.jsonl");
    until("it is told that it left", || lines(&file).len() == 7).await;
    hub.delete("d1").expect("deleted");
    until("it is told that it went", || lines(&file).len() == 8).await;

    let told = lines(&file);
    let operations: Vec<_> = told.iter().filter_map(|line| line["Properties"]["opType"].as_str()).collect();
    assert_eq!(
        operations,
        [
            "createDeviceIdentity",
            "deviceConnected",
            "updateTwin",
            "updateTwin",
            "updateTwin",
            "replaceTwin",
            "deviceDisconnected",
            "deleteDeviceIdentity",
        ]
    );
    let properties = &told[1]["Properties"];
    assert_eq!(
        json!([properties["hubName"], properties["deviceId"], properties["iothub-message-schema"]]),
        json!(["hub-1", "d1", "deviceConnectionStateNotification"])
    );
    let sequence = |line: &Value| line["Body"]["sequenceNumber"].as_str().map(str::to_owned);
    assert!(sequence(&told[1]) < sequence(&told[6]), "{told:?}");
    assert_eq!(told[0]["Body"]["properties"]["desired"]["telemetryInterval"], 5);
    assert_eq!(told[2]["Body"]["properties"]["reported"]["battery"], 55);
    let desired = &told[3]["Body"]["properties"]["desired"];
    assert_eq!(
        (&desired["interval"], &desired["$metadata"]["interval"]["$lastUpdatedVersion"]),
        (&json!(5), &desired["$version"])
    );
    assert_eq!(desired["telemetryInterval"], Value::Null, "what has not changed is not told");
    assert_eq!(told[4]["Body"]["tags"], json!({"ship": "Anna"}));
    assert_eq!(
        (&told[5]["Body"]["tags"], &told[5]["Body"]["deviceId"]),
        (&json!({"ship": "Berta"}), &json!("d1"))
    );
    assert_eq!(told[7]["SystemProperties"]["iothub-message-source"], "deviceLifecycleEvents");

    let created = events.next().await.expect("one is for events");
    assert_eq!(created.properties.get("opType"), Some("createDeviceIdentity"));
    assert_eq!(created.system_properties()["iothub-message-source"], "deviceLifecycleEvents");
    assert_eq!(events.try_next(), Ok(None));
}

#[tokio::test]
async fn routing_and_what_waits_outlive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || async {
        let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO);
        let builder = builder.state_directory(directory.path()).first_redelivery(Duration::from_mins(1));
        builder.start().await.expect("it starts")
    };
    let lab = Lab::with(start().await);
    let hub = hub(&lab);
    let given = routing(json!({
        "endpoints": {"webhooks": [{"name": "hook", "url": Receiver::nobody().await}]},
        "routes": [route("DeviceMessages", "true", "hook")],
    }));
    hub.set_routing(given.clone()).expect("a good routing");
    let mut device = lab.online("d1").await;
    device.publish(PLAIN, r#"{"n": 1}"#).await;
    device.publish(PLAIN, r#"{"n": 2}"#).await;
    device.disconnect().await;
    let Lab { emulator, root, factory } = lab;
    emulator.shutdown().await;

    let lab = Lab { emulator: start().await, root, factory };
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    assert_eq!(hub.routing(), given);
    let mut receiver = Receiver::start().await;
    let mut moved = hub.routing();
    moved.endpoints.webhooks[0].url.clone_from(&receiver.url);
    hub.set_routing(moved).expect("a good routing");
    let posted = receiver.first(2).await;
    assert_eq!((&posted[0].body["Body"]["n"], &posted[1].body["Body"]["n"]), (&json!(1), &json!(2)));
    lab.emulator.shutdown().await;
}

/// Seeds of the webhook's moods.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

#[tokio::test]
async fn whatever_the_webhook_does_all_arrives_and_of_each_device_in_order() {
    for seed in SEEDS {
        let directory = tempfile::tempdir().expect("a directory");
        let start = || {
            let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO);
            builder.state_directory(directory.path()).first_redelivery(Duration::from_micros(200)).start()
        };
        // A generator of few bits will do: some requests are refused, and of those that are taken some are said to be refused.
        let mut receiver = Receiver::answering(move |number, _| {
            let mixed = (number as u64 + 1).wrapping_mul(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            (if mixed >> 61 < 3 { 503 } else { 200 }, Value::Null)
        })
        .await;
        let mut lab = Lab::with(start().await.expect("it starts"));
        hub(&lab)
            .set_routing(routing(json!({
                "endpoints": {"webhooks": [{"name": "hook", "url": receiver.url}]},
                "routes": [route("DeviceMessages", "true", "hook")],
            })))
            .expect("a good routing");
        for part in 0..3_u64 {
            let mut devices = [lab.online("d1").await, lab.online("d2").await];
            for n in part * 10..part * 10 + 10 {
                for (device, id) in devices.iter_mut().zip(["d1", "d2"]) {
                    let topic = format!("devices/{id}/messages/events/$.ct=application%2Fjson&$.ce=utf-8");
                    device.publish(&topic, json!({"n": n}).to_string()).await;
                }
            }
            let [first, second] = devices;
            first.disconnect().await;
            second.disconnect().await;
            let Lab { emulator, root, factory } = lab;
            emulator.shutdown().await;
            lab = Lab { emulator: start().await.expect("it starts again"), root, factory };
        }
        let numbers = |posted: &[crate::common::receiver::Posted], id: &str| {
            let mut numbers: Vec<u64> = Vec::new();
            for record in posted.iter().map(|posted| &posted.body) {
                let n = record["Body"]["n"].as_u64().expect("a number");
                if record["SystemProperties"]["connectionDeviceId"] == id && !numbers.contains(&n) {
                    numbers.push(n);
                }
            }
            numbers
        };
        let mut count = 60;
        let posted = loop {
            let posted = receiver.first(count).await;
            if ["d1", "d2"].iter().all(|id| numbers(&posted, id).len() == 30) {
                break posted;
            }
            count = posted.len() + 1;
        };
        for id in ["d1", "d2"] {
            assert_eq!(numbers(&posted, id), (0..30).collect::<Vec<_>>(), "{id}, seed {seed}");
        }
        lab.emulator.shutdown().await;
    }
}

#[tokio::test]
async fn routing_is_shown_changed_and_tried_by_rest() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = lab(directory.path()).await;
    let service = Service::hub(&lab.emulator);
    let shown = service.get("/routing").await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body["properties"]["routing"]["fallbackRoute"]["endpointNames"], json!(["events"]));
    let etag = shown.header("etag").expect("an etag").to_owned();
    let body = json!({"properties": {"routing": {
        "endpoints": {"files": [{"name": "alarms", "file": "alarms.jsonl"}], "eventHubs": []},
        "routes": [route("DeviceMessages", "alarm = 'tooWarm'", "alarms"), route("TwinChangeEvents", "true", "alarms")],
    }}});
    let put = service.call("PUT", "/routing", &[("If-Match", &etag)], &body.to_string()).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let stale = service.call("PUT", "/routing", &[("If-Match", &etag)], &body.to_string()).await;
    assert_eq!(stale.status, 412);
    assert_eq!(service.get("/routing").await.body["properties"], put.body["properties"]);

    let message = json!({"body": "{\"t\": 9}", "appProperties": {"alarm": "tooWarm"},
        "systemProperties": {"contentType": "application/json", "contentEncoding": "utf-8"}});
    let all = json!({"routingSource": "DeviceMessages", "message": message}).to_string();
    let all = service.call("POST", "/routing/routes/$testall", &[], &all).await;
    assert_eq!(all.body["routes"][0]["properties"]["name"], "DeviceMessages-alarms", "{}", all.body);
    assert_eq!(all.body["routes"].as_array().map(Vec::len), Some(1));
    for (condition, result, error) in [
        ("$body.t > 5 AND $twin.tags.a = 1", "true", None),
        ("$body.t > 50", "false", None),
        ("$body.other > 50", "undefined", None),
        ("$body.t >", "undefined", Some("the text ends too early")),
    ] {
        let trial = json!({"route": route("DeviceMessages", condition, "events"), "message": message,
            "twin": {"tags": {"a": 1}}});
        let answer = service.call("POST", "/routing/routes/$testnew", &[], &trial.to_string()).await;
        assert_eq!(answer.body["result"], result, "{condition}: {}", answer.body);
        assert_eq!(answer.body["details"]["compilationErrors"][0]["message"].as_str(), error, "{condition}");
    }
    let reader = Service::of(&lab.emulator, "hub-1", "registryRead");
    assert_eq!(reader.get("/routing").await.status, 200);
    assert_eq!(reader.call("PUT", "/routing", &[], &body.to_string()).await.status, 401);
}

#[tokio::test]
async fn what_is_wrong_with_a_routing_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = lab(directory.path()).await;
    let service = Service::hub(&lab.emulator);
    let endpoints =
        json!({"webhooks": [webhook("http://localhost/x")], "files": [{"name": "f", "file": "f.jsonl"}]});
    let with_route = |route: Value| json!({"endpoints": endpoints, "routes": [route]});
    let with_file = |file: &str| json!({"endpoints": {"files": [{"name": "f", "file": file}]}});
    let with_hook = |member: &str, value: Value| {
        let mut hook = webhook("http://localhost/x");
        hook[member] = value;
        json!({"endpoints": {"webhooks": [hook]}})
    };
    let with_enrichment = |key: &str, value: &str, endpoint: &str| json!({"endpoints": endpoints, "enrichments": [{"key": key, "value": value, "endpointNames": [endpoint]}]});
    let enrichments: Vec<_> =
        (0..11).map(|n| json!({"key": n.to_string(), "value": "v", "endpointNames": ["events"]})).collect();
    let twice = ["true", "false"].map(|condition| route("DeviceMessages", condition, "f"));
    for (routing, why) in [
        (
            with_route(route("DeviceMessages", "a =", "f")),
            "routes \"DeviceMessages-f\": condition: the text ends too early",
        ),
        (with_route(route("DeviceMessages", "true", "other")), "there is no endpoint \"other\""),
        (
            with_route(route("DigitalTwinChangeEvents", "true", "f")),
            "unknown variant `DigitalTwinChangeEvents`",
        ),
        (
            with_route(json!({"name": "a b", "source": "DeviceMessages", "endpointNames": ["f"]})),
            "a name is 1 to 64",
        ),
        (
            with_route(json!({"name": "a", "source": "DeviceMessages", "endpointNames": ["f", "hook"]})),
            "one endpoint",
        ),
        (
            with_route(json!({"name": "a", "source": "DeviceMessages", "endpointNames": ["f"], "extra": 1})),
            "extra",
        ),
        (json!({"endpoints": endpoints, "routes": twice}), "there are two of this name"),
        (json!({"fallbackRoute": {"condition": "a = 1"}}), "fallbackRoute: source has to be"),
        (json!({"fallbackRoute": {"endpointNames": []}}), "fallbackRoute: endpointNames"),
        (
            json!({"endpoints": {"eventHubs": [{}]}}),
            "endpoints.eventHubs: this emulator has webhooks and files",
        ),
        (
            json!({"endpoints": {"files": [{"name": "events", "file": "f.jsonl"}]}}),
            "the name is the hub's own",
        ),
        (
            json!({"endpoints": {"webhooks": endpoints["webhooks"], "files": [{"name": "hook", "file": "f.jsonl"}]}}),
            "two of this name",
        ),
        (with_file("../f.jsonl"), "without .."),
        (with_file("emulator.json"), "has to be a .jsonl file"),
        (with_file("a\n.jsonl"), "has to be a .jsonl file"),
        (with_file("/etc/f.jsonl"), "below the emulator's directory"),
        (with_file(""), "has to be a .jsonl file"),
        (with_hook("url", json!("ftp://x")), "url is no http or https address"),
        (with_hook("url", json!("http://user@x/")), "url is no http or https address"),
        (with_hook("deadLetterFile", json!("a/../../b.jsonl")), "deadLetterFile"),
        (
            with_hook("retryPolicy", json!({"maxDeliveryAttempts": 31})),
            "maxDeliveryAttempts is 31; it has to be 1 to 30",
        ),
        (json!({"enrichments": enrichments}), "enrichments: a hub has at most 10, not 11"),
        (with_enrichment("a b", "v", "f"), "enrichments \"a b\": a name"),
        (with_enrichment("a", "$twin.deviceId", "f"), "is none of $iothubname"),
        (with_enrichment("a", "v", "other"), "there is no endpoint \"other\""),
    ] {
        let body = json!({"properties": {"routing": routing}});
        let refused = service.call("PUT", "/routing", &[], &body.to_string()).await;
        let message = refused.body["Message"].as_str().unwrap_or_default();
        assert_eq!(refused.status, 400, "{routing}: {}", refused.body);
        assert!(message.contains(why), "{routing}: {message}");
    }
    assert_eq!(service.call("PUT", "/routing", &[], "{}").await.status, 400);
    assert_eq!(hub(&lab).routing(), Routing::default(), "nothing has changed");
    let keys = Authentication::sas(SymmetricKey::default());
    hub(&lab).create_device("later", keys, DeviceCapabilities::default()).expect("it goes on");
}
