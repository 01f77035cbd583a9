//! Clients that take their time on purpose: each is waited out, and others are served meanwhile.

use std::{sync::Arc, time::Duration};

use crate::common::{Lab, service::Service, tls};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::EventKind;

/// Longer than the emulator waits for a handshake, a CONNECT, or the head of a request.
const WAITED_OUT: Duration = Duration::from_mins(1);

/// Sends a byte now and then, until the other side has enough.
pub(crate) async fn drip(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    let (mut bytes, mut buffer) = (bytes.iter(), [0; 64]);
    let end = async {
        loop {
            tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                () = tokio::time::sleep(Duration::from_millis(300)) => {
                    if let Some(byte) = bytes.next()
                        && stream.write_all(&[*byte]).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    };
    timeout(WAITED_OUT, end).await.expect("it is waited out");
}

async fn secured(lab: &Lab) -> TlsStream<TcpStream> {
    let config = tls(&lab.emulator, Some(&lab.credentials("slow")), rustls::DEFAULT_VERSIONS);
    let stream = TcpStream::connect(lab.emulator.address()).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::clone(&config)).connect(name, stream).await.expect("TLS")
}

#[tokio::test]
async fn slow_handshakes_connects_and_requests_are_waited_out_and_disturb_nobody() {
    let lab = Lab::start().await;
    let mut neighbour = lab.online("good").await;
    let service = Service::hub(&lab.emulator);
    let mut events = lab.emulator.events();
    let tcp = async |address| TcpStream::connect(address).await.expect("a connection");
    let (devices, services) =
        (lab.emulator.address(), lab.emulator.service_address().expect("a service side"));
    // The record says that 512 bytes of a ClientHello follow.
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(517, 7);
    // CONNECT with a remaining length of 200.
    let mut connect = vec![0x10, 0xc8, 1, 0, 4, b'M', b'Q', b'T', b'T', 4, 0x82, 0, 60];
    connect.resize(203, 0);
    let head = b"GET /devices?api-version=2021-04-12 HTTP/1.1\r\nHost: hub-1.azure-devices.net\r\nX-Slow: "
        .repeat(3);
    let slow = async {
        tokio::join!(
            drip(tcp(devices).await, b""),
            drip(tcp(devices).await, &hello),
            drip(secured(&lab).await, b""),
            drip(secured(&lab).await, &connect),
            drip(tcp(services).await, &hello),
            drip(service.connect().await, &head),
        )
    };
    let busy = async {
        for _ in 0..20 {
            neighbour.publish("devices/good/messages/events/", "undisturbed").await;
            assert_eq!(service.get("/devices?api-version=2021-04-12").await.status, 200);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        lab.online("newcomer").await.disconnect().await;
    };
    tokio::join!(slow, busy);
    neighbour.publish("devices/good/messages/events/", "still here").await;
    let mut said = Vec::new();
    while let Ok(Some(event)) = events.try_next() {
        if let EventKind::HandshakeFailed { reason, .. } | EventKind::ConnectionRefused { reason, .. } =
            &event.kind
        {
            said.push(reason.clone());
        }
    }
    let count = |words: &str| said.iter().filter(|reason| reason.contains(words)).count();
    assert_eq!((count("not done within"), count("no CONNECT within")), (2, 2), "{said:?}");
}
