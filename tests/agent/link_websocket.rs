//! One connection over a WebSocket, against servers that the emulator is not.

use std::io::{Read, Write};
use std::sync::mpsc;

use base64ct::{Base64, Encoding};
use container_tracker::config::Transport;
use container_tracker::link::{Link, LinkErrorKind, LinkEvent, LinkOptions};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tracker_protocol::Publish;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Bytes, Message};

use super::link::{CONNACK, CONNECT, Peer, Server};

type Stream = rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream>;

/// The head of the request, and the answer that takes it.
fn asked(peer: &mut Peer) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.0.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let digested = key.to_owned() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = Base64::encode_string(digest(&SHA1_FOR_LEGACY_USE_ONLY, digested.as_bytes()).as_ref());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    (head, answer)
}

fn upgraded(mut peer: Peer) -> WebSocket<Stream> {
    let (_, answer) = asked(&mut peer);
    peer.say(answer.as_bytes());
    WebSocket::from_raw_socket(peer.0, Role::Server, None)
}

fn options(server: &Server) -> LinkOptions {
    LinkOptions { transport: Transport::Websocket, ..server.options(100) }
}

/// The next message of MQTT: the kind of its packet.
fn packet(socket: &mut WebSocket<Stream>) -> Option<u8> {
    loop {
        match socket.read().ok()? {
            Message::Binary(bytes) => return Some(bytes[0] >> 4),
            Message::Close(close) => return close.map(|close| u16::from(close.code) as u8),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_are_messages_pings_are_answered_and_fragments_understood() {
    let (sender, seen) = mpsc::sync_channel(16);
    let server = Server::start(move |peer| {
        let mut socket = upgraded(peer);
        sender.send(packet(&mut socket)).unwrap();
        let part = |opcode, bytes: &'static [u8], last| {
            Message::Frame(Frame::message(Bytes::from_static(bytes), OpCode::Data(opcode), last))
        };
        // CONNACK in three fragments, and a ping between them.
        socket.send(part(Data::Binary, &CONNACK[..1], false)).unwrap();
        socket.send(Message::Ping(Bytes::from_static(b"there?"))).unwrap();
        socket.send(part(Data::Continue, &[], false)).unwrap();
        socket.send(part(Data::Continue, &CONNACK[1..], true)).unwrap();
        assert_eq!(socket.read().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
        for _ in 0..2 {
            sender.send(packet(&mut socket)).unwrap();
        }
        // Two packets in one message.
        socket.send(Message::Binary(Bytes::from_static(&[0x40, 2, 0, 1, 0x40, 2, 0, 2]))).unwrap();
        while let Some(kind) = packet(&mut socket) {
            sender.send(Some(kind)).unwrap();
        }
        sender.send(None).unwrap();
    });
    let mut link = Link::<u32>::connect(&options(&server)).await.unwrap();
    for number in 1..=2 {
        link.publish(Publish { topic: "t".into(), payload: vec![7; 40_000] }, Some(number)).unwrap();
    }
    for number in 1..=2 {
        let event = link.next().await.unwrap();
        assert!(matches!(event, LinkEvent::Acknowledged(own) if own == number), "{event:?}");
    }
    link.close().await;
    let said: Vec<Option<u8>> =
        tokio::task::spawn_blocking(move || seen.iter().take(6).collect()).await.unwrap();
    // DISCONNECT, and then the goodbye of the WebSocket, 1000, of which a byte is shown.
    let [_, goodbye] = 1000_u16.to_be_bytes();
    assert_eq!(said, [Some(CONNECT), Some(3), Some(3), Some(14), Some(goodbye), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_the_answer_is_heard_and_the_request_is_what_azure_expects() {
    let (sender, seen) = mpsc::sync_channel(1);
    let server = Server::start(move |mut peer| {
        let (head, answer) = asked(&mut peer);
        sender.send(head).unwrap();
        peer.say(&[answer.as_bytes(), &[0x82, 4], &CONNACK].concat());
        let _ = peer.0.read(&mut [0; 100]);
    });
    let port = server.port;
    Link::<u32>::connect(&options(&server)).await.unwrap();
    let head = tokio::task::spawn_blocking(move || seen.recv().unwrap()).await.unwrap();
    let key = head.find("Sec-WebSocket-Key: ").unwrap();
    assert_eq!(
        &head[..key],
        format!(
            "GET /$iothub/websocket HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_it_is_told_with_the_reason() {
    let server = Server::start(|peer| {
        let mut socket = upgraded(peer);
        packet(&mut socket);
        socket.send(Message::Binary(Bytes::from_static(&CONNACK))).unwrap();
        let close = CloseFrame { code: CloseCode::Policy, reason: "no more".into() };
        socket.close(Some(close)).unwrap();
        while socket.read().is_ok() {}
    });
    let mut link = Link::<u32>::connect(&options(&server)).await.unwrap();
    let error = link.next().await.unwrap_err();
    assert_eq!(
        (error.kind, error.why.as_str()),
        (LinkErrorKind::Closed, "the server closed the WebSocket (1008: no more)")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_without_a_websocket_have_answered() {
    for (answer, says) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "it answers 404 Not Found; it has no WebSocket",
        ),
        ("HTTP/1.1 503 Busy\r\n\r\n", "it answers 503 Busy"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "is it a captive portal?"),
        ("\x20\x02\x00\x05", "the server does not speak HTTP"),
    ] {
        let server = Server::start(move |mut peer| {
            asked(&mut peer);
            peer.say(answer.as_bytes());
            let _ = peer.0.flush();
        });
        let error = Link::<u32>::connect(&options(&server)).await.err().unwrap();
        assert!(error.kind == LinkErrorKind::Answered && error.why.contains(says), "{error}, and not {says}");
        assert!(error.why.starts_with("localhost:"), "{error}");
    }
}
