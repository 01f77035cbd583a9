//! The port itself, over TCP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::super::{ListenError, ListenOptions, Server, serve};
use super::backend::Pretended;
use crate::history::{History, HistoryOptions};
use crate::ingest::Ingest;
use crate::model::{Incoming, Message};

async fn server(options: ListenOptions) -> Result<(Server, Arc<Pretended>), ListenError> {
    let backend = Arc::new(Pretended::default());
    let ingest = Ingest::start(backend.clone(), History::open(HistoryOptions::in_memory()));
    Ok((serve(options, backend.clone(), ingest).await?, backend))
}

fn free() -> ListenOptions {
    ListenOptions { port: Some(0), ..ListenOptions::default() }
}

async fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    let end = Instant::now() + Duration::from_mins(1);
    while !text.contains(wanted) {
        let read = timeout_at(end, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert_ne!(read, 0, "it ended before {wanted:?}: {text}");
        text += &String::from_utf8_lossy(&bytes[..read]);
    }
    text
}

/// Opens the link as a browser does; gives the cookie.
async fn log_in(server: &Server) -> String {
    let link = server.link();
    let (_, query) = link.split_once("/?").unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET /?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Listens to what changes, from after the event with this number, until this has come.
async fn listen(server: &Server, cookie: &str, last: Option<u64>, wanted: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
    let address = server.address();
    let request = format!("GET /api/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n{last}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = until(&mut stream, wanted).await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    stream
}

fn message(device: &str, seq: u64) -> Message {
    let body = format!(r#"{{"temperature":{seq}.5,"time":"1970-01-01T00:00:00Z","seq":{seq}}}"#);
    Message {
        hub: "hub-1".into(),
        device: device.into(),
        enqueued: DateTime::UNIX_EPOCH,
        properties: BTreeMap::new(),
        body: body.into(),
    }
}

#[tokio::test]
async fn the_live_stream_says_what_changes_and_when_the_backend_is_away() {
    let (server, backend) = server(free()).await.unwrap();
    assert!(server.address().ip().is_loopback());
    let cookie = log_in(&server).await;
    let mut stream = listen(&server, &cookie, None, "retry: 2000").await;
    *backend.is_away.lock().unwrap() = true;
    until(&mut stream, "event: session").await;
    *backend.is_away.lock().unwrap() = false;
    until(&mut stream, "event: session").await;
    // What devices send is text: here it can't end the event, and the page makes no markup of it.
    backend.tell(Incoming::Messages(vec![message("<b>\r\n\r\nevent: x", 1)])).await;
    let delta = until(&mut stream, "<b>").await;
    assert!(delta.contains("event: delta\nid: ") && !delta.contains("\nevent: x"), "{delta}");
}

#[tokio::test]
async fn who_has_missed_something_is_told_so() {
    let (server, backend) = server(free()).await.unwrap();
    let cookie = log_in(&server).await;
    let mut stream = listen(&server, &cookie, None, "retry: 2000").await;
    backend.tell(Incoming::Lost(5)).await;
    until(&mut stream, "{\"lost\":5}").await;
    for number in [1, u64::MAX] {
        backend.tell(Incoming::Messages(vec![message("a", number % 1000)])).await;
        listen(&server, &cookie, Some(number), "event: lagged").await;
    }
}

#[tokio::test]
async fn the_port_is_free_again_when_the_server_ends() {
    let (one, _) = server(free()).await.unwrap();
    let port = one.address().port();
    let again = ListenOptions { port: Some(port), ..ListenOptions::default() };
    let refused = server(again).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("can't listen at 127.0.0.1:{port}: ")), "{refused}");
    drop(one);
    tokio::task::yield_now().await;
    let again = || ListenOptions { port: Some(port), ..ListenOptions::default() };
    for _ in 0..100 {
        if server(again()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server(again()).await.is_ok());
}

#[tokio::test]
async fn beyond_this_machine_it_listens_with_tls_alone() {
    let anywhere = IpAddr::from([0, 0, 0, 0]);
    let options = ListenOptions { address: anywhere, ..free() };
    let refused = server(options).await.unwrap_err();
    assert!(matches!(refused, ListenError::NeedsTls(address) if address == anywhere));
    assert!(refused.to_string().contains("--tls-certificate"), "{refused}");
}
