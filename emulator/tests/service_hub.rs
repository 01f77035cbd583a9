//! A hub by REST, with the requests that Microsoft's tools send.

use crate::common::{
    Lab, PATIENCE, event,
    service::{Reply, Service},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracker_emulator::{DirectMethod, MethodResult};

const VERSION: &str = "api-version=2021-04-12";

/// What az creates a device with.
fn az_device(id: &str) -> String {
    json!({"deviceId": id, "status": "enabled", "authentication": {"type": "sas", "symmetricKey": {}}, "capabilities": {"iotEdge": false}})
        .to_string()
}

#[tokio::test]
async fn a_device_is_created_read_updated_and_deleted() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let hub = Service::hub(&lab.emulator);
    let path = format!("/devices/a%3Ab?{VERSION}");
    let created = hub.call("PUT", &path, &[], &az_device("a:b")).await;
    assert_eq!(created.status, 200, "{}", created.body);
    let key = created.body["authentication"]["symmetricKey"]["primaryKey"].clone();
    assert_eq!(key.as_str().map(str::len), Some(44));
    assert_eq!(
        created.body["authentication"]["x509Thumbprint"],
        json!({"primaryThumbprint": null, "secondaryThumbprint": null})
    );
    assert_eq!(created.body["statusUpdatedTime"], "0001-01-01T00:00:00.0000000Z");
    let again = hub.call("PUT", &path, &[], &az_device("a:b")).await;
    assert_eq!((again.status, again.header("iothub-errorcode")), (409, Some("DeviceAlreadyExists")));
    assert!(
        again.body["Message"].as_str().is_some_and(|text| text.starts_with("ErrorCode:DeviceAlreadyExists;"))
    );

    let etag = created.body["etag"].as_str().expect("an etag");
    assert!(!etag.contains('"'));
    assert_eq!(created.header("etag"), Some(format!("\"{etag}\"").as_str()));
    let mut update = created.body.clone();
    update["status"] = json!("disabled");
    update["statusReason"] = json!("stolen");
    // az sends this in the body; it is passed over.
    update["etag"] = json!("*");
    let stale = hub.call("PUT", &path, &[("If-Match", "\"AAAA\"")], &update.to_string()).await;
    assert_eq!((stale.status, stale.header("iothub-errorcode")), (412, Some("PreconditionFailed")));
    let updated = hub.call("PUT", &path, &[("If-Match", &format!("\"{etag}\""))], &update.to_string()).await;
    assert_eq!((updated.status, &updated.body["statusReason"]), (200, &json!("stolen")), "{}", updated.body);
    assert_eq!(updated.body["authentication"]["symmetricKey"]["primaryKey"], key);
    update["authentication"]["symmetricKey"] = json!({"primaryKey": "", "secondaryKey": ""});
    let renewed = hub.call("PUT", &path, &[("If-Match", "\"*\"")], &update.to_string()).await;
    assert_ne!(renewed.body["authentication"]["symmetricKey"]["primaryKey"], key);
    let missing = hub
        .call("PUT", &format!("/devices/nobody?{VERSION}"), &[("If-Match", "*")], &az_device("nobody"))
        .await;
    assert_eq!((missing.status, missing.header("iothub-errorcode")), (404, Some("DeviceNotFound")));

    let list = hub.get(&format!("/devices/?top=5&{VERSION}")).await;
    assert_eq!(list.body.as_array().map(Vec::len), Some(1));
    let statistics = hub.get(&format!("/statistics/devices?{VERSION}")).await.body;
    assert_eq!(statistics, json!({"totalDeviceCount": 1, "enabledDeviceCount": 0, "disabledDeviceCount": 1}));
    let deleted = hub.call("DELETE", &path, &[("If-Match", "\"*\"")], "").await;
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    let gone = hub.get(&path).await;
    assert_eq!((gone.status, &gone.body["Message"]), (404, &json!("ErrorCode:DeviceNotFound;a:b")));
    assert!(gone.body["ExceptionMessage"].as_str().is_some_and(|text| text.starts_with("Tracking ID:")));

    for expected in
        ["\"a:b\" has an identity", "the identity of \"a:b\" is disabled", "\"a:b\" has no identity any more"]
    {
        let told = event(&mut events, |kind| Some(kind.to_string())).await;
        assert_eq!(told, format!("hub-1.azure-devices.net: {expected}"));
    }
}

#[tokio::test]
async fn thumbprints_and_the_other_kinds_of_authentication_are_kept() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let put = async |id: &str, authentication: Value| {
        let body = json!({"deviceId": id, "authentication": authentication}).to_string();
        hub.call("PUT", &format!("/devices/{id}?{VERSION}"), &[], &body).await
    };
    let thumbprints = json!({"primaryThumbprint": "A".repeat(40), "secondaryThumbprint": "b".repeat(64)});
    let x509 = put("x", json!({"type": "selfSigned", "x509Thumbprint": thumbprints})).await;
    assert_eq!(x509.body["authentication"]["x509Thumbprint"], thumbprints, "{}", x509.body);
    assert_eq!(
        x509.body["authentication"]["symmetricKey"],
        json!({"primaryKey": null, "secondaryKey": null})
    );
    assert_eq!(put("c", json!({"type": "certificateAuthority"})).await.status, 200);
    assert_eq!(put("n", json!({"type": "none"})).await.status, 200);
    for bad in [
        json!({"type": "selfSigned"}),
        json!({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "xyz"}}),
        json!({"type": "magic"}),
        json!({"type": "sas", "symmetricKey": {"primaryKey": "AAAA"}}),
    ] {
        let refused = put("bad", bad.clone()).await;
        assert_eq!(
            (refused.status, refused.header("iothub-errorcode")),
            (400, Some("ArgumentInvalid")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn twins_are_read_merged_and_replaced() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    hub.call("PUT", &format!("/devices/d1?{VERSION}"), &[], &az_device("d1")).await;
    let path = format!("/twins/d1?{VERSION}");
    let new = hub.get(&path).await.body;
    assert!(new.get("tags").is_none(), "{new}");
    assert_eq!(
        (&new["properties"]["desired"]["$version"], &new["properties"]["reported"]["$version"]),
        (&json!(1), &json!(1))
    );
    let patch = json!({"tags": {"place": {"city": "Hamburg", "berth": 7}}, "properties": {"desired": {"interval": 5, "gone": 1}}});
    let patched = hub.call("PATCH", &path, &[("If-Match", "\"*\"")], &patch.to_string()).await;
    assert_eq!(
        (patched.status, &patched.body["properties"]["desired"]["$version"]),
        (200, &json!(2)),
        "{}",
        patched.body
    );
    // az patches with the whole twin that it read.
    let mut whole = patched.body.clone();
    whole["tags"]["place"]["berth"] = Value::Null;
    whole["properties"]["desired"]["gone"] = Value::Null;
    let etag = format!("\"{}\"", whole["etag"].as_str().expect("an etag"));
    let merged = hub.call("PATCH", &path, &[("If-Match", &etag)], &whole.to_string()).await.body;
    assert_eq!(merged["tags"], json!({"place": {"city": "Hamburg"}}));
    assert_eq!(
        (&merged["properties"]["desired"]["interval"], merged["properties"]["desired"].get("gone")),
        (&json!(5), None)
    );
    let stale = hub.call("PATCH", &path, &[("If-Match", &etag)], "{}").await;
    assert_eq!((stale.status, stale.header("iothub-errorcode")), (412, Some("PreconditionFailed")));
    for bad in [r#"{"tags":1}"#, r#"{"properties":{"desired":[]}}"#, "[]", "no JSON", r#"{"tags":{"a b":1}}"#]
    {
        assert_eq!(hub.call("PATCH", &path, &[], bad).await.status, 400, "{bad}");
    }
    let replaced = hub
        .call(
            "PUT",
            &path,
            &[("If-Match", "\"*\"")],
            r#"{"tags":{"new":true},"properties":{"desired":{"a":1}}}"#,
        )
        .await;
    assert_eq!(replaced.body["tags"], json!({"new": true}), "{}", replaced.body);
    assert!(replaced.body["properties"]["desired"].get("interval").is_none());
    let nulls = hub.call("PUT", &path, &[], r#"{"tags":{"new":null}}"#).await;
    assert_eq!(nulls.status, 400);
}

/// Three devices, at two places.
async fn three_devices(hub: &Service) {
    for (id, place, interval) in [("d1", "a", 10), ("d2", "a", 20), ("d3", "b", 30)] {
        hub.call("PUT", &format!("/devices/{id}?{VERSION}"), &[], &az_device(id)).await;
        let patch = json!({"tags": {"place": place}, "properties": {"desired": {"interval": interval}}});
        hub.call("PATCH", &format!("/twins/{id}?{VERSION}"), &[], &patch.to_string()).await;
    }
}

async fn query(hub: &Service, text: &str) -> Reply {
    hub.call("POST", &format!("/devices/query?{VERSION}"), &[], &json!({"query": text}).to_string()).await
}

#[tokio::test]
async fn queries_filter_select_group_and_page() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    three_devices(&hub).await;
    let query = async |text: &str| query(&hub, text).await;
    let all = query("select * from devices").await;
    assert_eq!((all.body.as_array().map(Vec::len), all.header("x-ms-item-type")), (Some(3), Some("Twin")));
    for (text, expected) in [
        (
            "SELECT deviceId FROM devices WHERE tags.place = 'a' AND status = 'enabled'",
            json!([{"deviceId": "d1"}, {"deviceId": "d2"}]),
        ),
        ("SELECT COUNT() AS n FROM devices", json!([{"n": 3}])),
        (
            "SELECT tags.place AS p, AVG(properties.desired.interval) AS i FROM devices GROUP BY tags.place",
            json!([{"p": "a", "i": 15}, {"p": "b", "i": 30}]),
        ),
        (
            "SELECT TOP 1 c.deviceId AS id FROM devices c WHERE c.properties.desired.interval * 2 >= 40",
            json!([{"id": "d2"}]),
        ),
        (
            "SELECT deviceId FROM devices WHERE deviceId IN ['d3', \"d9\"] OR NOT IS_DEFINED(tags.place)",
            json!([{"deviceId": "d3"}]),
        ),
        ("SELECT deviceid FROM devices WHERE tags.place NIN ['a'] ", json!([{"deviceid": "d3"}])),
        ("select * from devices where capabilities.iotEdge = true", json!([])),
        ("SELECT * FROM devices.modules", json!([])),
        ("SELECT * FROM devices.jobs", json!([])),
        (
            "SELECT deviceId FROM devices WHERE startswith(deviceId, 'd') AND ENDS_WITH(deviceId, '3') \
             AND INDEX_OF(UPPER(tags.place), 'B') = 0 AND SUBSTRING(deviceId, 1) = '3' AND ABS(-2) = 2 \
             AND IS_NUMBER(properties.desired.interval) AND NOT CONTAINS(deviceId, 'x')",
            json!([{"deviceId": "d3"}]),
        ),
    ] {
        let found = query(text).await;
        assert_eq!((found.status, &found.body), (200, &expected), "{text}");
    }
    for bad in [
        "",
        "SELECT",
        "SELECT deviceId FROM devices.jobs",
        "SELECT * FROM planets",
        "SELECT * FROM devices WHERE",
        "SELECT * FROM devices WHERE beginswith(deviceId, 'd')",
        "SELECT * FROM devices WHERE startswith(deviceId)",
        "SELECT * FROM devices WHERE tags.a = 'open",
        "SELECT * FROM devices ORDER BY deviceId",
        "DELETE FROM devices",
    ] {
        let refused = query(bad).await;
        assert_eq!(
            (refused.status, refused.header("iothub-errorcode")),
            (400, Some("ArgumentInvalid")),
            "{bad}"
        );
    }
    let deep = format!("SELECT * FROM devices WHERE {}1{} = 1", "(".repeat(3000), ")".repeat(3000));
    assert_eq!(query(&deep).await.status, 400);
    let page = |continuation: String| {
        let hub = &hub;
        async move {
            let mut headers = vec![("x-ms-max-item-count", "2")];
            if !continuation.is_empty() {
                headers.push(("x-ms-continuation", &continuation));
            }
            hub.call(
                "POST",
                &format!("/devices/query?{VERSION}"),
                &headers,
                r#"{"query":"SELECT * FROM devices"}"#,
            )
            .await
        }
    };
    let first = page(String::new()).await;
    assert_eq!(first.body.as_array().map(Vec::len), Some(2));
    let second = page(first.header("x-ms-continuation").expect("there is more").to_owned()).await;
    assert_eq!((second.body[0]["deviceId"].as_str(), second.header("x-ms-continuation")), (Some("d3"), None));
}

#[tokio::test]
async fn methods_reach_the_device_and_their_failures_have_azures_shape() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/methods/POST/#").await;
    let target = format!("/twins/d1/methods?{VERSION}");
    // az sends the numbers as text.
    let body = r#"{"methodName":"ping","payload":{"a":1},"responseTimeoutInSeconds":"30","connectTimeoutInSeconds":"30"}"#;
    let answer = async {
        let (topic, payload) = device.json_message().await;
        assert_eq!(payload, json!({"a": 1}));
        let rid = topic.rsplit('=').next().expect("a request ID").to_owned();
        device.publish(&format!("$iothub/methods/res/418/?$rid={rid}"), r#"{"pong":true}"#).await;
    };
    let (called, ()) = tokio::join!(service.call("POST", &target, &[], body), answer);
    assert_eq!((called.status, &called.body), (200, &json!({"status": 418, "payload": {"pong": true}})));
    // What is legal as it is written stays so: 31,000 numbers in short form would have 403 KB in another.
    for payload in [format!("[{}]", vec!["1e9"; 31_000].join(",")), "null".to_owned()] {
        let body = format!(r#"{{"methodName":"ping","payload":{payload}}}"#);
        let answer = async {
            let (topic, body) = device.message().await;
            assert_eq!(String::from_utf8_lossy(&body), payload);
            let rid = topic.rsplit('=').next().expect("a request ID").to_owned();
            device.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), "").await;
        };
        let (called, ()) = tokio::join!(service.call("POST", &target, &[], &body), answer);
        assert_eq!(called.status, 200, "{}", called.body);
    }
    device.disconnect().await;

    let offline = service.call("POST", &target, &[], r#"{"methodName":"ping"}"#).await;
    assert_eq!((offline.status, offline.header("iothub-errorcode")), (404, Some("DeviceNotOnline")));
    let inner: Value =
        serde_json::from_str(offline.body["Message"].as_str().expect("text")).expect("JSON in text");
    assert_eq!(inner["errorCode"], 404_103);
    let nobody = service
        .call("POST", &format!("/twins/nobody/methods?{VERSION}"), &[], r#"{"methodName":"ping"}"#)
        .await;
    assert_eq!((nobody.status, nobody.header("iothub-errorcode")), (404, Some("DeviceNotFound")));
    for bad in [
        "{}",
        r#"{"methodName":"a/b"}"#,
        r#"{"methodName":"p","responseTimeoutInSeconds":1}"#,
        r#"{"methodName":"p","connectTimeoutInSeconds":"soon"}"#,
    ] {
        assert_eq!(service.call("POST", &target, &[], bad).await.status, 400, "{bad}");
    }
    let method = DirectMethod {
        method_name: "x".into(),
        payload: None,
        response_timeout: PATIENCE,
        connect_timeout: std::time::Duration::ZERO,
    };
    let result: Result<MethodResult, _> =
        lab.emulator.hub("hub-1").expect("the hub").invoke("d1", &method).await;
    assert_eq!(result.expect_err("offline").error_code(), 404_103);
}

#[tokio::test]
async fn messages_and_telemetry_pass_by_rest() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    let mut device = lab.online("d1").await;
    let headers = [("iothub-messageid", "m-1"), ("iothub-app-colour", "red")];
    let sent = service.call("POST", "/devices/d1/messages/deviceBound", &headers, "hello").await;
    assert_eq!(sent.status, 204);
    device.subscribe("devices/d1/messages/devicebound/#").await;
    let (topic, body) = device.message().await;
    assert!(topic.contains("%24.mid=m-1") && topic.contains("colour=red"), "{topic}");
    assert_eq!(body, b"hello");
    // Names of headers know no case, names of properties do.
    let headers = [("IOTHUB-APP-Properties", "Colour=red&berth%20no=%C3%A9&flag")];
    assert_eq!(service.call("POST", "/devices/d1/messages/deviceBound", &headers, "x").await.status, 204);
    let (topic, _) = device.message().await;
    assert!(topic.contains("Colour=red&berth%20no=%C3%A9&flag="), "{topic}");
    for bad in ["%ff", "$.mid=1", "%24.to=x", "=1", "\u{e9}=1"] {
        let headers = [("iothub-app-properties", bad)];
        let refused = service.call("POST", "/devices/d1/messages/deviceBound", &headers, "x").await;
        assert_eq!(
            (refused.status, refused.header("iothub-errorcode")),
            (400, Some("ArgumentInvalid")),
            "{bad}"
        );
    }
    let headers = [("iothub-messageid", "m-1"), ("iothub-app-colour", "red")];
    service.call("PUT", &format!("/devices/away?{VERSION}"), &[], &az_device("away")).await;
    assert_eq!(
        service.call("POST", "/devices/away/messages/deviceBound", &headers, "hello").await.status,
        204
    );
    let purged = service.call("DELETE", &format!("/devices/away/commands?{VERSION}"), &[], "").await;
    assert_eq!(purged.body["totalMessagesPurged"], 1, "{}", purged.body);

    let mut stream = service.connect().await;
    let request = format!(
        "GET /telemetry?deviceId=d1 HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nLast-Event-ID: 0\r\n\r\n",
        service.host,
        service.token()
    );
    device.publish("devices/d1/messages/events/%24.mid=t-1", r#"{"temperature":4.5}"#).await;
    lab.online("d2").await.publish("devices/d2/messages/events/", "another").await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    device.publish("devices/d1/messages/events/", "text").await;
    let mut text = String::new();
    while !text.contains("bodyText") {
        let mut buffer = [0; 4096];
        let read =
            tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time").expect("open");
        assert_ne!(read, 0, "{text}");
        text += std::str::from_utf8(&buffer[..read]).expect("text");
    }
    assert!(text.contains("text/event-stream") && text.contains("id: 1\n"), "{text}");
    assert!(text.contains(r#""body":{"temperature":4.5}"#) && text.contains(r#""mid":"t-1""#), "{text}");
    assert!(!text.contains("another"), "{text}");
}

#[tokio::test]
async fn bulk_requests_and_policies_are_heeded() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let target = format!("/devices?{VERSION}");
    let body =
        json!([{"id": "a", "importMode": "create"}, {"id": "b", "importMode": "create", "tags": {"x": 1}}])
            .to_string();
    assert_eq!(
        hub.call("POST", &target, &[], &body).await.body,
        json!({"isSuccessful": true, "errors": [], "warnings": []})
    );
    let partly = hub.call("POST", &target, &[], &body).await;
    assert_eq!((partly.status, &partly.body["errors"][0]["errorCode"]), (400, &json!("DeviceAlreadyExists")));
    let body = json!([{"id": "a", "importMode": "delete"}, {"id": "b", "importMode": "updateTwin", "tags": {"x": 2}}]).to_string();
    assert_eq!(hub.call("POST", &target, &[], &body).await.status, 200);
    assert_eq!(hub.get(&format!("/twins/b?{VERSION}")).await.body["tags"], json!({"x": 2}));

    let reader = Service::of(&lab.emulator, "hub-1", "registryRead");
    assert_eq!(reader.get(&format!("/devices/b?{VERSION}")).await.status, 200);
    assert_eq!(reader.call("DELETE", &format!("/devices/b?{VERSION}"), &[], "").await.status, 401);
    let service = Service::of(&lab.emulator, "hub-1", "service");
    assert_eq!(service.get(&format!("/twins/b?{VERSION}")).await.status, 200);
    assert_eq!(service.get(&format!("/devices/b?{VERSION}")).await.status, 401);
    assert_eq!(service.get(&format!("/digitaltwins/b?{VERSION}")).await.status, 200);
    assert_eq!(reader.get(&format!("/digitaltwins/b?{VERSION}")).await.status, 401);
}

/// Whole twins are taken as the tools send them; a slip of the pen is refused, where it would be lost without a word.
#[tokio::test]
async fn a_misspelt_member_of_a_twin_is_refused_and_a_whole_twin_is_not() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    hub.call("PUT", &format!("/devices/d1?{VERSION}"), &[], &az_device("d1")).await;
    let path = format!("/twins/d1?{VERSION}");
    let mut whole = hub.get(&path).await.body;
    for (bad, part) in [
        (r#"{"desiredProperties":{"a":1}}"#, "desiredProperties"),
        (r#"{"propertys":{"desired":{"a":1}}}"#, "propertys"),
        (r#"{"Tags":{"a":1}}"#, "Tags"),
        (r#"{"properties":{"desird":{"a":1}}}"#, "properties.desird"),
        (r#"{"properties":{"desired":{"$x":1}}}"#, "$x"),
        (r#"{"tags":{"$x":1}}"#, "$x"),
        (r#"{"tags":{"a#b":1}}"#, "a#b"),
    ] {
        for method in ["PATCH", "PUT"] {
            let refused = hub.call(method, &path, &[], bad).await;
            assert_eq!(
                (refused.status, refused.header("iothub-errorcode")),
                (400, Some("ArgumentInvalid")),
                "{bad}"
            );
            assert!(
                refused.body["Message"].as_str().is_some_and(|text| text.contains(part)),
                "{}",
                refused.body
            );
        }
    }
    assert_eq!(hub.get(&path).await.body["version"], whole["version"], "nothing has changed");
    // As read, with what service SDKs know beyond that, and with what az adds to what it shows.
    whole["hub"] = json!("hub-1.azure-devices.net");
    for member in ["moduleId", "configurations", "deviceScope", "parentScopes", "statusReason"] {
        whole[member] = Value::Null;
    }
    whole["properties"]["desired"]["a"] = json!(1);
    for method in ["PATCH", "PUT"] {
        let taken = hub.call(method, &path, &[], &whole.to_string()).await;
        assert_eq!(
            (taken.status, &taken.body["properties"]["desired"]["a"]),
            (200, &json!(1)),
            "{}",
            taken.body
        );
    }
}

#[tokio::test]
async fn queries_know_the_reason_of_a_status_and_names_in_double_brackets() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    for id in ["d1", "d2"] {
        hub.call("PUT", &format!("/devices/{id}?{VERSION}"), &[], &az_device(id)).await;
    }
    let body = json!({"deviceId": "d1", "status": "disabled", "statusReason": "stolen"}).to_string();
    hub.call("PUT", &format!("/devices/d1?{VERSION}"), &[("If-Match", "\"*\"")], &body).await;
    let tags = r#"{"tags":{"group":"a","order":{"by":7},"my-tag":1}}"#;
    hub.call("PATCH", &format!("/twins/d2?{VERSION}"), &[], tags).await;
    for (text, expected) in [
        (
            "SELECT deviceId, statusReason FROM devices WHERE statusReason = 'stolen'",
            json!([{"deviceId": "d1", "statusReason": "stolen"}]),
        ),
        ("SELECT deviceId FROM devices WHERE NOT IS_DEFINED(statusreason)", json!([{"deviceId": "d2"}])),
        ("SELECT deviceId FROM devices WHERE tags.[[group]] = 'a'", json!([{"deviceId": "d2"}])),
        (
            "SELECT d.tags.[[order]].[[by]] AS [[select]] FROM devices d WHERE IS_DEFINED(tags.[[my-tag]])",
            json!([{"select": 7}]),
        ),
        (
            "SELECT COUNT() AS n FROM devices WHERE tags.[[group]] IN ['a'] GROUP BY tags.[[group]]",
            json!([{"n": 1}]),
        ),
    ] {
        let query = json!({ "query": text }).to_string();
        let found = hub.call("POST", &format!("/devices/query?{VERSION}"), &[], &query).await;
        assert_eq!((found.status, &found.body), (200, &expected), "{text}");
    }
    for bad in ["SELECT * FROM devices WHERE tags.[[]] = 1", "SELECT * FROM devices WHERE tags.[[a] = 1"] {
        let query = json!({ "query": bad }).to_string();
        assert_eq!(
            hub.call("POST", &format!("/devices/query?{VERSION}"), &[], &query).await.status,
            400,
            "{bad}"
        );
    }
}

/// An entity tag stands in quotes; without them a hub sees no condition, and a caller's fault stays hidden, as at Azure.
#[tokio::test]
async fn a_condition_without_quotes_is_none_to_a_hub() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let device = format!("/devices/d1?{VERSION}");
    hub.call("PUT", &device, &[], &az_device("d1")).await;
    for (condition, status) in [("AAAA", 200), ("*", 200), ("\"*\"", 200), ("\"AAAA\"", 412)] {
        let headers = [("If-Match", condition)];
        assert_eq!(hub.call("PUT", &device, &headers, &az_device("d1")).await.status, status, "{condition}");
        for method in ["PATCH", "PUT"] {
            let twin =
                hub.call(method, &format!("/twins/d1?{VERSION}"), &headers, r#"{"tags":{"a":1}}"#).await;
            assert_eq!(twin.status, status, "{method} {condition}");
        }
    }
    assert_eq!(hub.call("DELETE", &device, &[("If-Match", "\"AAAA\"")], "").await.status, 412);
    assert_eq!(hub.call("DELETE", &device, &[("If-Match", "AAAA")], "").await.status, 204);
}

#[tokio::test]
async fn how_much_came_from_some_devices_is_counted() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let mut device = lab.online("box-0000001").await;
    for id in ["box-0000002", "crate-1"] {
        lab.online(id).await;
    }
    let counts =
        async |from: &str, to: &str| hub.get(&format!("/statistics/telemetry?from={from}&to={to}")).await;
    let none = counts("box-0000000", "box-0000009").await;
    assert_eq!((none.status, &none.body["devices"], &none.body["received"]), (200, &json!(2), &json!(0)));
    assert!(none.body["since"].is_string() && none.body["now"].is_string(), "{}", none.body);
    let health = hub.call_with("GET", "/health", &[], "").await;
    assert_eq!((health.status, &health.body["status"]), (200, &json!("ready")), "whoever asks");
    assert_eq!(counts("z", "a").await.body["devices"], 0);
    for id in ["1", "2", "1"] {
        device.publish(&format!("devices/box-0000001/messages/events/$.mid={id}"), "{}").await;
    }
    let some = counts("box-0000000", "box-0000009").await.body;
    let count = |name: &str| some[name].as_u64();
    assert_eq!(
        [count("received"), count("distinctMessageIds"), count("duplicates")],
        [Some(3), Some(2), Some(1)]
    );
    assert_eq!(counts("box-0000001", "box-0000001").await.body["devices"], 1);
    let bad = hub.get("/statistics/telemetry?from=a").await;
    assert_eq!((bad.status, bad.header("iothub-errorcode")), (400, Some("ArgumentInvalid")));
}
