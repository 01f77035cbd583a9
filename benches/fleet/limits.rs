//! The limits of provisioning and of coming back: bare TLS handshakes, in memory and over TCP, full and resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{AT_A_TIME, MEASURED, Pace, factory, identity, one_time, processor_time};

/// Mutual TLS 1.3 without sockets: client and server on one thread, as many threads as there are processors.
pub(crate) fn handshakes() -> Pace {
    let threads = thread::available_parallelism().unwrap().get();
    let directory = tempfile::tempdir().unwrap();
    let factory = factory();
    let identity = identity(directory.path(), &factory, "sensor-thl-001");
    let (server, roots) = server();
    let client = one_time(&roots, &identity);
    let made = AtomicU64::new(0);
    let (begun, processor) = (Instant::now(), processor_time("self"));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while begun.elapsed() < MEASURED {
                    handshake(&client, &server);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let pace = Pace::of(made.load(Ordering::Relaxed) as f64, begun, processor);
    println!("\nbare mutual TLS 1.3 handshakes, both sides, on {threads} threads");
    println!("  {:.0} handshakes/s, {:.0} µs of processor time each", pace.rate, pace.processor_us);
    pace
}

fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut bytes = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets().unwrap();
        bytes.clear();
    }
    assert!(server.peer_certificates().is_some_and(|chain| chain.len() == 2));
}

/// How the handshakes are made.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// All of it, each time.
    Full,
    /// With a ticket of the time before, as those make that come back to a hub.
    Resumed,
}

/// The same over TCP on this machine, as many at a time as devices are provisioned: a server that does nothing else.
pub(crate) async fn connections(kind: Kind) -> Pace {
    let directory = tempfile::tempdir().unwrap();
    let identity = identity(directory.path(), &factory(), "sensor-thl-001");
    let (server, roots) = server();
    let acceptor = TlsAcceptor::from(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                // The last word of the client's handshake has come. The word behind the tickets tells that they are there.
                let said = stream.write_all(&[1]).await;
                if said.is_ok() {
                    let _ = stream.read(&mut [0]).await;
                }
            });
        }
    });
    let made = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    let (begun, processor) = (Instant::now(), processor_time("self"));
    for _ in 0..AT_A_TIME {
        let (made, full) = (made.clone(), one_time(&roots, &identity));
        let config = match kind {
            Kind::Full => full,
            Kind::Resumed => {
                let mut resumed = ClientConfig::clone(&full);
                resumed.resumption = Resumption::in_memory_sessions(1);
                Arc::new(resumed)
            }
        };
        let connector = TlsConnector::from(config);
        clients.spawn(async move {
            while begun.elapsed() < MEASURED {
                let stream = TcpStream::connect(address).await.unwrap();
                let name = "localhost".try_into().unwrap();
                let mut stream = connector.connect(name, stream).await.unwrap();
                if kind == Kind::Resumed {
                    stream.read_exact(&mut [0]).await.unwrap();
                }
                stream.shutdown().await.unwrap();
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    clients.join_all().await;
    let pace = Pace::of(made.load(Ordering::Relaxed) as f64, begun, processor);
    serving.abort();
    let kind = if kind == Kind::Full { "bare" } else { "resumed" };
    println!("\n{kind} mutual TLS 1.3 handshakes over TCP, both sides, {AT_A_TIME} at a time");
    println!("  {:.0} handshakes/s, {:.0} µs of processor time each", pace.rate, pace.processor_us);
    pace
}

/// What DPS and hubs ask of a client in TLS: that it has the key of the certificate that it shows.
#[derive(Debug)]
struct ProofOfPossession(Arc<rustls::crypto::CryptoProvider>);

impl ClientCertVerifier for ProofOfPossession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A server with a certificate like the emulator's, and what to trust.
fn server() -> (Arc<ServerConfig>, RootCertStore) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, p256()).unwrap();
    let (params, key) = (CertificateParams::new(["localhost".into()]).unwrap(), p256());
    let leaf = params.signed_by(&key, &authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(ProofOfPossession(provider)))
        .with_single_cert(vec![leaf.der().clone(), authority.der().clone()], key.into())
        .unwrap();
    config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    (Arc::new(config), roots)
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}
