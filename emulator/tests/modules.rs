//! Modules: identities of parts of a device, with a twin, methods and telemetry of their own; and edge devices, which have some.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value as Json, json};
use tracker_amqp::{Body, Message, Outcome, Properties, Value, condition, get};
use tracker_emulator::{
    Authentication, CloudToDeviceMessage, DeviceCapabilities, DisconnectReason, Emulator, EventKind, Hub,
    ModuleSettings, SymmetricKey, TelemetryMessage, module_address, pki::Validity,
};

use crate::common::{
    Client, Dial, HUB, Lab, PATIENCE, amqp::Amqp, disconnection, event, https::Caller, service::Service,
    service::sas,
};

const VERSION: &str = "api-version=2021-04-12";
const FAR: i64 = 4_000_000_000;

fn hub(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

/// A device with keys; gives its first one.
fn device(hub: &Hub, device_id: &str) -> String {
    let keys = Authentication::sas(SymmetricKey::default());
    let made = hub.create_device(device_id, keys, DeviceCapabilities::default()).expect("a device");
    made.authentication.symmetric_key.primary_key.expect("a key")
}

/// A module with keys; gives its first one.
fn module(hub: &Hub, device_id: &str, module_id: &str) -> String {
    let made = hub.create_module(device_id, module_id, ModuleSettings::default()).expect("a module");
    made.authentication.symmetric_key.primary_key.expect("a key")
}

fn token(device_id: &str, module_id: &str, key: &str) -> String {
    sas(&format!("{HUB}/devices/{}", module_address(device_id, module_id)), key, FAR, None)
}

/// How a module connects over MQTT.
fn dial(lab: &Lab, device_id: &str, module_id: &str, password: String) -> Dial {
    Dial {
        client_id: format!("{device_id}/{module_id}"),
        user_name: Some(format!("{HUB}/{device_id}/{module_id}/?{VERSION}")),
        password,
        ..Dial::new(&lab.emulator, None)
    }
}

/// A module `m1` of the device `d1`, made and connected.
async fn online(lab: &Lab) -> Client {
    let hub = hub(lab);
    device(&hub, "d1");
    let key = module(&hub, "d1", "m1");
    dial(lab, "d1", "m1", token("d1", "m1", &key)).connect().await.expect("the hub lets in")
}

async fn received(telemetry: &mut tracker_emulator::Subscription<TelemetryMessage>) -> TelemetryMessage {
    let message = tokio::time::timeout(PATIENCE, telemetry.next()).await.expect("it comes in time");
    (*message.expect("it is kept")).clone()
}

/// SHA-256 of a certificate.
fn thumbprint(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn error_code(reply: &crate::common::service::Reply) -> (u16, String) {
    (reply.status, reply.header("iothub-errorcode").unwrap_or_default().to_owned())
}

#[tokio::test]
async fn identities_are_made_read_listed_changed_and_deleted() {
    let lab = Lab::start().await;
    device(&hub(&lab), "d1");
    let service = Service::hub(&lab.emulator);
    let path = |module: &str| format!("/devices/d1/modules/{module}?{VERSION}");
    let body = json!({"deviceId": "d1", "moduleId": "m:1", "managedBy": "me"}).to_string();
    let made = service.call("PUT", &path("m%3A1"), &[], &body).await;
    assert_eq!((made.status, &made.body["managedBy"]), (200, &json!("me")), "{}", made.body);
    assert_eq!(made.body["authentication"]["type"], "sas");
    let key = &made.body["authentication"]["symmetricKey"]["primaryKey"];
    assert_eq!(key.as_str().map(str::len), Some(44));
    assert!(made.body.get("status").is_none(), "a module has none");
    let again = service.call("PUT", &path("m%3A1"), &[], &body).await;
    assert_eq!(error_code(&again), (409, "ModuleAlreadyExistsOnDevice".into()));
    assert_eq!(service.get(&path("m%3A1")).await.body, made.body);
    assert_eq!(service.get(&format!("/devices/d1/modules/?{VERSION}")).await.body, json!([made.body]));

    let etag = format!("\"{}\"", made.body["etag"].as_str().expect("an entity tag"));
    let none = json!({"managedBy": "you", "authentication": {"type": "none"}}).to_string();
    let changed = service.call("PUT", &path("m%3A1"), &[("If-Match", &etag)], &none).await;
    assert_eq!((changed.status, &changed.body["managedBy"]), (200, &json!("you")), "{}", changed.body);
    assert_eq!(changed.body["authentication"]["symmetricKey"]["primaryKey"], Json::Null);
    let stale = service.call("PUT", &path("m%3A1"), &[("If-Match", &etag)], &none).await;
    assert_eq!(error_code(&stale), (412, "PreconditionFailed".into()));
    let stale = service.call("DELETE", &path("m%3A1"), &[("If-Match", &etag)], "").await;
    assert_eq!(error_code(&stale), (412, "PreconditionFailed".into()));
    assert_eq!(service.call("DELETE", &path("m%3A1"), &[("If-Match", "\"*\"")], "").await.status, 204);
    assert_eq!(error_code(&service.get(&path("m%3A1")).await), (404, "ModuleNotFound".into()));
    assert_eq!(service.get(&format!("/devices?{VERSION}")).await.body.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_azure_refuses_is_refused_with_its_codes() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    device(&hub, "d1");
    let service = Service::hub(&lab.emulator);
    let put = async |path: &str, body: &str| {
        error_code(&service.call("PUT", &format!("{path}?{VERSION}"), &[], body).await)
    };
    assert_eq!(put("/devices/nobody/modules/m", "{}").await, (404, "DeviceNotFound".into()));
    for bad in ["a%20b", "%C3%A4", "a%2Fb", &"m".repeat(129)] {
        assert_eq!(
            put(&format!("/devices/d1/modules/{bad}"), "{}").await,
            (400, "ArgumentInvalid".into()),
            "{bad}"
        );
    }
    for bad in [
        r#"{"moduleId":"other"}"#,
        r#"{"deviceId":"other"}"#,
        "[]",
        "no JSON",
        r#"{"managedBy":7}"#,
        &json!({"managedBy": "x".repeat(129)}).to_string(),
        r#"{"authentication":{"type":"magic"}}"#,
        r#"{"authentication":{"type":"selfSigned"}}"#,
    ] {
        assert_eq!(put("/devices/d1/modules/m", bad).await, (400, "ArgumentInvalid".into()), "{bad}");
    }
    assert!(hub.modules("d1").expect("the device").is_empty(), "nothing of it was made");
    for number in 0..50 {
        module(&hub, "d1", &format!("m{number}"));
    }
    assert_eq!(put("/devices/d1/modules/one-more", "{}").await, (413, "TooManyModulesOnDevice".into()));
    device(&hub, "d10");
    assert_eq!(put("/devices/d10/modules/m", "{}").await.0, 200, "each device has its own");
    hub.delete("d1").expect("deleted");
    assert_eq!(hub.module_twins().len(), 1, "its modules go with it");
    // The address of a module in one word is none.
    for path in ["/devices/d10%2Fmodules%2Fm", "/twins/d10%2Fmodules%2Fm", "/twins/d10/modules/nobody"] {
        assert_eq!(service.get(&format!("{path}?{VERSION}")).await.status, 404, "{path}");
    }
    assert!(hub.send(&module_address("d10", "m"), CloudToDeviceMessage::default()).is_err());
}

#[tokio::test]
async fn a_module_sends_telemetry_has_a_twin_and_answers_methods_over_mqtt() {
    let lab = Lab::start().await;
    let (hub, service) = (hub(&lab), Service::hub(&lab.emulator));
    let mut telemetry = hub.telemetry();
    let mut client = online(&lab).await;
    client.publish("devices/d1/modules/m1/messages/events/colour=red&%24.on=out", r#"{"t":4}"#).await;
    let message = received(&mut telemetry).await;
    assert_eq!((message.device_id.as_str(), message.module_id.as_deref()), ("d1", Some("m1")));
    assert_eq!(message.application_properties()["colour"], "red");
    assert_eq!(hub.counters("d1").expect("counters").received, 0, "the device has sent nothing");
    assert_eq!(hub.counters(&module_address("d1", "m1")).expect("counters").received, 1);

    for filter in ["devices/d1/modules/m1/inputs/#", "devices/d1/modules/m1/#", "$iothub/twin/res/#"] {
        client.subscribe(filter).await;
    }
    client.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    client.subscribe("$iothub/methods/POST/#").await;
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", r#"{"up":true}"#).await;
    assert_eq!(client.message().await.0, "$iothub/twin/res/204/?$rid=1&$version=2");
    let path = format!("/twins/d1/modules/m1?{VERSION}");
    let twin = service.get(&path).await.body;
    assert_eq!((&twin["deviceId"], &twin["moduleId"]), (&json!("d1"), &json!("m1")));
    assert_eq!(
        (&twin["properties"]["reported"]["up"], &twin["connectionState"]),
        (&json!(true), &json!("Connected"))
    );
    let patch = json!({"tags": {"part": "door"}, "properties": {"desired": {"interval": 5}}}).to_string();
    let patched = service.call("PATCH", &path, &[("If-Match", "\"*\"")], &patch).await;
    assert_eq!((patched.status, &patched.body["tags"]["part"]), (200, &json!("door")), "{}", patched.body);
    let (topic, pushed) = client.json_message().await;
    assert_eq!(
        (topic.as_str(), pushed),
        ("$iothub/twin/PATCH/properties/desired/?$version=2", json!({"interval": 5, "$version": 2}))
    );
    let query = json!({"query": "SELECT * FROM devices.modules WHERE devices.deviceId = 'd1' AND tags.part = 'door'"});
    let found =
        service.call("POST", &format!("/devices/query?{VERSION}"), &[], &query.to_string()).await.body;
    assert_eq!((found.as_array().map(Vec::len), &found[0]["moduleId"]), (Some(1), &json!("m1")), "{found}");
    let devices = json!({"query": "SELECT * FROM devices"}).to_string();
    let found = service.call("POST", &format!("/devices/query?{VERSION}"), &[], &devices).await.body;
    assert_eq!(found.as_array().map(Vec::len), Some(1), "modules are none of them: {found}");

    let method = r#"{"methodName":"open","payload":{"b":1,"a":2}}"#;
    let call = tokio::spawn(async move {
        service.call("POST", &format!("/twins/d1/modules/m1/methods?{VERSION}"), &[], method).await
    });
    let (topic, body) = client.message().await;
    assert_eq!(topic, "$iothub/methods/POST/open/?$rid=1");
    assert_eq!(body, br#"{"b":1,"a":2}"#);
    client.publish("$iothub/methods/res/201/?$rid=1", r#"{"done":true}"#).await;
    let answered = call.await.expect("it runs");
    assert_eq!(answered.body, json!({"status": 201, "payload": {"done": true}}));
}

#[tokio::test]
async fn who_may_connect_as_a_module() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut events = lab.emulator.events();
    let of_device = device(&hub, "d1");
    let own = module(&hub, "d1", "m1");
    let other = module(&hub, "d1", "m2");
    let lets_in = async |password: String| dial(&lab, "d1", "m1", password).connect().await.is_ok();
    assert!(lets_in(token("d1", "m1", &own)).await);
    assert!(lets_in(token("d1", "m1", &of_device)).await, "the key of its device");
    assert!(!lets_in(token("d1", "m1", &other)).await);
    assert!(!lets_in(token("d1", "m2", &own)).await);
    assert!(!lets_in(sas(&format!("{HUB}/devices/d1"), &own, FAR, None)).await);
    let mut wrong = dial(&lab, "d1", "m1", token("d1", "m1", &own));
    wrong.client_id = "d1".into();
    assert!(wrong.connect().await.is_err(), "the client identifier has to name the module, too");
    let unknown = dial(&lab, "d1", "m3", token("d1", "m3", &own));
    assert!(unknown.connect().await.is_err());

    // By certificates: that of a thumbprint, and one of a CA, whose common name is that of both.
    let by = |module_id: &str, authentication: Authentication| {
        hub.create_module("d1", module_id, ModuleSettings { authentication, managed_by: None })
            .expect("made");
    };
    let leaf = lab.credentials("whatever");
    by("thumb", Authentication::self_signed(thumbprint(&leaf.certificate_pem)));
    by("chain", Authentication::certificate_authority());
    hub.trust_authority("factory", &lab.factory.certificate_pem()).expect("trusted");
    let chain = lab.factory.device("d1/chain", Validity::always()).expect("a leaf");
    for (module_id, shown, is_good) in
        [("thumb", &leaf, true), ("chain", &chain, true), ("chain", &leaf, false)]
    {
        let dial = Dial {
            tls: crate::common::tls(&lab.emulator, Some(shown), rustls::DEFAULT_VERSIONS),
            ..dial(&lab, "d1", module_id, String::new())
        };
        assert_eq!(dial.connect().await.is_ok(), is_good, "{module_id}");
    }

    // A device that is shut out shuts out its modules.
    let mut client = dial(&lab, "d1", "m1", token("d1", "m1", &own)).connect().await.expect("let in");
    hub.disable("d1").expect("disabled");
    client.ended().await;
    let of_m1 = |kind: &EventKind| match kind {
        EventKind::DeviceDisconnected { device_id, reason: DisconnectReason::DeviceDisabled, .. } => {
            (device_id == "d1/modules/m1").then_some(())
        }
        _ => None,
    };
    event(&mut events, of_m1).await;
    assert!(!lets_in(token("d1", "m1", &own)).await);
    hub.enable("d1").expect("enabled");
    let mut client = dial(&lab, "d1", "m1", token("d1", "m1", &own)).connect().await.expect("let in again");
    hub.delete("d1").expect("deleted");
    client.ended().await;
    assert!(!lets_in(token("d1", "m1", &own)).await);
}

#[tokio::test]
async fn a_module_speaks_for_nobody_else() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let mut client = online(&lab).await;
    client
        .publish_blindly(
            "devices/d1/messages/events/",
            rumqttc::QoS::AtLeastOnce,
            "in the name of the device",
        )
        .await;
    client.ended().await;
    assert!(matches!(disconnection(&mut events).await, DisconnectReason::ProtocolViolation(_)));
    assert_eq!(hub(&lab).counters("d1").expect("counters").received, 0);
}

#[tokio::test]
async fn a_module_sends_over_https_and_a_device_looks_after_its_own_modules() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let key = device(&hub, "d1");
    device(&hub, "d2");
    let owner = Caller::with_key(&lab.emulator, HUB, &format!("{HUB}/devices/d1"), &key, None);
    let path = |device_id: &str| format!("/devices/{device_id}/modules/m1?{VERSION}");
    // As edge runtimes do it: without keys first.
    let none = json!({"moduleId": "m1", "authentication": {"type": "none"}}).to_string();
    let made = owner.call("PUT", &path("d1"), &[], none.as_bytes()).await;
    assert_eq!((made.status, &made.json()["authentication"]["type"]), (200, &json!("none")));
    let keys =
        json!({"authentication": {"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}});
    let changed = owner.call("PUT", &path("d1"), &[("If-Match", "*")], keys.to_string().as_bytes()).await;
    let own =
        changed.json()["authentication"]["symmetricKey"]["primaryKey"].as_str().expect("a key").to_owned();
    let list = owner.call("GET", &format!("/devices/d1/modules?{VERSION}"), &[], b"").await;
    assert_eq!(list.json()[0]["moduleId"], "m1");

    let resource = format!("{HUB}/devices/d1/modules/m1");
    let module = Caller::with_key(&lab.emulator, HUB, &resource, &own, None);
    let mut telemetry = hub.telemetry();
    let events = format!("/devices/d1/modules/m1/messages/events?{VERSION}");
    assert_eq!(module.call("POST", &events, &[], b"x").await.status, 204);
    assert_eq!(received(&mut telemetry).await.module_id.as_deref(), Some("m1"));
    // Neither looks after what is another's, nor does either do anything else that services do.
    for (caller, method, path) in [
        (&owner, "PUT", path("d2")),
        (&owner, "DELETE", format!("/devices/d1?{VERSION}")),
        (&owner, "GET", format!("/twins/d1/modules/m1?{VERSION}")),
        (&module, "GET", path("d1")),
        (&module, "POST", format!("/devices/d1/messages/events?{VERSION}")),
    ] {
        assert_eq!(caller.call(method, &path, &[], none.as_bytes()).await.status, 401, "{method} {path}");
    }
    // What edge hubs ask is refused by name.
    let asked = "/devices/d1/modules/m1/devicesAndModulesInTargetDeviceScope?api-version=2020-06-30-preview";
    let refused = module.post(asked, "{\"authChain\":\"d1\"}").await;
    assert_eq!((refused.status, owner.post(asked, "{}").await.status), (501, 401), "{refused:?}");
    assert_eq!(owner.call("DELETE", &path("d1"), &[], b"").await.status, 204);
    hub.disable("d1").expect("disabled");
    assert_eq!(owner.call("PUT", &path("d1"), &[], none.as_bytes()).await.status, 403);
}

#[tokio::test]
async fn a_module_is_what_a_device_is_over_amqp() {
    let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).amqp_port(0);
    let lab = Lab::with(builder.start().await.expect("it starts"));
    let hub = hub(&lab);
    device(&hub, "d1");
    let key = module(&hub, "d1", "m1");
    let mut telemetry = hub.telemetry();
    let mut client = Amqp::connect(&lab.emulator, HUB, None, None).await;
    let refused = client.sender("/devices/d1/modules/m1/messages/events", &[]).await;
    assert!(refused.is_err(), "it has shown no token yet");
    let audience = format!("{HUB}/devices/d1/modules/m1");
    assert_eq!(client.put_token(&audience, &token("d1", "m1", &key)).await, 200);
    let sender = client.sender("/devices/d1/modules/m1/messages/events", &[]).await.expect("a link");
    client.receiver("/devices/d1/modules/m1/messages/events", &[]).await.expect("a link of inputs");
    assert!(client.sender("/devices/d1/messages/events", &[]).await.is_err(), "it is not its device");
    let message = Message {
        application_properties: vec![("iothub-outputname".into(), "out".into())],
        body: Body::data("x"),
        ..Message::default()
    };
    assert_eq!(client.send(sender, &message).await, Outcome::Accepted);
    let message = received(&mut telemetry).await;
    assert_eq!((message.device_id.as_str(), message.module_id.as_deref()), ("d1", Some("m1")));
    assert_eq!(message.system_properties().get("on"), Some(&"out"));

    let calls = client.receiver("/devices/d1/modules/m1/methods/devicebound", &[]).await.expect("a link");
    let answers = client.sender("/devices/d1/modules/m1/methods/devicebound", &[]).await.expect("a link");
    let call = tokio::spawn({
        let hub = hub.clone();
        async move { hub.invoke_method("d1/modules/m1", "open", json!({}), PATIENCE).await }
    });
    let (_, request) = client.message(calls).await;
    let answer = Message {
        properties: Properties { correlation_id: request.properties.correlation_id, ..Properties::default() },
        application_properties: vec![("IoThub-status".into(), Value::Int(200))],
        body: Body::data("7"),
        ..Message::default()
    };
    assert_eq!(client.send(answers, &answer).await, Outcome::Accepted);
    assert_eq!(call.await.expect("it runs").expect("an answer").payload, Some(json!(7)));

    let twin = client.sender("/devices/d1/modules/m1/twin", &[]).await.expect("a link");
    let answers = client.receiver("/devices/d1/modules/m1/twin", &[]).await.expect("a link");
    let request = Message {
        message_annotations: vec![
            (Value::symbol("operation"), "PATCH".into()),
            (Value::symbol("resource"), "/properties/reported".into()),
        ],
        body: Body::data(r#"{"up":1}"#),
        ..Message::default()
    };
    client.put(twin, &request, true).await;
    let (_, answer) = client.message(answers).await;
    assert_eq!(get(&answer.message_annotations, "status").and_then(Value::as_i64), Some(204));
    assert_eq!(hub.twin("d1/modules/m1").expect("the twin").properties.reported["up"], 1);
    hub.disable("d1").expect("disabled");
    let end = client.detached(sender).await.expect("a reason");
    assert_eq!(end.condition, condition::UNAUTHORIZED_ACCESS);
}

#[tokio::test]
async fn an_edge_device_has_a_scope_the_modules_of_its_runtime_and_others_below_it() {
    let lab = Lab::start().await;
    let (hub, service) = (hub(&lab), Service::hub(&lab.emulator));
    let put = async |id: &str, body: Json, if_match: Option<&str>| {
        let headers: Vec<_> = if_match.map(|etag| ("If-Match", etag)).into_iter().collect();
        service.call("PUT", &format!("/devices/{id}?{VERSION}"), &headers, &body.to_string()).await
    };
    let edge = |parents: Json| json!({"capabilities": {"iotEdge": true}, "parentScopes": parents});
    let top = put("top", edge(json!([])), None).await.body;
    let scope = top["deviceScope"].as_str().expect("a scope").to_owned();
    assert!(scope.starts_with("ms-azure-iot-edge://top-"), "{scope}");
    let modules: Vec<_> =
        hub.modules("top").expect("it").into_iter().map(|module| module.module_id).collect();
    assert_eq!(modules, ["$edgeAgent", "$edgeHub"]);
    let content = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"modules": {"door": 1}}},
        "door": {"properties.desired.interval": 5},
    }});
    let apply = format!("/devices/top/applyConfigurationContent?{VERSION}");
    let applied = service.call("POST", &apply, &[], &content.to_string()).await;
    assert!(applied.status < 300, "{}", applied.body);
    assert_eq!(
        hub.twin("top/modules/$edgeAgent").expect("it").properties.desired["modules"],
        json!({"door": 1})
    );
    assert_eq!(hub.twin("top/modules/door").expect("made").properties.desired["interval"], 5);
    let below = put("below", edge(json!([scope])), None).await.body;
    assert_eq!(below["parentScopes"], json!([scope]));
    let leaf = put("leaf", json!({"deviceScope": below["deviceScope"]}), None).await.body;
    assert_eq!(leaf["parentScopes"], json!([below["deviceScope"]]));
    assert_eq!(
        service.get(&format!("/twins/leaf?{VERSION}")).await.body["deviceScope"],
        below["deviceScope"]
    );

    for (id, body) in [
        ("leaf", json!({"deviceScope": "no scope"})),
        ("leaf", json!({"deviceScope": "ms-azure-iot-edge://nobody-1"})),
        ("top", edge(json!([below["deviceScope"]]))),
        ("top", edge(json!([scope]))),
        ("below", edge(json!([scope, scope]))),
        ("below", json!({"capabilities": {"iotEdge": true}, "deviceScope": scope})),
        ("leaf", json!({"deviceScope": 7})),
    ] {
        let refused = put(id, body.clone(), Some("*")).await;
        assert_eq!(error_code(&refused), (400, "ArgumentInvalid".into()), "{id} {body}");
    }
    let moved = put("leaf", json!({"deviceScope": scope, "parentScopes": leaf["parentScopes"]}), Some("*"))
        .await
        .body;
    assert_eq!((&moved["deviceScope"], &moved["parentScopes"]), (&json!(scope), &json!([scope])));
    // So az asks for those below one.
    let children = json!({"query": format!("select deviceId from devices where array_contains(parentScopes, '{scope}')")});
    let path = format!("/devices/query?{VERSION}");
    let children = service.call("POST", &path, &[], &children.to_string()).await;
    assert_eq!(children.body, json!([{"deviceId": "below"}, {"deviceId": "leaf"}]));
    // What is not said stays, as where only the status is set.
    hub.disable("leaf").expect("disabled");
    assert_eq!(hub.device("leaf").expect("it").parent_scopes, [scope.as_str()]);

    // No edge device any more: what made it one goes, and who was below is below no one.
    let plain =
        put("top", json!({"capabilities": {"iotEdge": false}, "deviceScope": scope}), Some("*")).await.body;
    assert!(plain.get("deviceScope").is_none(), "{plain}");
    let left: Vec<_> = hub.modules("top").expect("it").into_iter().map(|module| module.module_id).collect();
    assert_eq!(left, ["door"]);
    hub.delete("top").expect("deleted");
    assert!(hub.device("leaf").expect("it").device_scope.is_none());
    assert!(hub.device("below").expect("it").parent_scopes.is_empty());
    hub.delete("below").expect("deleted");
    assert!(hub.module_twins().is_empty());
}

#[tokio::test]
async fn many_modules_in_one_request_and_their_keys_anew() {
    let lab = Lab::start().await;
    let (hub, service) = (hub(&lab), Service::hub(&lab.emulator));
    device(&hub, "d1");
    let entries = json!([
        {"id": "d1", "moduleId": "m1", "importMode": "create", "managedBy": "me",
         "tags": {"a": 1}, "properties": {"desired": {"b": 2}}},
        {"id": "d1", "moduleId": "m2", "importMode": "create", "authentication": {"type": "certificateAuthority"}},
        {"id": "nobody", "moduleId": "m1", "importMode": "create"},
        {"id": "d1/modules/m1", "importMode": "delete"},
    ]);
    let done = service.call("POST", &format!("/devices?{VERSION}"), &[], &entries.to_string()).await;
    let codes: Vec<_> =
        done.body["errors"].as_array().expect("a list").iter().map(|e| e["errorCode"].clone()).collect();
    assert_eq!(
        (done.status, codes),
        (400, vec![json!("DeviceNotFound"), json!("ArgumentInvalid")]),
        "{}",
        done.body
    );
    let twin = hub.twin(&module_address("d1", "m1")).expect("the twin");
    assert_eq!((&twin.tags["a"], &twin.properties.desired["b"]), (&json!(1), &json!(2)));

    let before = hub.module("d1", "m1").expect("it").authentication.symmetric_key;
    let asked = json!({"policyKey": "secondaryKey", "devices": [
        {"id": "d1", "moduleId": "m1"}, {"id": "d1", "moduleId": "m2"}, {"id": "d1/modules/m1"},
    ]});
    let path = format!("/devices/keys/regenerate?{VERSION}");
    let renewed = service.call("POST", &path, &[], &asked.to_string()).await.body;
    let after = hub.module("d1", "m1").expect("it").authentication.symmetric_key;
    assert_eq!(
        (&after.primary_key, after.secondary_key != before.secondary_key),
        (&before.primary_key, true)
    );
    assert_eq!(
        renewed["rotatedKeys"],
        json!([{"id": "d1", "moduleId": "m1", "primaryKey": null, "secondaryKey": after.secondary_key}])
    );
    assert_eq!(renewed["errors"].as_array().map(Vec::len), Some(2), "{renewed}");
    let bad = json!([{"id": "d1", "moduleId": "m1", "importMode": "deleteIfMatchETag", "eTag": "AAAA"}])
        .to_string();
    let stale = service.call("POST", &format!("/devices?{VERSION}"), &[], &bad).await.body;
    assert_eq!(stale["errors"][0]["errorCode"], "PreconditionFailed", "{stale}");
    assert_eq!(stale["errors"][0]["moduleId"], "m1");
}

#[tokio::test]
async fn routes_and_events_tell_of_modules() {
    let lab = Lab::start().await;
    let hub = hub(&lab);
    let mut events = lab.emulator.events();
    let routing = json!({"routes": [
        {"name": "life", "source": "DeviceLifecycleEvents", "condition": "true", "endpointNames": ["events"], "isEnabled": true},
        {"name": "twins", "source": "TwinChangeEvents", "condition": "true", "endpointNames": ["events"], "isEnabled": true},
        {"name": "links", "source": "DeviceConnectionStateEvents", "condition": "true", "endpointNames": ["events"], "isEnabled": true},
        {"name": "own", "source": "DeviceMessages", "condition": "$connectionModuleId = 'm1'", "endpointNames": ["events"], "isEnabled": true},
    ], "fallbackRoute": {"isEnabled": false, "endpointNames": ["events"]}});
    let service = Service::hub(&lab.emulator);
    let document = json!({"properties": {"routing": routing}}).to_string();
    let put = service.call("PUT", "/routing", &[], &document).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let mut telemetry = hub.telemetry();
    let mut client = online(&lab).await;
    client.publish("devices/d1/modules/m1/messages/events/", "x").await;
    hub.update_twin_desired(&module_address("d1", "m1"), json!({"a": 1})).expect("updated");
    hub.delete("d1").expect("deleted");
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "deleteDeviceIdentity d1 -") {
        let message = received(&mut telemetry).await;
        let properties = message.application_properties();
        let module_id = message.module_id.as_deref().unwrap_or("-");
        assert!(properties.get("moduleId").is_none_or(|id| *id == module_id));
        let what = properties.get("opType").copied().unwrap_or("telemetry");
        told.push(format!("{what} {} {module_id}", message.device_id));
    }
    let expected = [
        "createDeviceIdentity d1 -",
        "createModuleIdentity d1 m1",
        "moduleConnected d1 m1",
        "telemetry d1 m1",
        "updateTwin d1 m1",
        "deleteModuleIdentity d1 m1",
        "deleteDeviceIdentity d1 -",
    ];
    assert_eq!(told, expected);
    let sentence = event(&mut events, |kind| {
        matches!(kind, EventKind::IdentityDeleted { .. }).then(|| kind.to_string())
    })
    .await;
    assert_eq!(sentence, format!("{HUB}: \"d1/modules/m1\" has no identity any more"));
}

#[tokio::test]
async fn modules_and_scopes_outlive_a_restart_without_goodbye() {
    let directory = tempfile::tempdir().expect("a directory");
    let start =
        async || Emulator::builder().state_directory(directory.path()).start().await.expect("it starts");
    let emulator = start().await;
    let hub = emulator.hub("hub-1").expect("the hub");
    let capabilities = DeviceCapabilities { iot_edge: true };
    let edge =
        hub.create_device("edge", Authentication::sas(SymmetricKey::default()), capabilities).expect("made");
    device(&hub, "d1");
    let settings = ModuleSettings { managed_by: Some("me".into()), ..ModuleSettings::default() };
    let made = hub.create_module("d1", "m1", settings).expect("made");
    hub.update_twin_desired("d1/modules/m1", json!({"a": 1})).expect("updated");
    let twin = hub.twin("d1/modules/m1").expect("the twin");
    emulator.shutdown().await;

    let emulator = start().await;
    let hub = emulator.hub("hub-1").expect("the hub");
    assert_eq!(hub.module("d1", "m1").expect("kept"), made);
    assert_eq!(hub.twin("d1/modules/m1").expect("kept"), twin);
    assert_eq!(hub.device("edge").expect("kept").device_scope, edge.device_scope);
    assert_eq!(hub.modules("edge").expect("kept").len(), 2);
    emulator.shutdown().await;
    // An edge device of an emulator that knew no modules gets what it lacks.
    let file = directory.path().join(format!("hubs/{HUB}.json"));
    let mut kept: Json = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    kept.as_object_mut().expect("an object").remove("modules");
    for device in kept["devices"].as_array_mut().expect("devices") {
        device["identity"].as_object_mut().expect("an object").remove("scopes");
    }
    #[allow(clippy::disallowed_methods, reason = "it is made older")]
    std::fs::write(&file, kept.to_string()).expect("written");
    let emulator = start().await;
    let hub = emulator.hub("hub-1").expect("the hub");
    assert!(hub.device("edge").expect("kept").device_scope.is_some());
    assert_eq!(hub.modules("edge").expect("kept").len(), 2);
    assert!(hub.modules("d1").expect("kept").is_empty());
}
