//! Automatic device management and jobs, with the requests that Microsoft's tools send.

use std::time::Duration;

use crate::common::{Client, Lab, PATIENCE, service::Service};
use serde_json::{Value, json};
use tracker_emulator::{Authentication, DeviceCapabilities, Emulator, Hub, SymmetricKey};

const VERSION: &str = "api-version=2021-04-12";

fn configuration(id: &str, condition: &str, priority: u32, content: &Value) -> String {
    json!({"id": id, "schemaVersion": "1.0", "labels": {"author": "lab"}, "content": {"deviceContent": content},
           "targetCondition": condition, "priority": priority,
           "metrics": {"queries": {"slow": "SELECT deviceId FROM devices WHERE properties.desired.interval > 100"}}})
    .to_string()
}

/// Devices of a hub, each with the tag of a place.
fn devices(emulator: &Emulator, places: &[(&str, &str)]) -> Hub {
    let hub = emulator.hub("hub-1").expect("the hub");
    for (device_id, place) in places {
        let authentication = Authentication::sas(SymmetricKey::default());
        hub.create_device(device_id, authentication, DeviceCapabilities::default()).expect("a device");
        tag(&hub, device_id, place);
    }
    hub
}

fn tag(hub: &Hub, device_id: &str, place: &str) {
    let patch =
        tracker_emulator::TwinPatch { tags: json!({"place": place}).as_object().cloned(), desired: None };
    hub.update_twin(device_id, patch, &tracker_emulator::IfMatch::Any).expect("tagged");
}

/// Looks until it is so.
async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it comes about")
}

/// Waits until the desired properties of a device are these.
async fn desired(hub: &Hub, device_id: &str, wanted: Value) {
    until(async || {
        let mut desired = hub.twin(device_id).expect("a twin").properties.desired;
        desired.retain(|name, _| !name.starts_with('$'));
        (Value::Object(desired) == wanted).then_some(())
    })
    .await;
}

async fn results(service: &Service, id: &str, wanted: Value) {
    until(async || {
        let shown = service.get(&format!("/configurations/{id}?{VERSION}")).await.body;
        let found = json!([shown["systemMetrics"]["results"], shown["metrics"]["results"]]);
        (found == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn configurations_reach_devices_by_priority_as_they_come_change_and_go() {
    let lab = Lab::start().await;
    let hub = devices(&lab.emulator, &[("d1", "quay"), ("d2", "quay"), ("d3", "sea")]);
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    let service = Service::hub(&lab.emulator);
    let put = async |id: &str, body: &str, headers: &[(&str, &str)]| {
        service.call("PUT", &format!("/configurations/{id}?{VERSION}"), headers, body).await
    };
    let low = configuration(
        "low",
        "tags.place = 'quay'",
        1,
        &json!({"properties.desired": {"interval": 300, "fan": 1}}),
    );
    let made = put("low", &low, &[]).await;
    assert_eq!((made.status, &made.body["etag"]), (200, &json!("MQ==")), "{}", made.body);
    assert_eq!(
        made.body["content"],
        json!({"deviceContent": {"properties.desired": {"interval": 300, "fan": 1}}})
    );
    let (topic, body) = device.json_message().await;
    assert!(topic.starts_with("$iothub/twin/PATCH/properties/desired/"), "{topic}");
    assert_eq!((&body["interval"], &body["fan"]), (&json!(300), &json!(1)));
    desired(&hub, "d2", json!({"interval": 300, "fan": 1})).await;
    desired(&hub, "d3", json!({})).await;
    results(&service, "low", json!([{"targetedCount": 2, "appliedCount": 2}, {"slow": 2}])).await;

    let high = configuration("high", "tags.place = 'quay'", 9, &json!({"properties.desired.interval": 60}));
    put("high", &high, &[]).await;
    desired(&hub, "d2", json!({"interval": 60, "fan": 1})).await;
    let twin = service.get(&format!("/twins/d2?{VERSION}")).await.body;
    assert_eq!(
        twin["configurations"],
        json!({"high": {"status": "Applied"}, "low": {"status": "Applied"}}),
        "a part of it counts"
    );
    let applied =
        r#"{"query":"SELECT deviceId FROM devices WHERE configurations.[[high]].status = 'Applied'"}"#;
    let applied = service.call("POST", &format!("/devices/query?{VERSION}"), &[], applied).await.body;
    assert_eq!(applied, json!([{"deviceId": "d1"}, {"deviceId": "d2"}]));

    // A device comes, one goes out of scope, and what somebody has changed by hand is changed back.
    tag(&hub, "d3", "quay");
    desired(&hub, "d3", json!({"interval": 60, "fan": 1})).await;
    tag(&hub, "d2", "sea");
    desired(&hub, "d2", json!({})).await;
    hub.update_twin_desired("d3", json!({"interval": 7, "own": true})).expect("patched");
    desired(&hub, "d3", json!({"interval": 60, "fan": 1, "own": true})).await;

    // Whom it targets changes with the condition; content does not change.
    let moved = configuration("high", "tags.place = 'sea'", 9, &json!({"properties.desired.interval": 60}));
    assert_eq!(put("high", &moved, &[]).await.status, 409);
    assert_eq!(put("high", &moved, &[("If-Match", "\"NA==\"")]).await.status, 412);
    let changed = put("high", &moved, &[("If-Match", "\"MQ==\"")]).await;
    assert_eq!((changed.status, &changed.body["etag"]), (200, &json!("Mg==")), "{}", changed.body);
    desired(&hub, "d3", json!({"interval": 300, "fan": 1, "own": true})).await;
    desired(&hub, "d2", json!({"interval": 60})).await;
    let other = configuration("high", "*", 9, &json!({"properties.desired.interval": 61}));
    assert_eq!(put("high", &other, &[("If-Match", "\"*\"")]).await.status, 400);

    let list = service.get(&format!("/configurations?top=1&{VERSION}")).await.body;
    assert_eq!((list[0]["id"].as_str(), list.as_array().map(Vec::len)), (Some("high"), Some(1)));
    for id in ["low", "high"] {
        let path = format!("/configurations/{id}?{VERSION}");
        assert_eq!(service.call("DELETE", &path, &[("If-Match", "\"*\"")], "").await.status, 204);
        let gone = service.get(&path).await;
        assert_eq!((gone.status, gone.header("iothub-errorcode")), (404, Some("ConfigurationNotFound")));
    }
    desired(&hub, "d3", json!({"own": true})).await;
    desired(&hub, "d2", json!({})).await;
    assert!(hub.twin("d3").expect("a twin").configurations.is_empty());
}

#[tokio::test]
async fn what_no_configuration_can_be_is_refused_and_queries_can_be_tried() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let content = json!({"deviceContent": {"properties.desired.a": 1}});
    for (id, body, part) in [
        ("Upper", json!({"content": content}), "cannot be the id"),
        ("c", json!({"id": "other", "content": content}), "not the one in the path"),
        ("c", json!({}), "exactly one of"),
        ("c", json!({"content": {"deviceContent": {}, "moduleContent": {}}}), "exactly one of"),
        (
            "c",
            json!({"content": {"deviceContent": {"desired.a": 1}}}),
            "does not begin with properties.desired",
        ),
        ("c", json!({"content": {"deviceContent": {"properties.desired.a": [null]}}}), "holds no nulls"),
        ("c", json!({"content": content, "targetCondition": "tags.a ="}), "targetCondition: "),
        ("c", json!({"content": content, "targetCondition": "FROM devices.jobs"}), "targets devices"),
        ("c", json!({"content": content, "targetCondition": "FROM devices.modules"}), "targetCondition: "),
        (
            "c",
            json!({"content": {"moduleContent": {"properties.desired.a": 1}}, "targetCondition": "*"}),
            "FROM devices.modules WHERE",
        ),
        ("c", json!({"content": content, "priority": -1}), "priority"),
        ("c", json!({"content": content, "schemaVersion": "new"}), "schemaVersion"),
        ("c", json!({"content": content, "labels": {"a": 1}}), "not as it has to be"),
        ("c", json!({"content": content, "metrics": {"queries": {"m": "SELECT"}}}), "metrics.queries.m: "),
        (
            "c",
            json!({"content": content, "metrics": {"queries": {"1": "SELECT *", "2": "SELECT *", "3": "SELECT *",
                   "4": "SELECT *", "5": "SELECT *", "6": "SELECT *"}}}),
            "at most 5",
        ),
    ] {
        let path = format!("/configurations/{id}?{VERSION}");
        let refused = hub.call("PUT", &path, &[], &body.to_string()).await;
        assert_eq!(
            (refused.status, refused.header("iothub-errorcode")),
            (400, Some("ArgumentInvalid")),
            "{body}"
        );
        assert!(refused.text.contains(part), "{body}: {}", refused.text);
    }
    let body = json!({"targetCondition": "tags.a =", "customMetricQueries": {"good": "SELECT *", "bad": "SELECT * FROM moon"}});
    let path = format!("/configurations/testQueries?{VERSION}");
    let tried = hub.call("POST", &path, &[], &body.to_string()).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert!(tried.body["targetConditionError"].is_string());
    let wrong = tried.body["customMetricQueryErrors"].as_object().expect("an object");
    assert_eq!(wrong.keys().collect::<Vec<_>>(), ["bad"]);
    let missing = hub
        .call(
            "PUT",
            &format!("/configurations/c?{VERSION}"),
            &[("If-Match", "\"*\"")],
            &json!({"content": content}).to_string(),
        )
        .await;
    assert_eq!(missing.status, 404);
}

/// A condition over what a configuration itself sets has no end: the hub does.
#[tokio::test]
async fn a_configuration_that_contradicts_itself_comes_to_rest() {
    let lab = Lab::start().await;
    let hub = devices(&lab.emulator, &[("d1", "quay")]);
    let service = Service::hub(&lab.emulator);
    let body =
        configuration("c", "NOT IS_DEFINED(properties.desired.a)", 1, &json!({"properties.desired.a": 1}));
    assert_eq!(service.call("PUT", &format!("/configurations/c?{VERSION}"), &[], &body).await.status, 200);
    until(async || (hub.twin("d1").expect("a twin").version > 3).then_some(())).await;
    hub.apply_configurations();
    let version = hub.twin("d1").expect("a twin").version;
    hub.apply_configurations();
    assert_eq!(hub.twin("d1").expect("a twin").version, version);
}

/// Answers the calls of methods with this status until it is dropped.
async fn answer(mut device: Client, status: u16) {
    loop {
        let (topic, payload) = device.message().await;
        let rid = topic.rsplit('=').next().expect("a request ID").to_owned();
        device.publish(&format!("$iothub/methods/res/{status}/?$rid={rid}"), payload).await;
    }
}

async fn job(service: &Service, id: &str, status: &str) -> Value {
    until(async || {
        let shown = service.get(&format!("/jobs/v2/{id}?{VERSION}")).await.body;
        (shown["status"] == status).then_some(shown)
    })
    .await
}

#[tokio::test]
async fn jobs_change_twins_and_call_methods_and_tell_what_became_of_each_device() {
    let lab = Lab::start().await;
    let hub = devices(&lab.emulator, &[("d2", "quay"), ("d3", "sea")]);
    let mut device = lab.online("d1").await;
    device.subscribe("$iothub/methods/POST/#").await;
    tag(&hub, "d1", "quay");
    let service = Service::hub(&lab.emulator);
    let put = async |id: &str, body: Value| {
        service.call("PUT", &format!("/jobs/v2/{id}?{VERSION}"), &[], &body.to_string()).await
    };
    let twin = json!({"etag": "*", "tags": {"seen": true}, "properties": {"desired": {"a": 1}}});
    let body = json!({"jobId": "t", "type": "scheduleUpdateTwin", "updateTwin": twin,
                      "queryCondition": "deviceId IN ['d2', 'd3']", "startTime": null, "maxExecutionTimeInSeconds": 120});
    let made = put("t", body.clone()).await;
    assert_eq!((made.status, &made.body["status"]), (200, &json!("queued")), "{}", made.body);
    let nobody = json!({"type": "scheduleUpdateTwin", "updateTwin": {"tags": {}}, "queryCondition": "tags.place = 'moon'"});
    put("n", nobody).await;
    let answering = tokio::spawn(answer(device, 207));
    let call = json!({"methodName": "ping", "payload": {"n": 1}, "responseTimeoutInSeconds": 30});
    let calls = json!({"jobId": "m", "type": "scheduleDeviceMethod", "cloudToDeviceMethod": call,
                       "queryCondition": "tags.place = 'quay'"});
    assert_eq!(put("m", calls).await.status, 200);
    let done = job(&service, "t", "completed").await;
    assert_eq!(done["updateTwin"], twin);
    assert_eq!(
        done["deviceJobStatistics"],
        json!({"deviceCount": 2, "failedCount": 0, "succeededCount": 2, "runningCount": 0, "pendingCount": 0})
    );
    let changed = service.get(&format!("/twins/d3?{VERSION}")).await.body;
    assert_eq!((&changed["tags"]["seen"], &changed["properties"]["desired"]["a"]), (&json!(true), &json!(1)));
    let again = put("t", body).await;
    assert_eq!((again.status, again.header("iothub-errorcode")), (409, Some("JobAlreadyExists")));

    let done = job(&service, "m", "completed").await;
    answering.abort();
    assert_eq!(
        (&done["deviceJobStatistics"]["succeededCount"], &done["deviceJobStatistics"]["failedCount"]),
        (&json!(1), &json!(1)),
        "{done}"
    );
    let query = r#"{"query":"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'm'"}"#;
    let rows = service.call("POST", &format!("/devices/query?{VERSION}"), &[], query).await;
    assert_eq!(rows.header("x-ms-item-type"), Some("DeviceJob"));
    let rows = rows.body;
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    assert_eq!(
        (&rows[0]["deviceId"], &rows[0]["status"], &rows[0]["jobType"]),
        (&json!("d1"), &json!("completed"), &json!("scheduleDeviceMethod"))
    );
    assert_eq!(rows[0]["outcome"]["deviceMethodResponse"], json!({"status": 207, "payload": {"n": 1}}));
    assert_eq!(
        (&rows[1]["status"], &rows[1]["error"]["code"]),
        (&json!("failed"), &json!("DeviceNotOnline"))
    );

    let failed = job(&service, "n", "failed").await;
    assert!(
        failed["failureReason"].as_str().is_some_and(|why| why.contains("holds for no device")),
        "{failed}"
    );
}

#[tokio::test]
async fn jobs_wait_for_their_time_are_cancelled_listed_and_refused() {
    let lab = Lab::start().await;
    devices(&lab.emulator, &[("d1", "quay")]);
    let service = Service::hub(&lab.emulator);
    let body = json!({"type": "scheduleUpdateTwin", "updateTwin": {"tags": {"late": 1}}, "queryCondition": "*",
                      "startTime": "2099-01-01T00:00:00Z"});
    for id in ["a", "b"] {
        assert_eq!(
            service.call("PUT", &format!("/jobs/v2/{id}?{VERSION}"), &[], &body.to_string()).await.status,
            200
        );
    }
    job(&service, "a", "scheduled").await;
    let cancelled = service.call("POST", &format!("/jobs/v2/a/cancel?{VERSION}"), &[], "").await;
    assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
    assert!(service.get(&format!("/twins/d1?{VERSION}")).await.body["tags"]["late"].is_null());
    job(&service, "b", "scheduled").await;
    let list = async |parameters: &str| {
        let listed = service.get(&format!("/jobs/v2/query?{VERSION}{parameters}")).await;
        let ids: Vec<_> =
            listed.body.as_array().into_iter().flatten().map(|job| job["jobId"].clone()).collect();
        (listed.status, json!(ids))
    };
    assert_eq!(list("").await, (200, json!(["a", "b"])));
    assert_eq!(list("&jobStatus=cancelled&jobType=scheduleUpdateTwin").await, (200, json!(["a"])));
    assert_eq!(list("&jobType=scheduleDeviceMethod").await, (200, json!([])));
    assert_eq!(list("&jobStatus=odd").await.0, 400);
    let first =
        service.call("GET", &format!("/jobs/v2/query?{VERSION}"), &[("x-ms-max-item-count", "1")], "").await;
    let more = first.header("x-ms-continuation").expect("there is more").to_owned();
    let second =
        service.call("GET", &format!("/jobs/v2/query?{VERSION}"), &[("x-ms-continuation", &more)], "").await;
    assert_eq!((second.body[0]["jobId"].as_str(), second.header("x-ms-continuation")), (Some("b"), None));
    for (method, path) in [("GET", "/jobs/v2/none"), ("POST", "/jobs/v2/none/cancel")] {
        let missing = service.call(method, &format!("{path}?{VERSION}"), &[], "").await;
        assert_eq!((missing.status, missing.header("iothub-errorcode")), (404, Some("JobNotFound")));
    }
    let refused =
        service.call("PUT", &format!("/jobs/v2/c?{VERSION}"), &[], r#"{"type":"scheduleUpdateTwin"}"#).await;
    assert_eq!((refused.status, refused.header("iothub-errorcode")), (400, Some("ArgumentInvalid")));
}

/// What a hub has to do goes on after a restart, wherever it was.
#[tokio::test]
async fn configurations_and_jobs_outlive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let start =
        async || Emulator::builder().state_directory(directory.path()).start().await.expect("it starts");
    let emulator = start().await;
    let hub = devices(&emulator, &[("d1", "quay"), ("d2", "sea")]);
    let service = Service::hub(&emulator);
    let body = configuration("c", "tags.place = 'quay'", 1, &json!({"properties.desired.a": 1}));
    assert_eq!(service.call("PUT", &format!("/configurations/c?{VERSION}"), &[], &body).await.status, 200);
    desired(&hub, "d1", json!({"a": 1})).await;
    let body = json!({"type": "scheduleUpdateTwin", "updateTwin": {"tags": {"late": 1}}, "queryCondition": "*",
                      "startTime": "2099-01-01T00:00:00Z"});
    assert_eq!(
        service.call("PUT", &format!("/jobs/v2/j?{VERSION}"), &[], &body.to_string()).await.status,
        200
    );
    let shown = service.get(&format!("/configurations/c?{VERSION}")).await.body;
    emulator.shutdown().await;

    let emulator = start().await;
    let (hub, service) = (emulator.hub("hub-1").expect("the hub"), Service::hub(&emulator));
    assert_eq!(service.get(&format!("/configurations/c?{VERSION}")).await.body, shown);
    job(&service, "j", "scheduled").await;
    tag(&hub, "d2", "quay");
    desired(&hub, "d2", json!({"a": 1})).await;
    assert_eq!(service.call("DELETE", &format!("/configurations/c?{VERSION}"), &[], "").await.status, 204);
    desired(&hub, "d1", json!({})).await;
    emulator.shutdown().await;
}

/// The desired properties of a module, without what the hub adds.
async fn module_desired(service: &Service, device_id: &str, module_id: &str) -> Value {
    let twin = service.get(&format!("/twins/{device_id}/modules/{module_id}?{VERSION}")).await.body;
    let mut desired = twin["properties"]["desired"].clone();
    if let Some(members) = desired.as_object_mut() {
        members.retain(|name, _| !name.starts_with('$'));
    }
    desired
}

#[tokio::test]
async fn deployments_reach_the_modules_of_edge_devices_and_layers_go_upon_them() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    let edge =
        json!({"deviceId": "e1", "capabilities": {"iotEdge": true}, "authentication": {"type": "sas"}});
    let edge = service.call("PUT", &format!("/devices/e1?{VERSION}"), &[], &edge.to_string()).await;
    assert_eq!(edge.status, 200, "{}", edge.text);
    devices(&lab.emulator, &[("leaf", "quay")]);
    let whole = |image: &str| {
        json!({"$edgeAgent": {"properties.desired": {"modules": {"m1": {"image": image}}}},
               "$edgeHub": {"properties.desired": {"routes": {}}}, "m1": {"properties.desired": {"limit": 1}}})
    };
    let apply = async |device_id: &str, content: Value| {
        let path = format!("/devices/{device_id}/applyConfigurationContent?{VERSION}");
        service.call("POST", &path, &[], &content.to_string()).await
    };
    assert_eq!(apply("e1", json!({"modulesContent": whole("0")})).await.status, 204);
    let listed = service.get(&format!("/devices/e1/modules?{VERSION}")).await.body;
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    assert_eq!(module_desired(&service, "e1", "m1").await, json!({"limit": 1}));
    assert_eq!(apply("leaf", json!({"modulesContent": whole("0")})).await.status, 400);
    assert_eq!(apply("nobody", json!({"modulesContent": whole("0")})).await.status, 404);
    assert_eq!(apply("e1", json!({"modulesContent": {"a b": {"properties.desired": {}}}})).await.status, 400);
    let many: serde_json::Map<_, _> =
        (0..50).map(|n| (format!("n{n}"), json!({"properties.desired": {}}))).collect();
    assert_eq!(apply("e1", json!({"modulesContent": many})).await.status, 413);

    let put = async |id: &str, priority: u32, modules: Value| {
        let body =
            json!({"content": {"modulesContent": modules}, "targetCondition": "*", "priority": priority});
        let path = format!("/configurations/{id}?{VERSION}");
        assert_eq!(service.call("PUT", &path, &[], &body.to_string()).await.status, 200);
    };
    put("base", 5, whole("1")).await;
    put("lower", 1, whole("2")).await;
    put("layer", 9, json!({"$edgeAgent": {"properties.desired.modules.m2": {"image": "3"}}, "m2": {"properties.desired": {"x": 1}}})).await;
    let agent = json!({"modules": {"m1": {"image": "1"}, "m2": {"image": "3"}}});
    until(async || (module_desired(&service, "e1", "$edgeAgent").await == agent).then_some(())).await;
    assert_eq!(module_desired(&service, "e1", "m2").await, json!({"x": 1}));
    for (id, applied) in [("base", 1), ("lower", 0), ("layer", 1)] {
        until(async || {
            let shown = service.get(&format!("/configurations/{id}?{VERSION}")).await.body;
            let results = &shown["systemMetrics"]["results"];
            (results["targetedCount"] == 1 && results["appliedCount"] == applied).then_some(())
        })
        .await;
    }
    // What somebody changes in a module by hand is set right.
    let path = format!("/twins/e1/modules/m1?{VERSION}");
    let patch = r#"{"properties":{"desired":{"limit":7}}}"#;
    assert_eq!(service.call("PATCH", &path, &[], patch).await.status, 200);
    until(async || (module_desired(&service, "e1", "m1").await == json!({"limit": 1})).then_some(())).await;
    let module = json!({"content": {"moduleContent": {"properties.desired.y": 2}}, "priority": 1,
                        "targetCondition": "FROM devices.modules WHERE moduleId = 'm2'"});
    let path = format!("/configurations/module?{VERSION}");
    assert_eq!(service.call("PUT", &path, &[], &module.to_string()).await.status, 200);
    results(&service, "module", json!([{"targetedCount": 1, "appliedCount": 1}, {}])).await;
    for id in ["lower", "layer", "base", "module"] {
        let path = format!("/configurations/{id}?{VERSION}");
        assert_eq!(service.call("DELETE", &path, &[], "").await.status, 204);
    }
    until(async || {
        let twin = service.get(&format!("/twins/e1/modules/$edgeAgent?{VERSION}")).await.body;
        twin["configurations"].is_null().then_some(())
    })
    .await;
    let agent = module_desired(&service, "e1", "$edgeAgent").await;
    assert_eq!(agent["modules"]["m1"], json!({"image": "1"}), "modules stay, as at Azure");
}
