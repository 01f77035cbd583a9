//! One connection to a broker of MQTT 3.1.1, by calls that wait: `rumqttc`'s codec over TCP or TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::BytesMut;
use rumqttc::{Connect, ConnectReturnCode, Packet, Publish, QoS, mqttbytes};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::sink::Trouble;
use super::trust::roots;
use crate::cli::cloud::dial::dial;

/// For TCP, TLS and each answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a read waits before something else is looked at.
const TICK: Duration = Duration::from_millis(200);
/// What the broker is told; half of it is when it is pinged.
const KEEP_ALIVE_S: u16 = 60;
/// No packet is larger, either way; a message of a hub has 256 KiB.
const LARGEST: usize = 1024 * 1024;

/// Who is called.
pub(super) struct Broker {
    pub host: String,
    pub port: u16,
    pub tls: Option<Arc<ClientConfig>>,
    pub login: Option<(String, String)>,
}

/// Whom TLS trusts.
pub(super) fn tls(ca: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(
        roots(ca)?.iter().map(|root| CertificateDer::from(root.der()).into_owned()),
    );
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS could not be set up")?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

/// A connection that the broker has accepted.
pub(super) struct Wire {
    stream: Stream,
    incoming: BytesMut,
    outgoing: BytesMut,
    last_id: u16,
    written: Instant,
    /// Since when an answer to a ping is waited for.
    pinged: Option<Instant>,
}

impl Wire {
    /// Connects and signs in.
    pub(super) fn open(broker: &Broker, name: &str) -> Result<Self, Trouble> {
        let away = |why: String| Trouble::Away { why: format!("{name}: {why}"), on_the_way: 0 };
        let socket = dial(&broker.host, broker.port, PATIENCE).map_err(away)?;
        socket.set_read_timeout(Some(TICK)).map_err(|error| away(error.to_string()))?;
        let stream = match &broker.tls {
            None => Stream::Plain(socket),
            Some(config) => {
                let host = ServerName::try_from(broker.host.clone())
                    .map_err(|_| Trouble::ForGood(format!("{name}: that is no host name")))?;
                let connection =
                    ClientConnection::new(config.clone(), host).map_err(|error| away(error.to_string()))?;
                Stream::Tls(Box::new(StreamOwned::new(connection, socket)))
            }
        };
        let (incoming, outgoing) = (BytesMut::new(), BytesMut::new());
        let mut wire = Self { stream, incoming, outgoing, last_id: 0, written: Instant::now(), pinged: None };
        let mut connect = Connect::new(format!("container-tracker-{:016x}", rand::random::<u64>()));
        connect.keep_alive = KEEP_ALIVE_S;
        if let Some((user, password)) = &broker.login {
            connect.set_login(user, password);
        }
        wire.write(&Packet::Connect(connect)).map_err(|fault| fault.with(name))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match wire.read().map_err(|fault| fault.with(name))? {
                Some(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => return Ok(wire),
                Some(Packet::ConnAck(ack)) => return Err(refused(name, ack.code)),
                Some(_) => return Err(away("it does not begin as a broker does".into())),
                None if Instant::now() > until => return Err(away("it does not answer".into())),
                None => {}
            }
        }
    }

    /// Sends a message, and gives its number.
    pub(super) fn publish(&mut self, topic: &str, payload: &str, retain: bool) -> Result<u16, String> {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.last_id;
        publish.retain = retain;
        self.write(&Packet::Publish(publish))?;
        Ok(self.last_id)
    }

    /// The number of a message that was acknowledged; `None` if none was for a moment.
    pub(super) fn acknowledged(&mut self) -> Result<Option<u16>, String> {
        self.keep_alive()?;
        match self.read()? {
            Some(Packet::PubAck(ack)) => Ok(Some(ack.pkid)),
            Some(Packet::PingResp) => {
                self.pinged = None;
                Ok(None)
            }
            Some(Packet::Disconnect) => Err("it has ended the connection".into()),
            _ => Ok(None),
        }
    }

    /// Keeps the connection, while nothing is sent.
    pub(super) fn tend(&mut self) -> Result<(), String> {
        self.acknowledged().map(drop)
    }

    fn keep_alive(&mut self) -> Result<(), String> {
        if self.pinged.is_some_and(|pinged| pinged.elapsed() > PATIENCE) {
            return Err("it does not answer any more".into());
        }
        if self.pinged.is_none() && self.written.elapsed() > Duration::from_secs(u64::from(KEEP_ALIVE_S) / 2)
        {
            self.write(&Packet::PingReq)?;
            self.pinged = Some(Instant::now());
        }
        Ok(())
    }

    fn write(&mut self, packet: &Packet) -> Result<(), Fault> {
        self.outgoing.clear();
        packet
            .write(&mut self.outgoing, LARGEST)
            .map_err(|error| Fault::Broken(format!("a message can't be sent: {error}")))?;
        self.written = Instant::now();
        Ok(self.stream.write_all(&self.outgoing)?)
    }

    fn read(&mut self) -> Result<Option<Packet>, Fault> {
        let mut buffer = [0; 4096];
        loop {
            match Packet::read(&mut self.incoming, LARGEST) {
                Ok(packet) => return Ok(Some(packet)),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(Fault::Broken(format!("it does not speak MQTT 3.1.1: {error}"))),
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Fault::Broken("it has closed the connection".into())),
                Ok(count) => self.incoming.extend_from_slice(&buffer[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A goodbye that does not arrive changes nothing.
        let _ = self.write(&Packet::Disconnect);
        let _ = self.stream.socket().shutdown(std::net::Shutdown::Both);
    }
}

/// Why a packet did not go or come.
enum Fault {
    /// No waiting mends it.
    Untrusted(String),
    Broken(String),
}

impl Fault {
    fn with(self, name: &str) -> Trouble {
        match self {
            Self::Untrusted(why) => Trouble::ForGood(format!("{name}: {why}")),
            Self::Broken(why) => Trouble::Away { why: format!("{name}: {why}"), on_the_way: 0 },
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Untrusted(why) | Fault::Broken(why) => why,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                Self::Untrusted(format!("its certificate is not trusted ({why:?}); name its CA with --to-ca"))
            }
            Some(other) => Self::Broken(format!(
                "TLS did not come about ({other}); is it mqtt:// there, and not mqtts://?"
            )),
            None => Self::Broken(error.to_string()),
        }
    }
}

fn refused(name: &str, code: ConnectReturnCode) -> Trouble {
    match code {
        ConnectReturnCode::ServiceUnavailable => {
            Trouble::Away { why: format!("{name} is not available now"), on_the_way: 0 }
        }
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            Trouble::ForGood(format!(
                "{name} does not let this user in; give a file with user and password with --credentials"
            ))
        }
        other => Trouble::ForGood(format!("{name} refuses the connection ({other:?})")),
    }
}
