//! A hub that sends what a test wants it to: TLS and as much of MQTT as an agent needs.

use std::path::Path;
use std::sync::Arc;

use container_tracker::config::{Config, Endpoint};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::agent::{Agent, PATIENCE};

const GET: &str = "$iothub/twin/GET/?$rid=";
const REPORTED: &str = "$iothub/twin/PATCH/properties/reported/?$rid=";

type Stream = TlsStream<TcpStream>;

/// The hub, and one connection to it.
pub struct OddHub {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    to_device: Option<WriteHalf<Stream>>,
    from_device: Option<ReadHalf<Stream>>,
    /// The twin that it answers with.
    pub twin: Value,
}

/// What a device has published.
#[derive(Debug)]
pub struct Published {
    pub topic: String,
    pub body: Vec<u8>,
}

impl OddHub {
    /// Listens, and makes this configuration's hub be here.
    pub async fn listen(config: &mut Config, directory: &Path, twin: Value) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &root).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let roots = directory.join("odd-hub.pem");
        std::fs::write(&roots, root.pem()).unwrap();
        config.connection.roots = Some(roots);
        config.connection.gateway = Some(Endpoint::local(listener.local_addr().unwrap().port()));
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        Self { listener, acceptor, to_device: None, from_device: None, twin }
    }

    /// Takes a connection, up to its subscriptions.
    pub async fn accept(&mut self, agent: &Agent) {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (stream, _) = accepted.unwrap_or_else(|_| panic!("no agent came:\n{}", agent.story())).unwrap();
        let (from, to) = tokio::io::split(self.acceptor.accept(stream).await.unwrap());
        (self.from_device, self.to_device) = (Some(from), Some(to));
    }

    /// Serves the connection until the device publishes what `wanted` likes, and gives it.
    pub async fn serve_until(&mut self, wanted: impl Fn(&Published) -> bool) -> Published {
        let search = async {
            loop {
                if let Some(published) = self.serve().await
                    && wanted(&published)
                {
                    return published;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the device publishes it")
    }

    /// Answers one packet, and gives what was published.
    async fn serve(&mut self) -> Option<Published> {
        let (first, packet) = self.read().await;
        let id = |at: usize| [packet[at], packet[at + 1]];
        match first >> 4 {
            1 => self.write(&[0x20, 2, 0, 0]).await,
            8 => {
                let [high, low] = id(0);
                self.write(&[0x90, 5, high, low, 1, 1, 1]).await;
            }
            12 => self.write(&[0xd0, 0]).await,
            3 => {
                let length = usize::from(u16::from_be_bytes(id(0)));
                let topic = String::from_utf8(packet[2..2 + length].to_vec()).unwrap();
                let [high, low] = id(2 + length);
                let body = packet[4 + length..].to_vec();
                self.write(&[0x40, 2, high, low]).await;
                if let Some(request) = topic.strip_prefix(GET) {
                    let twin = self.twin.to_string();
                    self.send(&format!("$iothub/twin/res/200/?$rid={request}"), twin.as_bytes()).await;
                } else if let Some(request) = topic.strip_prefix(REPORTED) {
                    self.send(&format!("$iothub/twin/res/204/?$rid={request}&$version=2"), b"").await;
                }
                return Some(Published { topic, body });
            }
            _ => {}
        }
        None
    }

    /// Publishes a message to the device, at `QoS` 0.
    pub async fn send(&mut self, topic: &str, body: &[u8]) {
        self.write(&packet(topic, body)).await;
    }

    /// Publishes all of these at once.
    pub async fn flood(&mut self, messages: impl Iterator<Item = (String, Vec<u8>)>) {
        let bytes: Vec<u8> = messages.flat_map(|(topic, body)| packet(&topic, &body)).collect();
        self.write(&bytes).await;
    }

    pub(super) async fn read(&mut self) -> (u8, Vec<u8>) {
        let from = self.from_device.as_mut().unwrap();
        let first = from.read_u8().await.expect("the device keeps the connection");
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = from.read_u8().await.unwrap();
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                break;
            }
        }
        let mut packet = vec![0; length];
        from.read_exact(&mut packet).await.unwrap();
        (first, packet)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let to = self.to_device.as_mut().unwrap();
        to.write_all(bytes).await.expect("the device keeps the connection");
        to.flush().await.unwrap();
    }
}

/// PUBLISH.
fn packet(topic: &str, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x30];
    let mut length = 2 + topic.len() + body.len();
    while length > 127 {
        packet.push((length % 128) as u8 | 128);
        length /= 128;
    }
    packet.push(length as u8);
    packet.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    packet.extend(topic.as_bytes());
    packet.extend(body);
    packet
}
