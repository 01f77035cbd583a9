//! Export and import of the registry, to containers of the storage.

use std::sync::Arc;

use crate::common::{HUB, PATIENCE, https::Caller, service::Service};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tracker_emulator::{Emulator, ManualClock};

const VERSION: &str = "api-version=2021-04-12";

async fn start() -> Emulator {
    Emulator::builder().hubs(["hub-1", "hub-2"]).start().await.expect("it starts")
}

/// Makes a container; gives its URI.
async fn container(hub: &Service, name: &str) -> String {
    let made = hub.call("PUT", &format!("/blobContainers/{name}"), &[], "").await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.body["uri"].as_str().expect("a URI").to_owned()
}

/// A blob of a container, in the form of a call.
fn blob(uri: &str, name: &str) -> String {
    let (_, path) = uri.strip_prefix("https://").and_then(|rest| rest.split_once('/')).expect("a path");
    let (container, query) = path.split_once('?').expect("a signature");
    format!("/{container}/{name}?{query}")
}

/// Begins a job and waits for its end.
async fn job(hub: &Service, body: &Value) -> Value {
    let begun = hub.call("POST", &format!("/jobs/create?{VERSION}"), &[], &body.to_string()).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let id = begun.body["jobId"].as_str().expect("an ID").to_owned();
    let ended = async {
        loop {
            let job = hub.get(&format!("/jobs/{id}?{VERSION}")).await;
            if job.body["status"] != "running" {
                return job.body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends")
}

async fn make(hub: &Service, id: &str) {
    let body = json!({ "deviceId": id }).to_string();
    assert_eq!(hub.call("PUT", &format!("/devices/{id}?{VERSION}"), &[], &body).await.status, 200);
}

#[tokio::test]
async fn a_registry_is_exported_and_imported_into_another_hub() {
    let emulator = start().await;
    let (one, two) = (Service::hub(&emulator), Service::of(&emulator, "hub-2", "iothubowner"));
    for number in 0..120 {
        make(&one, &format!("d-{number:03}")).await;
    }
    let tags =
        json!({"tags": {"berth": 7}, "properties": {"desired": {"telemetryInterval": 30}}}).to_string();
    assert_eq!(one.call("PATCH", &format!("/twins/d-007?{VERSION}"), &[], &tags).await.status, 200);
    let uri = container(&one, "exports").await;
    let done =
        job(&one, &json!({"type": "export", "outputBlobContainerUri": uri, "excludeKeysInExport": false}))
            .await;
    assert_eq!(
        (&done["status"], &done["progress"], &done["type"]),
        (&json!("completed"), &json!(100), &json!("export")),
        "{done}"
    );
    assert!(!done.to_string().contains("sig="), "{done}");
    let storage = Caller::new(&emulator, HUB, None);
    let text = storage.get(&blob(&uri, "devices.txt")).await;
    assert!(text.status == 200 && !text.body.is_empty(), "{text:?}");
    let text = String::from_utf8(text.body).expect("text");
    assert_eq!(text.lines().count(), 120);
    let line: Value = serde_json::from_str(text.lines().nth(7).expect("a line")).expect("JSON");
    assert_eq!((&line["id"], &line["tags"]["berth"]), (&json!("d-007"), &json!(7)), "{line}");
    assert!(line["authentication"]["symmetricKey"]["primaryKey"].is_string());

    // Into another hub, with a line that can't be, one that is no JSON, and one that is there.
    make(&two, "d-001").await;
    let input =
        format!("{text}not JSON\n{{\"id\":\"a b\"}}\n{{\"id\":\"d-001\",\"importMode\":\"create\"}}\n");
    let put = storage
        .call("PUT", &blob(&uri, "in.txt"), &[("x-ms-blob-type", "BlockBlob")], input.as_bytes())
        .await;
    assert_eq!(put.status, 201, "{put:?}");
    let order = json!({"type": "import", "inputBlobContainerUri": uri, "inputBlobName": "in.txt", "outputBlobContainerUri": uri});
    let done = job(&two, &order).await;
    assert_eq!(done["status"], json!("completed"), "{done}");
    let hub = emulator.hub("hub-2").expect("the hub");
    assert_eq!(hub.devices().len(), 120);
    let twin = hub.twin("d-007").expect("its twin");
    assert_eq!((&twin.tags["berth"], &twin.properties.desired["telemetryInterval"]), (&json!(7), &json!(30)));
    let key = |hub: &str| {
        emulator.hub(hub).expect("a hub").device("d-009").expect("there").authentication.symmetric_key
    };
    assert_eq!(key("hub-1").primary_key, key("hub-2").primary_key);
    let errors = storage.get(&blob(&uri, "importErrors.log")).await;
    let errors = String::from_utf8(errors.body).expect("text");
    let lines: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["line"], &line["errorCode"])).collect();
    assert_eq!(
        told,
        [
            (&json!(121), &json!("ArgumentInvalid")),
            (&json!(122), &json!("ArgumentInvalid")),
            (&json!(123), &json!("DeviceAlreadyExists"))
        ],
        "{errors}"
    );

    let without = json!({"type": "export", "outputBlobContainerUri": uri, "outputBlobName": "no/keys.txt", "excludeKeysInExport": true});
    assert_eq!(job(&one, &without).await["status"], json!("completed"));
    let text = storage.get(&blob(&uri, "no/keys.txt")).await;
    assert!(String::from_utf8(text.body).expect("text").contains("\"primaryKey\":null"));
    assert_eq!(one.get(&format!("/jobs?{VERSION}")).await.body.as_array().map(Vec::len), Some(2));
    emulator.shutdown().await;
}

#[tokio::test]
async fn configurations_go_along_if_they_are_asked_for() {
    let emulator = start().await;
    let (one, two) = (Service::hub(&emulator), Service::of(&emulator, "hub-2", "iothubowner"));
    let of = |interval: u32, priority: u32| {
        json!({"content": {"deviceContent": {"properties.desired.telemetryInterval": interval}},
            "targetCondition": "tags.place = 'quay'", "priority": priority,
            "metrics": {"queries": {"all": "SELECT deviceId FROM devices"}}})
    };
    for id in ["cold", "storm"] {
        let path = format!("/configurations/{id}?{VERSION}");
        assert_eq!(one.call("PUT", &path, &[], &of(60, 7).to_string()).await.status, 200);
    }
    // The other hub has one of them, which has changed there.
    let path = format!("/configurations/storm?{VERSION}");
    assert_eq!(two.call("PUT", &path, &[], &of(60, 1).to_string()).await.status, 200);
    assert_eq!(two.call("PUT", &path, &[("If-Match", "*")], &of(60, 1).to_string()).await.status, 200);
    let uri = container(&one, "exports").await;
    let order = json!({"type": "export", "outputBlobContainerUri": uri, "includeConfigurations": true,
        "configurationsBlobName": "all.txt"});
    let done = job(&one, &order).await;
    assert_eq!((&done["status"], &done["configurationsBlobName"]), (&json!("completed"), &json!("all.txt")));
    let storage = Caller::new(&emulator, HUB, None);
    let text = storage.get(&blob(&uri, "all.txt")).await.body;
    let text = String::from_utf8(text).expect("text");
    assert_eq!(text.lines().count(), 2);
    let line: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&line["id"], &line["metrics"]["results"]), (&json!("cold"), &Value::Null), "{line}");

    let input = text + "{\"id\":\"new\",\"importMode\":\"create\"}\nno JSON\n{\"id\":\"A B\"}\n";
    let put = blob(&uri, "all.txt");
    let put = storage.call("PUT", &put, &[("x-ms-blob-type", "BlockBlob")], input.as_bytes()).await;
    assert_eq!(put.status, 201, "{put:?}");
    let order = json!({"type": "import", "inputBlobContainerUri": uri, "outputBlobContainerUri": uri,
        "includeConfigurations": true, "configurationsBlobName": "all.txt"});
    assert_eq!(job(&two, &order).await["status"], "completed");
    let hub = emulator.hub("hub-2").expect("the hub");
    assert_eq!(hub.configuration("cold").expect("imported").priority, Some(7));
    assert_eq!(hub.configuration("storm").expect("as it was").priority, Some(1));
    let errors = storage.get(&blob(&uri, "importErrors.log")).await.body;
    let errors = String::from_utf8(errors).expect("text");
    let lines: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["line"], &line["errorCode"])).collect();
    let (bad, stale) = (json!("ArgumentInvalid"), json!("PreconditionFailed"));
    assert_eq!(told, [(&json!(2), &stale), (&json!(3), &bad), (&json!(4), &bad), (&json!(5), &bad)]);
    // Without the blob there is nothing to import.
    let order = json!({"type": "import", "inputBlobContainerUri": uri, "outputBlobContainerUri": uri,
        "includeConfigurations": true, "configurationsBlobName": "nothing.txt"});
    let failed = job(&two, &order).await;
    assert!(failed["failureReason"].as_str().is_some_and(|why| why.contains("nothing.txt")), "{failed}");
}

#[tokio::test]
async fn jobs_that_can_not_be_are_refused_and_those_that_fail_say_why() {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a time")));
    let emulator =
        Emulator::builder().clock(Arc::<ManualClock>::clone(&clock)).start().await.expect("it starts");
    let hub = Service::hub(&emulator);
    let uri = container(&hub, "files").await;
    let refused = async |body: Value| {
        let answer = hub.call("POST", &format!("/jobs/create?{VERSION}"), &[], &body.to_string()).await;
        (answer.status, answer.header("iothub-errorcode").unwrap_or_default().to_owned(), answer.text)
    };
    for (body, status, part) in [
        (json!({"type": "move"}), 400, "type has to be"),
        (json!({"type": "export"}), 400, "outputBlobContainerUri has to be the URI"),
        (
            json!({"type": "export", "outputBlobContainerUri": "https://x.blob.core.windows.net/files?sig=x"}),
            400,
            "signature",
        ),
        (
            json!({"type": "export", "outputBlobContainerUri": "http://169.254.169.254/files?sig=x"}),
            400,
            "https://",
        ),
        (
            json!({"type": "export", "outputBlobContainerUri": uri.replace("/files?", "/../x?")}),
            400,
            "container's name",
        ),
        (
            json!({"type": "export", "outputBlobContainerUri": uri.replace("sp=rcwdl", "sp=rcwdlx")}),
            400,
            "does not match",
        ),
        (
            json!({"type": "export", "outputBlobContainerUri": uri, "outputBlobName": "../x"}),
            400,
            "outputBlobName",
        ),
        (
            json!({"type": "export", "outputBlobContainerUri": uri, "storageAuthenticationType": "identityBased"}),
            501,
            "identityBased",
        ),
    ] {
        let (got, _, text) = refused(body.clone()).await;
        assert!(got == status && text.contains(part), "{body}: {text}");
        assert!(!text.contains("sig="), "{text}");
    }
    let failed =
        job(&hub, &json!({"type": "import", "inputBlobContainerUri": uri, "outputBlobContainerUri": uri}))
            .await;
    assert_eq!(failed["status"], json!("failed"));
    assert!(failed["failureReason"].as_str().is_some_and(|why| why.contains("devices.txt")), "{failed}");
    let id = failed["jobId"].as_str().expect("an ID");
    let ended = hub.call("DELETE", &format!("/jobs/{id}?{VERSION}"), &[], "").await;
    assert_eq!((ended.status, &ended.body["status"]), (200, &json!("failed")), "it has ended already");
    assert_eq!(hub.get(&format!("/jobs/nobody?{VERSION}")).await.status, 404);
    let reader = Service::of(&emulator, "hub-1", "registryRead");
    assert_eq!(reader.call("POST", &format!("/jobs/create?{VERSION}"), &[], "{}").await.status, 401);
    clock.advance(TimeDelta::hours(25));
    let (status, _, text) = refused(json!({"type": "export", "outputBlobContainerUri": uri})).await;
    assert!(status == 400 && text.contains("expired"), "{text}");
}

/// Edge devices keep the scopes that those below them name, whatever the order of the lines is.
#[tokio::test]
async fn who_is_below_whom_and_modules_come_along() {
    let emulator = start().await;
    let (one, two) = (Service::hub(&emulator), Service::of(&emulator, "hub-2", "iothubowner"));
    let edge = |id: &str, parents: &[Value]| {
        json!({"deviceId": id, "capabilities": {"iotEdge": true}, "parentScopes": parents}).to_string()
    };
    let put = async |path: &str, body: String| {
        let made = one.call("PUT", &format!("{path}?{VERSION}"), &[], &body).await;
        assert_eq!(made.status, 200, "{}", made.text);
        made.body["deviceScope"].clone()
    };
    // In the order of their IDs the lowest comes first.
    let top = put("/devices/z-top", edge("z-top", &[])).await;
    let middle = put("/devices/m-middle", edge("m-middle", std::slice::from_ref(&top))).await;
    put("/devices/a-leaf", json!({"deviceId": "a-leaf", "deviceScope": middle}).to_string()).await;
    put("/devices/a-leaf/modules/door", json!({"deviceId": "a-leaf", "moduleId": "door"}).to_string()).await;
    let uri = container(&one, "exports").await;
    let export = json!({"type": "export", "outputBlobContainerUri": uri, "excludeKeysInExport": false});
    assert_eq!(job(&one, &export).await["status"], "completed");
    let import = json!({"type": "import", "inputBlobContainerUri": uri, "outputBlobContainerUri": uri});
    assert_eq!(job(&two, &import).await["status"], "completed");
    for id in ["z-top", "m-middle", "a-leaf"] {
        let path = format!("/devices/{id}?{VERSION}");
        let (here, there) = (one.get(&path).await.body, two.get(&path).await.body);
        assert_eq!(there["deviceScope"], here["deviceScope"], "{id}: {there}");
        assert_eq!(there["parentScopes"], here["parentScopes"], "{id}: {there}");
    }
    assert_eq!(two.get(&format!("/devices/a-leaf/modules/door?{VERSION}")).await.status, 200);
    emulator.shutdown().await;
}
