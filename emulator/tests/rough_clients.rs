//! Clients that behave badly below MQTT: they are refused, and disturb nobody.

use std::{sync::Arc, time::Duration};

use crate::common::{Lab, PATIENCE, event, tls};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::{Emulator, Event, EventKind, Subscription, TlsVersions};

async fn tls_stream(lab: &Lab) -> TlsStream<TcpStream> {
    let credentials = lab.credentials("rough");
    let config = tls(&lab.emulator, Some(&credentials), rustls::DEFAULT_VERSIONS);
    let stream = TcpStream::connect(lab.emulator.address()).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::clone(&config)).connect(name, stream).await.expect("TLS")
}

/// What comes until the server closes.
async fn rest(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // An abrupt end is an end too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it closes in time");
    bytes
}

async fn refusal(events: &mut Subscription<Event>) -> String {
    event(events, |kind| match kind {
        EventKind::ConnectionRefused { reason, .. } | EventKind::HandshakeFailed { reason, .. } => {
            Some(reason.clone())
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn bytes_that_are_not_mqtt_end_the_connection_with_a_reason() {
    let lab = Lab::start().await;
    let mut neighbour = lab.online("good").await;
    let mut events = lab.emulator.events();
    let cases: [(&[u8], &str); 6] = [
        (b"GET / HTTP/1.1\r\n\r\n", "are not allowed in PUBACK"),
        (&[0x30, 3, 0, 1, b'a'], "not CONNECT"),
        (&[0xc0, 0], "not CONNECT"),
        (&[0x10, 0xff, 0xff, 0xff, 0xff], "remaining length"),
        (&[0x10, 0xff, 0xff, 0xff, 0x7f], "the limit of this connection"),
        (&[0x10, 4, 0, 4, b'M', b'Q'], "ends before its protocol name"),
    ];
    for (bytes, reason) in cases {
        let mut stream = tls_stream(&lab).await;
        stream.write_all(bytes).await.expect("written");
        assert_eq!(rest(&mut stream).await, b"");
        let said = refusal(&mut events).await;
        assert!(said.contains(reason), "{said}");
    }
    neighbour.publish("devices/good/messages/events/", "undisturbed").await;
}

#[tokio::test]
async fn another_version_of_mqtt_is_refused_with_code_1() {
    let lab = Lab::start().await;
    let mut stream = tls_stream(&lab).await;
    let v5 = [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0];
    stream.write_all(&v5).await.expect("written");
    assert_eq!(rest(&mut stream).await, [0x20, 2, 0, 1]);
}

#[tokio::test]
async fn bytes_that_are_not_tls_end_the_connection() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let mut stream = TcpStream::connect(lab.emulator.address()).await.expect("a connection");
    stream.write_all(&[0x10; 64]).await.expect("written");
    assert!(!refusal(&mut events).await.is_empty());
}

#[tokio::test]
async fn hundreds_of_silent_connections_do_not_keep_others_out() {
    let lab = Lab::start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(lab.emulator.address()).await.expect("a connection"));
    }
    let online = tokio::time::timeout(Duration::from_secs(5), lab.online("good"));
    online.await.expect("in time").publish("devices/good/messages/events/", "x").await;
}

#[tokio::test]
async fn the_ca_certificate_is_written_where_the_options_say() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = tracker_emulator::EmulatorOptions {
        port: 0,
        ca_directory: Some(directory.path().join("trust")),
        extra_server_names: vec!["my-laptop.lan".into(), "192.168.7.7".into()],
        ..tracker_emulator::EmulatorOptions::default()
    };
    let emulator = Emulator::start(options.clone()).await.expect("it starts");
    let written = std::fs::read_to_string(directory.path().join("trust/server-ca.pem")).expect("a file");
    assert_eq!(written, emulator.server_ca_pem());

    let taken = tracker_emulator::EmulatorOptions { port: emulator.port(), ..options };
    let error = Emulator::start(taken).await.err().expect("the port is taken");
    assert!(error.to_string().contains("is another emulator running?"), "{error}");
    let nameless = tracker_emulator::EmulatorOptions {
        port: 0,
        extra_server_names: vec!["not a näme".into()],
        ..tracker_emulator::EmulatorOptions::default()
    };
    let error = Emulator::start(nameless).await.err().expect("no name");
    assert!(error.to_string().contains("\"not a näme\" cannot stand in the server certificate"), "{error}");
}

/// A CONNECT of MQTT 3.1.1 with clean session and a user name.
fn connect_packet(client_id: &str, user_name: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0x82, 0, 60];
    for text in [client_id, user_name] {
        body.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
        body.extend(text.as_bytes());
    }
    let mut packet = vec![0x10];
    let mut rest = body.len();
    while rest >= 0x80 {
        packet.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    packet.push(rest as u8);
    packet.extend(body);
    packet
}

#[tokio::test]
async fn a_resumed_session_brings_its_certificate_along() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let user_name = format!("{}/d1/?api-version=2021-04-12", crate::common::HUB);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = tls(&lab.emulator, Some(&credentials), &[version]);
        for resumed in [false, true] {
            let stream = TcpStream::connect(lab.emulator.address()).await.expect("a connection");
            let name = ServerName::try_from("localhost").expect("a name");
            let mut stream =
                TlsConnector::from(Arc::clone(&config)).connect(name, stream).await.expect("TLS");
            stream.write_all(&connect_packet("d1", &user_name)).await.expect("written");
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.expect("a CONNACK");
            assert_eq!(answer, [0x20, 2, 0, 0]);
            let kind = stream.get_ref().1.handshake_kind();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_version_of_tls_that_is_not_spoken_is_refused_in_the_handshake() {
    use rustls::version::{TLS12, TLS13};
    for (spoken, other, versions) in
        [(&TLS12, &TLS13, TlsVersions::Tls12), (&TLS13, &TLS12, TlsVersions::Tls13)]
    {
        let lab = Lab::with(Emulator::builder().tls(versions).start().await.expect("it starts"));
        let mut events = lab.emulator.events();
        let connect = async |version, address| {
            let config = tls(&lab.emulator, None, &[version]);
            let stream = TcpStream::connect(address).await.expect("a connection");
            let name = ServerName::try_from("localhost").expect("a name");
            TlsConnector::from(config).connect(name, stream).await
        };
        for address in [lab.emulator.address(), lab.emulator.service_address().expect("a service side")] {
            let stream = connect(spoken, address).await.expect("TLS");
            assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken.version));
            let error = connect(other, address).await.expect_err("refused");
            assert!(error.to_string().contains("ProtocolVersion"), "{error}");
        }
        let reason = event(&mut events, |kind| match kind {
            EventKind::HandshakeFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        assert!(!reason.await.is_empty());
    }
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_and_not_repeated_whole() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let long = "x".repeat(60_000);
    for (client_id, user_name, code) in [(&long[..], "u", 2), ("c", &long[..], 5)] {
        let mut stream = tls_stream(&lab).await;
        stream.write_all(&connect_packet(client_id, user_name)).await.expect("written");
        assert_eq!(rest(&mut stream).await, [0x20, 2, 0, code]);
        let told = event(&mut events, |kind| match kind {
            EventKind::ConnectionRefused { .. } => Some(kind.to_string()),
            _ => None,
        });
        let told = told.await;
        assert!(told.len() < 400 && told.contains("the limit is"), "{told}");
    }
}
