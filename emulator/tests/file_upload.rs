//! Files that devices upload: a place from the hub, the blob at the door of the storage, and what the service is told.

use std::{path::Path, sync::Arc, time::Duration};

use crate::common::{
    HUB, Lab, PATIENCE,
    https::{Answer, Caller},
    service::Service,
};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracker_emulator::{Authentication, DeviceCapabilities, Emulator, EventKind, ManualClock, SymmetricKey};

const VERSION: &str = "api-version=2021-04-12";
const NOTICES: &str = "/messages/serviceBound/filenotifications";
const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

/// A device with symmetric keys, over HTTPS.
fn device(emulator: &Emulator, device_id: &str) -> Caller {
    let hub = emulator.hub("hub-1").expect("the hub");
    let known = hub.device(device_id).ok().map(|device| device.authentication);
    let keys = known.unwrap_or_else(|| {
        let keys = Authentication::sas(SymmetricKey::default());
        let made = hub.create_device(device_id, keys, DeviceCapabilities::default()).expect("a device");
        made.authentication
    });
    let key = keys.symmetric_key.primary_key.expect("a key");
    Caller::with_key(emulator, HUB, &format!("{HUB}/devices/{device_id}"), &key, None)
}

/// A client of blobs: with no token but that of the URI.
fn storage(emulator: &Emulator) -> Caller {
    Caller::new(emulator, HUB, None)
}

async fn begin(device: &Caller, device_id: &str, name: &str) -> Answer {
    let body = json!({ "blobName": name }).to_string();
    device.post(&format!("/devices/{device_id}/files?{VERSION}"), &body).await
}

/// The path and the query of a place.
fn target(place: &Value) -> String {
    let part = |name: &str| place[name].as_str().expect("a part").to_owned();
    format!("/{}/{}{}", part("containerName"), part("blobName").replace(' ', "%20"), part("sasToken"))
}

async fn end(device: &Caller, device_id: &str, place: &Value, is_success: bool) -> Answer {
    let body = json!({
        "correlationId": place["correlationId"], "isSuccess": is_success, "statusCode": 200,
        "statusDescription": "x",
    });
    device.post(&format!("/devices/{device_id}/files/notifications?{VERSION}"), &body.to_string()).await
}

/// A device uploads a file, from beginning to end.
pub(crate) async fn upload_one(emulator: &Emulator, device_id: &str, name: &str, content: &[u8]) {
    let device = device(emulator, device_id);
    let place = begin(&device, device_id, name).await.json();
    let put = storage(emulator).call("PUT", &target(&place), &[BLOCK_BLOB], content).await;
    assert_eq!(put.status, 201, "{put:?}");
    assert_eq!(end(&device, device_id, &place, true).await.status, 204);
}

#[tokio::test]
async fn a_device_uploads_a_file_and_the_service_is_told() {
    let state = tempfile::tempdir().expect("a directory");
    let lab = Lab::with(Emulator::builder().state_directory(state.path()).start().await.expect("it starts"));
    let mut events = lab.emulator.events();
    let (device, storage) = (device(&lab.emulator, "d1"), storage(&lab.emulator));
    let answer = begin(&device, "d1", "logs/on board.txt").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let place = answer.json();
    assert_eq!(
        (&place["hostName"], &place["containerName"], &place["blobName"]),
        (&json!(HUB), &json!("hub-1-uploads"), &json!("d1/logs/on board.txt"))
    );
    let headers = [BLOCK_BLOB, ("x-ms-blob-content-type", "text/plain"), ("x-ms-meta-voyage", "7")];
    let put = storage.call("PUT", &target(&place), &headers, b"hello, cloud").await;
    assert_eq!((put.status, put.body.len()), (201, 0), "{put:?}");
    assert!(put.header("etag").is_some() && put.header("x-ms-request-id").is_some());
    let kept = std::fs::read(state.path().join("storage/blobs/hub-1-uploads/d1/logs/on board.txt"));
    assert_eq!(kept.expect("a file of that name"), b"hello, cloud");

    let read = storage.call("GET", &target(&place), &[("x-ms-range", "bytes=7-99")], b"").await;
    assert_eq!((read.status, &read.body[..]), (206, &b"cloud"[..]), "{read:?}");
    assert_eq!(read.header("content-range"), Some("bytes 7-11/12"));
    assert_eq!(
        (read.header("content-type"), read.header("x-ms-meta-voyage")),
        (Some("text/plain"), Some("7"))
    );
    let head = storage.call("HEAD", &target(&place), &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
    let again = storage.call("PUT", &target(&place), &[BLOCK_BLOB, ("If-None-Match", "*")], b"x").await;
    assert_eq!((again.status, again.header("x-ms-error-code")), (409, Some("BlobAlreadyExists")));

    assert_eq!(end(&device, "d1", &place, true).await.status, 204);
    assert_eq!(end(&device, "d1", &place, true).await.status, 404, "it has ended");
    let service = Service::hub(&lab.emulator);
    let told = service.get(&format!("{NOTICES}?{VERSION}")).await;
    assert_eq!(told.status, 200);
    let uri = format!("https://{HUB}/hub-1-uploads/d1/logs/on board.txt");
    assert_eq!(
        (&told.body["deviceId"], &told.body["blobUri"], &told.body["blobSizeInBytes"]),
        (&json!("d1"), &json!(uri), &json!(12)),
        "{}",
        told.text
    );
    let lock = told.header("etag").expect("a lock").trim_matches('"').to_owned();
    let done = service.call("DELETE", &format!("{NOTICES}/{lock}?{VERSION}"), &[], "").await;
    assert_eq!(done.status, 204);
    assert_eq!(service.get(&format!("{NOTICES}?{VERSION}")).await.status, 204);
    let seen = async {
        while !matches!(events.next().await.expect("events").kind, EventKind::FileUploaded { bytes: 12, .. })
        {
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("it is told");
    lab.emulator.shutdown().await;
}

#[tokio::test]
async fn a_file_comes_in_blocks_and_an_empty_one_or_one_given_up_is_taken_as_well() {
    let lab = Lab::start().await;
    let (device, storage) = (device(&lab.emulator, "d1"), storage(&lab.emulator));
    let place = begin(&device, "d1", "big").await.json();
    let uri = target(&place);
    let block = vec![b'x'; 700_000];
    for id in ["MQ==", "Mg=="] {
        let put = storage.call("PUT", &format!("{uri}&comp=block&blockid={id}"), &[], &block).await;
        assert_eq!(put.status, 201, "{put:?}");
    }
    assert_eq!(storage.get(&uri).await.status, 404, "it is none yet");
    let early = end(&device, "d1", &place, true).await;
    assert_eq!((early.status, early.header("iothub-errorcode")), (404, Some("BlobNotFound")), "{early:?}");
    for (list, status) in [
        ("<BlockList><Latest>Mw==</Latest></BlockList>", 400),
        ("<BlockList><Latest>MQ==", 400),
        (
            "<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>",
            201,
        ),
    ] {
        let put = storage.call("PUT", &format!("{uri}&comp=blocklist"), &[], list.as_bytes()).await;
        assert_eq!(put.status, status, "{put:?}");
    }
    let whole = storage.get(&uri).await;
    assert_eq!((whole.status, whole.body.len()), (200, 1_400_000));
    assert_eq!(end(&device, "d1", &place, true).await.status, 204);

    let empty = begin(&device, "d1", "empty").await.json();
    assert_eq!(storage.call("PUT", &target(&empty), &[BLOCK_BLOB], b"").await.status, 201);
    let read = storage.get(&target(&empty)).await;
    assert_eq!((read.status, read.body.len()), (200, 0));
    assert_eq!(end(&device, "d1", &empty, true).await.status, 204);
    let given_up = begin(&device, "d1", "lost").await.json();
    // As Node's devices tell it: the number is in the path.
    let number = given_up["correlationId"].as_str().expect("a number");
    let told = format!("/devices/d1/files/notifications/{number}?{VERSION}");
    assert_eq!(device.post(&told, "{\"isSuccess\":false,\"statusCode\":500}").await.status, 204);
    let service = Service::hub(&lab.emulator);
    let mut told = Vec::new();
    loop {
        let next = service.get(&format!("{NOTICES}?{VERSION}")).await;
        if next.status == 204 {
            break;
        }
        told.push(next.body["blobName"].clone());
    }
    assert_eq!(told, [json!("d1/big"), json!("d1/empty")], "nothing is told of what was given up");
}

#[tokio::test]
async fn what_leads_elsewhere_or_is_too_much_is_refused_with_azures_words() {
    let lab = Lab::start().await;
    let (device, storage) = (device(&lab.emulator, "d1"), storage(&lab.emulator));
    for name in ["../d2/x", "/etc/passwd", "a/../../b", "a//b", "", "..", "a\\b", "a\u{0}b"] {
        let answer = begin(&device, "d1", name).await;
        assert_eq!(
            (answer.status, answer.header("iothub-errorcode")),
            (400, Some("ArgumentInvalid")),
            "{name}"
        );
    }
    let bad = device.post(&format!("/devices/d1/files?{VERSION}"), "{\"name\": 1}").await;
    assert_eq!(bad.status, 400);
    let other = begin(&device, "d2", "x").await;
    assert_eq!(other.status, 401, "another device's");
    let place = begin(&device, "d1", "x").await.json();
    let (uri, query) = (target(&place), place["sasToken"].as_str().expect("a token"));
    for (path, status, code) in [
        ("/hub-1-uploads/d1/../d1/x", 400, "InvalidResourceName"),
        ("/hub-1-uploads/d1/%2e%2e/%2e%2e/x", 400, "InvalidResourceName"),
        ("/hub-1-uploads/d1%2F..%2F..%2Fx", 400, "InvalidResourceName"),
        ("/hub-1-uploads/%2Fetc%2Fpasswd", 400, "InvalidResourceName"),
        ("/hub-1-uploads/d1/..%5Cx", 400, "InvalidResourceName"),
        ("/..%2Fhub-1-uploads/x", 400, "InvalidResourceName"),
        ("/hub-1-uploads/d1/y", 403, "AuthenticationFailed"),
        ("/hub-1-uploads", 403, "AuthenticationFailed"),
        ("/hub-2-uploads/d1/x", 403, "AuthenticationFailed"),
    ] {
        let put = storage.call("PUT", &format!("{path}{query}"), &[BLOCK_BLOB], b"x").await;
        assert_eq!((put.status, put.header("x-ms-error-code")), (status, Some(code)), "{path}: {put:?}");
    }
    let large = [BLOCK_BLOB, ("Content-Length", "300000000")];
    let mut stream = storage.connect().await;
    let head = format!(
        "PUT {uri} HTTP/1.1\r\nHost: {HUB}\r\n{}: {}\r\n{}: {}\r\n\r\n",
        large[0].0, large[0].1, large[1].0, large[1].1
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 1000];
    let count = tokio::time::timeout(PATIENCE, tokio::io::AsyncReadExt::read(&mut stream, &mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..count.expect("in time").expect("read")]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("RequestBodyTooLarge"), "{answer}");
    for (method, target, headers, status, code) in [
        ("PUT", uri.clone(), vec![], 400, "MissingRequiredHeader"),
        ("PUT", uri.clone(), vec![("x-ms-blob-type", "PageBlob")], 501, "NotImplemented"),
        ("PUT", format!("{uri}&comp=lease"), vec![], 501, "NotImplemented"),
        ("PUT", format!("{uri}&comp=block&blockid=!"), vec![], 400, "InvalidBlockId"),
        ("DELETE", uri.clone(), vec![], 403, "AuthorizationPermissionMismatch"),
        ("GET", uri.clone(), vec![], 404, "BlobNotFound"),
        ("PUT", uri.replace("sp=rw", "sp=rwd"), vec![BLOCK_BLOB], 403, "AuthenticationFailed"),
    ] {
        let answer = storage.call(method, &target, &headers, b"x").await;
        assert_eq!(
            (answer.status, answer.header("x-ms-error-code")),
            (status, Some(code)),
            "{method} {answer:?}"
        );
        assert!(!String::from_utf8_lossy(&answer.body).contains("sig="), "no signature is repeated");
    }
    for _ in 1..10 {
        assert_eq!(begin(&device, "d1", "more").await.status, 200);
    }
    let eleventh = begin(&device, "d1", "more").await;
    let code = "DeviceMaximumActiveFileUploadLimitExceeded";
    assert_eq!((eleventh.status, eleventh.header("iothub-errorcode")), (403, Some(code)));
    let unknown = end(&device, "d1", &json!({"correlationId": "x"}), true).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_place_ends_after_an_hour_and_so_does_an_upload_that_never_ended() {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a time")));
    let emulator =
        Emulator::builder().clock(Arc::<ManualClock>::clone(&clock)).start().await.expect("it starts");
    let (device, storage) = (device(&emulator, "d1"), storage(&emulator));
    let mut first = Value::Null;
    for _ in 0..10 {
        first = begin(&device, "d1", "x").await.json();
    }
    assert_eq!(begin(&device, "d1", "x").await.status, 403);
    clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(1));
    let late = storage.call("PUT", &target(&first), &[BLOCK_BLOB], b"x").await;
    assert_eq!((late.status, late.header("x-ms-error-code")), (403, Some("AuthenticationFailed")));
    assert!(String::from_utf8_lossy(&late.body).contains("expired"), "{late:?}");
    assert_eq!(end(&device, "d1", &first, false).await.status, 404);
    assert_eq!(begin(&device, "d1", "x").await.status, 200, "there is room again");
}

/// What a kill leaves of a state directory: what is on the disk at this moment.
fn as_killed(state: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("made");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).expect("copied");
            }
        }
    }
    let left = tempfile::tempdir().expect("a directory");
    copy(state, left.path());
    left
}

#[tokio::test]
async fn an_upload_goes_on_after_a_kill_at_any_step() {
    const HUB: &str = "hubs/hub-1.azure-devices.net.json";
    let state = tempfile::tempdir().expect("a directory");
    let start = async |state: &TempDir| {
        Emulator::builder().state_directory(state.path()).start().await.expect("it starts")
    };
    // What the hub knows, and the storage's key, is written half a second later; a kill before that loses it.
    let written = async |state: &TempDir, file: &str, text: &str| {
        let path = state.path().join(file);
        let is_there = async {
            while !std::fs::read_to_string(&path).is_ok_and(|kept| kept.contains(text)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_there).await.expect("it is kept");
    };
    let emulator = start(&state).await;
    let place = begin(&device(&emulator, "d1"), "d1", "x").await.json();
    let uri = target(&place);
    let block = format!("{uri}&comp=block&blockid=MQ==");
    assert_eq!(storage(&emulator).call("PUT", &block, &[], b"one").await.status, 201);
    written(&state, HUB, place["correlationId"].as_str().expect("a number")).await;
    written(&state, "dps.json", "\"storage_key\"").await;

    let second = as_killed(state.path());
    let emulator = start(&second).await;
    let list = b"<BlockList><Latest>MQ==</Latest></BlockList>";
    let put = storage(&emulator).call("PUT", &format!("{uri}&comp=blocklist"), &[], list).await;
    assert_eq!(put.status, 201, "the block and the key are there: {put:?}");

    let third = as_killed(second.path());
    let emulator = start(&third).await;
    assert_eq!(storage(&emulator).get(&uri).await.body, b"one");
    let ended = end(&device(&emulator, "d1"), "d1", &place, true).await;
    assert_eq!(ended.status, 204, "the promise is there");
    written(&third, HUB, "\"blobUri\"").await;

    let fourth = as_killed(third.path());
    let emulator = start(&fourth).await;
    let told = Service::hub(&emulator).get(&format!("{NOTICES}?{VERSION}")).await;
    assert_eq!((told.status, &told.body["blobName"]), (200, &json!("d1/x")));
}
