//! Streams of `tracker-tls` against those of `tokio-rustls`, and against each other.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracker_tls::Accepted;

use super::{ServerIdentity, TlsVersions, server_config};

fn both(versions: TlsVersions) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let identity = ServerIdentity::new(None, []).expect("an identity");
    let authority = CertificateDer::from_pem_slice(identity.ca_pem().as_bytes()).expect("a certificate");
    let server = server_config(Arc::new(identity), versions).expect("a configuration");
    (Arc::new(server), trusting(Some(authority)))
}

fn trusting(authority: Option<CertificateDer<'static>>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = authority {
        roots.add(authority).expect("an authority");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of ring");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

async fn accepted(stream: DuplexStream, server: &Arc<ServerConfig>) -> io::Result<Accepted<DuplexStream>> {
    tracker_tls::accept(stream, |_name| Arc::clone(server)).await
}

/// Says so many bytes while it hears as many, then goodbye, and hears that.
async fn talk(stream: impl AsyncRead + AsyncWrite, length: u32, piece: usize) {
    let bytes: Vec<u8> = (0..length).map(|number| (number / 7) as u8).collect();
    let (mut reader, mut writer) = split(stream);
    let say = async {
        for piece in bytes.chunks(piece) {
            writer.write_all(piece).await.expect("taken");
        }
        writer.shutdown().await.expect("goodbye");
    };
    let mut heard = Vec::new();
    let ((), end) = tokio::join!(say, reader.read_to_end(&mut heard));
    end.expect("the other side says goodbye");
    assert!(heard == bytes, "{} bytes of {length}, or others", heard.len());
}

#[tokio::test]
async fn bytes_arrive_however_they_are_cut_and_end_with_a_goodbye() {
    for (versions, room, length, piece) in [
        (TlsVersions::Tls12, 1, 300, 7),
        // A ticket has to find room: nobody listens before both are done with the handshake.
        (TlsVersions::Tls13, 1_000, 9_000, 300),
        (TlsVersions::Tls12, 700, 100_000, 40_000),
        (TlsVersions::Tls13, 5_000, 300_000, 100),
        (TlsVersions::All, 100_000, 1_000_000, 1_000_000),
    ] {
        let (server, client) = both(versions);
        let conversations = async {
            let (far, near) = duplex(room);
            let connector = TlsConnector::from(Arc::clone(&client));
            let (here, there) = tokio::join!(accepted(near, &server), connector.connect(name(), far));
            let Accepted { stream, server_name } = here.expect("a handshake");
            assert_eq!(server_name.as_deref(), Some("localhost"));
            tokio::join!(talk(stream, length, piece), talk(there.expect("a handshake"), length, piece));

            let (far, near) = duplex(room);
            let acceptor = TlsAcceptor::from(Arc::clone(&server));
            let connecting = tracker_tls::connect(far, Arc::clone(&client), name());
            let (here, there) = tokio::join!(acceptor.accept(near), connecting);
            let (here, there) = (here.expect("a handshake"), there.expect("a handshake"));
            tokio::join!(talk(here, length, piece), talk(there, length, piece));

            let (far, near) = duplex(room);
            let connecting = tracker_tls::connect(far, Arc::clone(&client), name());
            let (here, there) = tokio::join!(accepted(near, &server), connecting);
            let (here, there) = (here.expect("a handshake").stream, there.expect("a handshake"));
            tokio::join!(talk(here, length, piece), talk(there, length, piece));
        };
        timeout(Duration::from_mins(1), conversations).await.expect("nobody waits for the other");
    }
}

#[tokio::test]
async fn an_end_without_a_goodbye_is_told_from_one_with() {
    let (server, client) = both(TlsVersions::All);
    let (far, near) = duplex(10_000);
    let connecting = tracker_tls::connect(far, client, name());
    let (here, there) = tokio::join!(accepted(near, &server), connecting);
    let (mut here, mut there) = (here.expect("a handshake").stream, there.expect("a handshake"));
    there.write_all(b"last").await.expect("taken");
    drop(there);
    let mut heard = Vec::new();
    let error = here.read_to_end(&mut heard).await.expect_err("no goodbye");
    assert_eq!((error.kind(), heard.as_slice()), (io::ErrorKind::UnexpectedEof, &b"last"[..]));
}

#[tokio::test]
async fn a_failed_handshake_says_why_on_both_sides() {
    let (server, _client) = both(TlsVersions::All);
    let cause = |error: &io::Error| error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()).cloned();
    let (far, near) = duplex(10_000);
    let connecting = tracker_tls::connect(far, trusting(None), name());
    let (here, there) = tokio::join!(accepted(near, &server), connecting);
    let there = there.map(drop).expect_err("an unknown authority");
    assert!(matches!(cause(&there), Some(rustls::Error::InvalidCertificate(_))), "{there}");
    let here = here.map(drop).expect_err("the client's alert");
    assert!(matches!(cause(&here), Some(rustls::Error::AlertReceived(_))), "{here}");

    let (mut far, near) = duplex(10_000);
    far.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("taken");
    let error = accepted(near, &server).await.map(drop).expect_err("no TLS");
    assert!(cause(&error).is_some(), "{error}");
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.expect("the end");
    assert_eq!(answer.first(), Some(&0x15), "an alert, and no more: {answer:?}");
}
