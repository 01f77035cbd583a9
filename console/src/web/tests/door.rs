//! The port itself, over TCP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::{ListenError, ListenOptions, Server, serve};
use super::backend::Pretended;
use crate::history::{History, HistoryOptions};
use crate::ingest::Ingest;

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
    while !text.contains(wanted) {
        let read = timeout(Duration::from_secs(30), stream.read(&mut bytes)).await.unwrap().unwrap();
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

#[tokio::test]
async fn the_live_stream_says_that_it_lives_and_when_the_backend_does_not() {
    let (server, backend) = server(free()).await.unwrap();
    assert!(server.address().ip().is_loopback());
    let cookie = log_in(&server).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET /api/live HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = until(&mut stream, "retry: 2000").await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    *backend.is_away.lock().unwrap() = true;
    until(&mut stream, "event: session").await;
    *backend.is_away.lock().unwrap() = false;
    until(&mut stream, "event: session").await;
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
