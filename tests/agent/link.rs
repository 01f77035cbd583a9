//! One connection against servers that the emulator is not: rough, odd, or not servers of MQTT at all.

#![allow(clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use container_tracker::config::{Config, Endpoint, Transport};
use container_tracker::event::{Event, Loss};
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::link::{Link, LinkErrorKind, LinkEvent, LinkOptions, Version, explain_tls};
use container_tracker::platform::clock::SystemClock;
use container_tracker::uplink::assignment::{Assignment, AssignmentFile, Terms};
use container_tracker::uplink::credentials::Credentials;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tokio::time::{advance, pause, timeout};
use tracker_protocol::Publish;

use super::support::agent::{Agent, PATIENCE, mild_chip};
use super::support::scene::{DEVICE, fast};

pub(super) const CONNECT: u8 = 1;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;
pub(super) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// A server's side of one connection.
pub(super) struct Peer(pub(super) StreamOwned<ServerConnection, TcpStream>);

impl Peer {
    /// Type and body of the next packet; `None` when there is none any more.
    pub(super) fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut byte = || {
            let mut byte = [0];
            self.0.read_exact(&mut byte).ok().map(|()| byte[0])
        };
        let first = byte()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let next = usize::from(byte()?);
            length |= (next & 0x7f) << shift;
            shift += 7;
            if next & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((first >> 4, body))
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        self.0.flush().unwrap();
    }

    /// Takes the device in.
    fn welcome(&mut self) {
        assert_eq!(self.packet().unwrap().0, CONNECT);
        self.say(&CONNACK);
    }
}

/// A server with a certificate for `localhost`, and the CA that it is from.
pub(super) struct Server {
    pub(super) port: u16,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Server {
    /// Treats one connection after the other like this.
    pub(super) fn start(mut treat: impl FnMut(Peer) + Send + 'static) -> Self {
        let ca = authority();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".into()]).unwrap().signed_by(&key, &ca).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key.into())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (connection, stream) = (ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
                stream.set_nodelay(true).unwrap();
                treat(Peer(StreamOwned::new(connection, stream)));
            }
        });
        Self { port, ca }
    }

    pub(super) fn options(&self, keep_alive: u16) -> LinkOptions {
        options(self.port, &self.ca, keep_alive)
    }

    async fn link(&self, keep_alive: u16) -> Link<u32> {
        Link::connect(&self.options(keep_alive)).await.unwrap()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "A CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn options(port: u16, trusted: &CertifiedIssuer<'static, KeyPair>, keep_alive: u16) -> LinkOptions {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    LinkOptions {
        password: None,
        endpoint: Endpoint::local(port),
        transport: Transport::Mqtt,
        proxy: None,
        client_id: DEVICE.into(),
        username: "hub/device".into(),
        keep_alive,
        timing: Timing::default(),
        tls: Arc::new(config),
        version: Version::V311,
    }
}

fn message(topic: &str, length: usize) -> Publish {
    Publish { topic: topic.into(), payload: vec![b'x'; length] }
}

#[tokio::test]
async fn pings_only_where_nothing_else_was_said() {
    let (sender, seen) = mpsc::sync_channel(1024);
    let server = Server::start(move |mut peer| {
        peer.welcome();
        while let Some((kind, _)) = peer.packet() {
            sender.send(kind).unwrap();
        }
        sender.send(0).unwrap();
    });
    let mut link = server.link(100).await;
    let seconds = Duration::from_secs;
    // From here on the time passes only where this test lets it.
    pause();
    advance(seconds(60)).await;
    link.publish(message("a", 1), None).unwrap();
    // A ping every 100 s would fall into this time.
    timeout(seconds(90), link.next()).await.unwrap_err();
    // 160 s after the beginning, 100 s after the publish.
    timeout(seconds(20), link.next()).await.unwrap_err();
    link.close().await;
    let seen: Vec<u8> = seen.iter().take_while(|kind| *kind != 0).collect();
    assert_eq!(seen, [PUBLISH, PINGREQ, DISCONNECT]);
}

#[tokio::test]
async fn a_server_that_never_stops_talking_is_pinged_all_the_same() {
    let (sender, seen) = mpsc::sync_channel(1024);
    let server = Server::start(move |mut peer| {
        peer.welcome();
        // All that a client reads at once.
        peer.say(&[0x30, 3, 0, 1, b'a'].repeat(100));
        while let Some((kind, _)) = peer.packet() {
            sender.send(kind).unwrap();
        }
        sender.send(0).unwrap();
    });
    let mut link = server.link(100).await;
    assert!(matches!(link.next().await, Ok(LinkEvent::Message { .. })));
    pause();
    advance(Duration::from_secs(101)).await;
    for _ in 0..50 {
        assert!(matches!(link.next().await, Ok(LinkEvent::Message { .. })));
    }
    link.close().await;
    let seen: Vec<u8> = seen.iter().take_while(|kind| *kind != 0).collect();
    assert_eq!(seen, [PINGREQ, DISCONNECT]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_a_ping_is_gone() {
    let server = Server::start(|mut peer| {
        peer.welcome();
        while peer.packet().is_some() {}
    });
    let mut link = server.link(100).await;
    pause();
    let error = link.next().await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.why),
        (LinkErrorKind::Outage, "the server does not answer pings any more")
    );
}

#[tokio::test]
async fn a_burst_of_calls_does_not_cost_the_connection() {
    const CALLS: usize = 500;
    let (sender, seen) = mpsc::sync_channel(1024);
    let server = Server::start(move |mut peer| {
        peer.welcome();
        let call = [&[0x30, 2 + 20][..], &[0, 20], b"$iothub/methods/POST"].concat();
        peer.say(&call.repeat(CALLS));
        for _ in 0..CALLS {
            let (kind, body) = peer.packet().unwrap();
            sender.send(kind).unwrap();
            let id = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
            peer.say(&[0x40, 2, body[id], body[id + 1]]);
        }
        while peer.packet().is_some() {}
    });
    let mut link = server.link(100).await;
    let (mut calls, mut acknowledged) = (0, Vec::new());
    while acknowledged.len() < CALLS {
        match timeout(PATIENCE, link.next()).await.unwrap().unwrap() {
            LinkEvent::Message { .. } => {
                link.publish(message("$iothub/methods/res/200", 100), Some(calls)).unwrap();
                calls += 1;
            }
            LinkEvent::Acknowledged(call) => acknowledged.push(call),
            LinkEvent::Subscribed | LinkEvent::Connected | LinkEvent::Refused(..) => {}
        }
    }
    assert_eq!(acknowledged, (0..CALLS as u32).collect::<Vec<_>>());
    assert!(seen.try_iter().all(|kind| kind == PUBLISH));
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_do_not_cost_the_connection_either() {
    const CALLS: usize = 6000;
    let server = Server::start(move |mut peer| {
        peer.welcome();
        let call = [&[0x30, 2 + 20][..], &[0, 20], b"$iothub/methods/POST"].concat();
        peer.say(&call.repeat(CALLS));
        loop {
            let Some((_, body)) = peer.packet() else { return };
            // Readings are acknowledged, and answers are not.
            if body[..3] == [0, 1, b'r'] {
                peer.say(&[PUBACK << 4, 2, body[3], body[4]]);
            }
        }
    });
    let mut link = server.link(100).await;
    let (mut calls, mut refused) = (0, 0);
    while calls < CALLS {
        if let LinkEvent::Message { .. } = timeout(PATIENCE, link.next()).await.unwrap().unwrap() {
            calls += 1;
            if let Err(error) = link.publish(message("$iothub/methods/res/200", 100), None) {
                assert_eq!(error.kind, LinkErrorKind::Unsendable, "{error:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, CALLS - 3072);
    link.publish(message("r", 1), Some(7)).unwrap();
    while !matches!(timeout(PATIENCE, link.next()).await.unwrap(), Ok(LinkEvent::Acknowledged(7))) {}
}

#[tokio::test]
async fn the_largest_twin_that_a_hub_may_hold_is_taken() {
    // Two sections of 32 KB, of which each byte that is counted makes seven.
    const BODY: usize = 2 * 32 * 1024 * 7 + 100;
    let server = Server::start(|mut peer| {
        peer.welcome();
        let length = BODY + 3;
        let bytes = [0x30, length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8, 0, 1, b't'];
        peer.say(&[&bytes[..], &vec![b' '; BODY]].concat());
        while peer.packet().is_some() {}
    });
    let mut link = server.link(100).await;
    let event = timeout(PATIENCE, link.next()).await.unwrap().unwrap();
    assert!(matches!(event, LinkEvent::Message { payload, .. } if payload.len() == BODY));
}

#[tokio::test]
async fn a_message_that_can_not_be_sent_leaves_the_connection_as_it_is() {
    let server = Server::start(|mut peer| {
        peer.welcome();
        let (kind, body) = peer.packet().unwrap();
        assert_eq!((kind, &body[..3]), (PUBLISH, &[0, 1, b'a'][..]), "the only one that is sent");
        peer.say(&[PUBACK << 4, 2, body[3], body[4]]);
        while peer.packet().is_some() {}
    });
    let mut link = server.link(100).await;
    for (topic, length, why) in [
        ("devices/a+b/messages", 1, "a message was not sent: no message can have its topic"),
        ("a\0", 1, "a message was not sent: no message can have its topic"),
        ("", 1, "a message was not sent: no message can have its topic"),
        ("a", 403_100, "a message was not sent: it has 394 KB, and a hub takes 260 KB"),
    ] {
        let error = link.publish(message(topic, length), Some(1)).unwrap_err();
        assert_eq!((error.kind, &*error.why), (LinkErrorKind::Unsendable, why));
    }
    link.publish(message("a", 1), Some(2)).unwrap();
    assert!(matches!(link.next().await, Ok(LinkEvent::Acknowledged(2))));
    assert_eq!(link.unacknowledged().count(), 0);
}

#[tokio::test]
async fn closing_after_connack_counts_as_closed() {
    let server = Server::start(|mut peer| peer.welcome());
    for _ in 0..10 {
        let mut link = server.link(100).await;
        // The server may be gone before this leaves, or after.
        link.subscribe(["a".into()]).unwrap();
        link.publish(message("a", 1), Some(1)).unwrap();
        let error = link.next().await.unwrap_err();
        assert_eq!((error.kind, &*error.why), (LinkErrorKind::Closed, "the server closed the connection"));
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://wifi.example/login\r\n\r\n");
        }
    });
    let error = Link::<()>::connect(&options(port, &authority(), 100)).await.err().unwrap();
    assert_eq!(error.kind, LinkErrorKind::Answered);
    let begin = format!("localhost:{port}: what answers there does not speak TLS: is it a captive portal");
    assert!(error.why.starts_with(&begin), "{}", error.why);
}

#[tokio::test]
async fn another_ca_of_the_same_name_is_named() {
    let server = Server::start(|mut peer| while peer.packet().is_some() {});
    let error = Link::<()>::connect(&options(server.port, &authority(), 100)).await.err().unwrap();
    let place = format!("localhost:{}: ", server.port);
    let why = error.why.strip_prefix(&place).unwrap();
    assert!(why.contains("is not from the CA that this device trusts: another CA of the same name"), "{why}");
    let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
    assert_eq!(why, explain_tls(&bad));
}

/// A handshake with a key in a token takes up to 100 ms of its time, a resumed one none.
#[tokio::test]
async fn the_second_connection_resumes_the_session_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let (sender, seen) = mpsc::sync_channel(1024);
    let server = Server::start(move |mut peer| {
        peer.welcome();
        while peer.packet().is_some() {}
        sender.send(peer.0.conn.handshake_kind()).unwrap();
    });
    let config = at_home(&cloud, &server, directory.path());
    let tls = Credentials::load(&config, Arc::new(SystemClock::new(true))).unwrap().tls;
    let options = LinkOptions { tls, ..server.options(100) };
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        Link::<()>::connect(&options).await.unwrap().close().await;
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), Some(kind));
    }
}

/// A configuration whose hub is assigned already, and is this server.
pub(super) fn at_home(cloud: &Cloud, server: &Server, directory: &Path) -> Config {
    let mut config = cloud.device(DEVICE).unwrap();
    let roots = directory.join("roots.pem");
    std::fs::write(&roots, server.ca.pem()).unwrap();
    config.connection.roots = Some(roots);
    config.connection.gateway = Some(Endpoint::local(server.port));
    assign(&config, "hub.example.net");
    config
}

/// Stores this hub as the one that was assigned at the last start.
fn assign(config: &Config, hub: &str) {
    let thumbprint = Credentials::load(config, Arc::new(SystemClock::new(true))).unwrap().identity.thumbprint;
    let terms = Terms::new(&config.dps, &thumbprint);
    std::fs::create_dir_all(&config.state.directory).unwrap();
    let assignment = Assignment {
        hub: hub.into(),
        device_id: DEVICE.into(),
        terms,
        waits_for_connack: false,
        profile: None,
    };
    AssignmentFile::new(&config.state.directory).write(Some(&assignment)).unwrap();
}

#[tokio::test]
async fn a_hub_that_closes_after_connack_again_and_again_means_another_client() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let server = Server::start(|mut peer| peer.welcome());
    let config = at_home(&cloud, &server, directory.path());
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    agent
        .wait_until("sign of another client", |events| {
            events.iter().any(|event| matches!(event, Event::Lost { loss: Loss::TakenOver, .. }))
        })
        .await;
    let story = agent.story();
    assert!(story.contains("connection lost: the server closed the connection"), "{story}");
    agent.stop().await;
}

/// DPS assigns this hub and device to whoever asks over this connection.
fn assign_over(peer: &mut Peer, hub: &str, device_id: &str) {
    peer.welcome();
    let (_, subscribe) = peer.packet().unwrap();
    peer.say(&[0x90, 3, subscribe[0], subscribe[1], 1]);
    let (kind, request) = peer.packet().unwrap();
    assert_eq!(kind, PUBLISH);
    let id = 2 + usize::from(u16::from_be_bytes([request[0], request[1]]));
    peer.say(&[PUBACK << 4, 2, request[id], request[id + 1]]);
    let state = json!({"assignedHub": hub, "deviceId": device_id});
    let body = json!({"operationId": "x", "status": "assigned", "registrationState": state}).to_string();
    let topic = b"$dps/registrations/res/200/?$rid=1";
    let length = 2 + topic.len() + body.len();
    let head = [0x30, 0x80 | (length % 128) as u8, (length / 128) as u8, 0, topic.len() as u8];
    peer.say(&[&head[..], topic, body.as_bytes()].concat());
    while peer.packet().is_some() {}
}

#[tokio::test]
async fn what_dps_can_not_have_meant_is_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let mut assignments =
        vec![("hub.example.net", DEVICE), ("hub.example.net", "a+b"), ("hub\n<3>well", DEVICE)];
    let server = Server::start(move |mut peer| match assignments.pop() {
        Some((hub, device_id)) => assign_over(&mut peer, hub, device_id),
        None => {
            peer.welcome();
            while peer.packet().is_some() {}
        }
    });
    let config = at_home(&cloud, &server, directory.path());
    let stored = AssignmentFile::new(&config.state.directory);
    // What was stored by a version that believed everything.
    assign(&config, "localhost:8883");
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    agent.wait_for_words("online at hub.example.net").await;
    for words in [
        "the stored assignment can't be read (\"localhost:8883\" is no host name); DPS will be asked",
        "DPS assigned a hub that can't be one: \"hub\\n<3>well\" is no host name; trying again",
        "DPS assigned a device ID that can't be one: \"a+b\" is no device ID; trying again",
    ] {
        agent.wait_for_words(words).await;
    }
    agent.stop().await;
    assert_eq!(stored.read().unwrap().unwrap().hub, "hub.example.net");
}

/// A stored hub whose name is gone, and a DPS that assigns another one. Where the name servers do not even say that, it is
/// an outage, and there is nothing to be seen.
#[tokio::test]
#[allow(clippy::disallowed_macros)]
async fn a_hub_whose_name_is_gone_leads_to_dps() {
    let directory = tempfile::tempdir().unwrap();
    let gone = "gone-hub.invalid";
    let resolved = (gone, 8883).to_socket_addrs();
    if !resolved.is_err_and(|error| error.to_string().contains(" not ")) {
        eprintln!("not tested: no name server says that {gone} does not exist");
        return;
    }
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let mut config = cloud.device(DEVICE).unwrap();
    config.dps.host = "localhost".into();
    config.connection.gateway = None;
    config.connection.port = cloud.emulator.port();
    assign(&config, gone);
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, fast());
    agent.wait_for_words("DPS assigned the hub cheese-hub").await;
    let story = agent.story();
    assert!(story.contains(&format!("{gone}:{}: there is no such name", cloud.emulator.port())), "{story}");
    agent.stop().await;
}

#[tokio::test]
async fn a_hub_that_knows_the_thumbprint_takes_the_leaf_alone() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let mut config = cloud.device(DEVICE).unwrap();
    config.identity.leaf_alone_at_hub = true;
    let mut agent = Agent::simple(config);
    agent.wait_for_words("online at").await;
    agent
        .wait_until("a delivery", |events| {
            events.iter().any(|event| matches!(event, Event::Delivered { .. }))
        })
        .await;
    agent.stop().await;
    cloud.emulator.shutdown().await;
}
