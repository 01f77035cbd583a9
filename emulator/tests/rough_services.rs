//! Service clients that misbehave are refused or waited out, and disturb nobody.

use crate::common::{Lab, PATIENCE, service::Service};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const DEVICES: &str = "/devices?api-version=2021-04-12";

#[tokio::test]
async fn rough_service_clients_disturb_neither_devices_nor_each_other() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let mut device = lab.online("d1").await;
    // Those who connect and say nothing, or nonsense, or half of something, and stay.
    let mut guests = Vec::new();
    for hello in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01], &[0xff; 600]] {
        let mut guest = TcpStream::connect(("127.0.0.1", hub.port)).await.expect("it listens");
        guest.write_all(hello).await.expect("sent");
        guests.push(guest);
    }
    let mut slow = hub.connect().await;
    slow.write_all(b"POST /devices HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.expect("sent");
    let mut half = hub.connect().await;
    half.write_all(b"GET /devices HT").await.expect("sent");
    let mut garbage = hub.connect().await;
    garbage.write_all(b"\x00\x01 what\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, garbage.read_to_end(&mut answer)).await.expect("closed in time");
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );

    assert_eq!(hub.get(DEVICES).await.status, 200);
    device.publish("devices/d1/messages/events/", "still here").await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_its_announcement() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let mut stream = hub.connect().await;
    let head = format!(
        "POST {DEVICES} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 99999999999\r\n\r\n",
        hub.host,
        hub.token()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let chunk = vec![b' '; 1024 * 1024];
    // The server may stop reading at any time.
    for _ in 0..11 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.expect("in time");
    assert!(read.is_err() || answer.starts_with(b"HTTP/1.1 413"), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(hub.get(DEVICES).await.status, 200);
}

#[tokio::test]
async fn bad_json_bad_text_and_odd_paths_are_clean_refusals() {
    let lab = Lab::start().await;
    let hub = Service::hub(&lab.emulator);
    let nested = "[".repeat(100_000);
    for (method, path, body) in [
        ("PUT", "/devices/d1", nested.as_str()),
        ("PUT", "/devices/%00%ff", "{}"),
        ("PUT", "/devices/%2e%2e%2f", "{}"),
        ("PATCH", "/twins/d1", "\u{0}"),
        ("POST", "/devices/query", r#"{"query":7}"#),
        ("POST", "/devices", "[]"),
        ("GET", "//////", ""),
        ("BREW", "/devices", ""),
    ] {
        let reply = hub.call(method, &format!("{path}?api-version=2021-04-12"), &[], body).await;
        assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status);
        assert!(matches!(reply.body, Value::Object(_)), "{method} {path}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange_for_a_query_or_a_token(text in "\\PC{0,200}") {
        tracker_emulator::fuzzing::service_text(&text);
        tracker_emulator::fuzzing::service_text(&format!("SELECT * FROM devices WHERE {text}"));
        tracker_emulator::fuzzing::service_text(&format!("SharedAccessSignature sr={text}&sig={text}&se={text}"));
    }
}
