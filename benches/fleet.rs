//! How fast a fleet is provisioned and served, with emulator and devices on one machine, beside the TLS handshakes that
//! are its limit.
//!
//! `cargo bench --bench fleet`, or a part of it: `cargo bench --bench fleet -- handshakes provisioning telemetry memory`.
//!
//! The devices are the agent's own uplink (registration, link, topics) without sensors and journal. Every device makes two
//! full handshakes, with DPS and with its hub, as different hosts ask for; nothing is resumed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use container_tracker::config::{Config, Endpoint, Transport};
use container_tracker::identity::Identity;
use container_tracker::lab::{Cloud, device_config};
use container_tracker::link::timing::Timing;
use container_tracker::link::tls::{self, Tls};
use container_tracker::link::{Link, LinkEvent, LinkOptions, Version};
use container_tracker::platform::clock::SystemClock;
use container_tracker::uplink::provisioner;
use container_tracker::uplink::session;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_protocol::dps::{Assignment, Event, Outcome, RESPONSE_FILTER, Registration, Step};
use tracker_protocol::hub::{DeviceTopic, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER};
use tracker_protocol::{Publish, RegistrationId};

const DEVICES: usize = 6000;
/// Under way at a time.
const AT_A_TIME: usize = 64;
const PUBLISHERS: usize = 200;
const WINDOW: usize = 32;
const MEASURED: Duration = Duration::from_secs(5);
const CONNECTED: usize = 500;

fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wanted("memory") {
        // Before the others, which leave memory behind that would be used again.
        runtime.block_on(memory());
    }
    if wanted("provisioning") {
        let before = (handshakes(), runtime.block_on(connections()));
        let fleet = runtime.block_on(provisioning_rate());
        // Others may use the machine: the limit is what it gave before and afterwards.
        let after = (handshakes(), runtime.block_on(connections()));
        println!("\nprovisioning beside its limits, two handshakes a device");
        beside("handshakes over TCP", &fleet, &before.1, &after.1);
        beside("handshakes in memory", &fleet, &before.0, &after.0);
    } else if wanted("handshakes") {
        handshakes();
        runtime.block_on(connections());
    }
    if wanted("telemetry") {
        runtime.block_on(telemetry_rate());
    }
}

fn beside(limit: &str, fleet: &Pace, before: &Pace, after: &Pace) {
    let rate = f64::midpoint(before.rate, after.rate) / 2.0;
    let least = before.processor_us + after.processor_us;
    println!(
        "  {limit:<22} {:.0} of {rate:.0} devices/s: {:.2}; {least:.0} of {:.0} µs of processor time a device: {:.2}",
        fleet.rate,
        fleet.rate / rate,
        fleet.processor_us,
        least / fleet.processor_us
    );
}

/// How often a second, and what it costs.
struct Pace {
    rate: f64,
    processor_us: f64,
}

impl Pace {
    fn of(count: f64, begun: Instant, processor: f64) -> Self {
        let processor_us = (processor_time() - processor) * 1e6 / count;
        Self { rate: count / begun.elapsed().as_secs_f64(), processor_us }
    }
}

/// Mutual TLS 1.3 without sockets: client and server on one thread, as many threads as there are processors.
fn handshakes() -> Pace {
    let threads = thread::available_parallelism().unwrap().get();
    let directory = tempfile::tempdir().unwrap();
    let factory = factory();
    let identity = identity(directory.path(), &factory, "sensor-thl-001");
    let (server, roots) = server();
    let client = one_time(&roots, &identity);
    let made = AtomicU64::new(0);
    let (begun, processor) = (Instant::now(), processor_time());
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

fn handshake(client: &Arc<rustls::ClientConfig>, server: &Arc<ServerConfig>) {
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

/// The same over TCP on this machine, as many at a time as devices are provisioned: a server that does nothing else.
async fn connections() -> Pace {
    let directory = tempfile::tempdir().unwrap();
    let identity = identity(directory.path(), &factory(), "sensor-thl-001");
    let (server, roots) = server();
    let connector = TlsConnector::from(one_time(&roots, &identity));
    let acceptor = TlsAcceptor::from(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                // The last word of the client's handshake has come; then it hangs up.
                let _ = stream.read(&mut [0]).await;
            });
        }
    });
    let made = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    let (begun, processor) = (Instant::now(), processor_time());
    for _ in 0..AT_A_TIME {
        let (connector, made) = (connector.clone(), made.clone());
        clients.spawn(async move {
            while begun.elapsed() < MEASURED {
                let stream = TcpStream::connect(address).await.unwrap();
                let name = "localhost".try_into().unwrap();
                let mut stream = connector.connect(name, stream).await.unwrap();
                stream.shutdown().await.unwrap();
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    clients.join_all().await;
    let pace = Pace::of(made.load(Ordering::Relaxed) as f64, begun, processor);
    serving.abort();
    println!("\nbare mutual TLS 1.3 handshakes over TCP, both sides, {AT_A_TIME} at a time");
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
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(ProofOfPossession(provider)))
        .with_single_cert(vec![leaf.der().clone(), authority.der().clone()], key.into())
        .unwrap();
    (Arc::new(config), roots)
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn factory() -> CertificateAuthority {
    let root = CertificateAuthority::root("bench root", Validity::always()).unwrap();
    root.intermediate("bench factory", Validity::always()).unwrap()
}

fn identity(directory: &Path, factory: &CertificateAuthority, id: &str) -> Identity {
    let made = factory.device(id, Validity::always()).unwrap();
    let directory = directory.join(id);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("device.pem"), made.chain_pem).unwrap();
    fs::write(directory.join("device.key"), made.key_pem).unwrap();
    load(&device_config(&directory, "none", "none".into(), 0))
}

fn load(config: &Config) -> Identity {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(config.identity.key.file().unwrap(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    Identity::load(&config.identity.certificate, &config.identity.key, &config.state.directory).unwrap()
}

/// TLS that resumes nothing.
fn one_time(roots: &RootCertStore, identity: &Identity) -> Tls {
    let tls = tls::client_config(roots.clone(), identity, Arc::new(SystemClock::new(true))).unwrap();
    let mut config = (*tls).clone();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// A device that is switched on for the first time.
struct Device {
    identity: Identity,
    config: Config,
    tls: Tls,
    /// Whether it waits before polls; without that, only for an emulator that assigns at once.
    patience: bool,
}

impl Device {
    fn new(config: Config, patience: bool) -> Self {
        let roots = tls::roots(config.connection.roots.as_deref()).unwrap();
        let identity = load(&config);
        Self { tls: one_time(&roots, &identity), identity, config, patience }
    }

    fn link_options(&self, client_id: &str, username: String) -> LinkOptions {
        LinkOptions {
            password: None,
            transport: Transport::Mqtt,
            proxy: None,
            endpoint: Endpoint { host: "127.0.0.1".into(), port: self.config.connection.endpoint("").port },
            client_id: client_id.into(),
            username,
            keep_alive: self.config.connection.keep_alive,
            timing: Timing::default(),
            tls: self.tls.clone(),
            version: Version::V311,
        }
    }

    /// From the first byte to the acknowledgement of the first reading.
    async fn provision(&self) -> Link<()> {
        let id = &self.identity.registration_id;
        let username = provisioner::username(&self.config, id);
        let mut link = Link::connect(&self.link_options(&id.to_string(), username)).await.unwrap();
        let assigned = register(&mut link, id.clone(), self.patience).await;
        link.close().await;
        let hub = self
            .link_options(&assigned.device_id, session::username(&assigned.hub, &assigned.device_id, false));
        let mut link = Link::connect(&hub).await.unwrap();
        let filters = [TWIN_RESPONSE_FILTER, TWIN_DESIRED_FILTER, METHOD_FILTER];
        link.subscribe(filters.map(str::to_owned)).unwrap();
        link.publish(reading(&assigned.device_id), Some(())).unwrap();
        let (mut twin, mut acknowledged) = (false, false);
        while !(twin && acknowledged) {
            match link.next().await.unwrap() {
                LinkEvent::Subscribed => {
                    let topic = DeviceTopic::TwinGet { request_id: "1".into() }.to_string();
                    link.publish(Publish { topic, payload: Vec::new() }, None).unwrap();
                }
                LinkEvent::Message { payload, .. } => {
                    let body: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                    assert!(body["desired"]["telemetryInterval"].is_u64(), "{body}");
                    twin = true;
                }
                LinkEvent::Acknowledged(()) => acknowledged = true,
                LinkEvent::Connected => {}
                LinkEvent::Refused(_, refusal) => panic!("{}", refusal.why),
            }
        }
        link
    }
}

/// Registers as the agent does; without `patience` it does not wait before polls, where nobody works.
async fn register(link: &mut Link<()>, id: RegistrationId, patience: bool) -> Assignment {
    link.subscribe([RESPONSE_FILTER.to_owned()]).unwrap();
    let mut registration = Registration::new(id, None);
    let mut now = Duration::ZERO;
    loop {
        let mut step = match link.next().await.unwrap() {
            LinkEvent::Subscribed => registration.handle(now, 0.0, Event::Subscribed),
            LinkEvent::Message { topic, payload, .. } => {
                registration.handle(now, 0.0, Event::Message { topic: &topic, payload: &payload })
            }
            LinkEvent::Acknowledged(()) | LinkEvent::Connected | LinkEvent::Refused(..) => continue,
        };
        if let Step::Wait(until) = step {
            if patience {
                tokio::time::sleep(until.saturating_sub(now)).await;
            }
            now = until;
            step = registration.handle(now, 0.0, Event::Tick);
        }
        match step {
            Step::Publish(message, _) => link.publish(message, None).unwrap(),
            Step::Done(Outcome::Assigned(assigned)) => return assigned,
            other => panic!("{other:?}"),
        }
    }
}

fn reading(device_id: &str) -> Publish {
    let body = json!({
        "temperature": 3.87, "humidity": 84.12, "pressure": 1013.25,
        "location": {"lat": -36.84, "lon": 174.78, "alt": 12.3}, "speed": 29.64, "course": 312.4, "fix": "gps",
    });
    Publish {
        topic: format!("devices/{device_id}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8"),
        payload: body.to_string().into_bytes(),
    }
}

async fn cloud(directory: &Path) -> Cloud {
    let builder = Cloud::builder().dps_timing(Duration::ZERO, Duration::ZERO);
    Cloud::start_with(builder, directory, 3600).await.unwrap()
}

async fn provisioning_rate() -> Pace {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(directory.path()).await;
    let devices: Vec<_> =
        (0..DEVICES).map(|n| Device::new(cloud.device(&format!("device-{n:05}")).unwrap(), false)).collect();
    println!(
        "\nprovisioning {DEVICES} devices, {AT_A_TIME} at a time: DPS, hub, twin, first reading acknowledged"
    );
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    let (begun, processor) = (Instant::now(), processor_time());
    for device in devices {
        let place = places.clone().acquire_owned().await.unwrap();
        tasks.spawn(async move {
            device.provision().await.close().await;
            drop(place);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let pace = Pace::of(DEVICES as f64, begun, processor);
    println!("  {:.0} devices/s in {:.1} s", pace.rate, begun.elapsed().as_secs_f64());
    assert_eq!(cloud.hub.devices().len(), DEVICES);
    cloud.emulator.shutdown().await;
    pace
}

async fn telemetry_rate() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = cloud(directory.path()).await;
    println!("\ntelemetry at QoS 1 of {PUBLISHERS} devices, {WINDOW} messages of each under way");
    let mut tasks = JoinSet::new();
    for n in 0..PUBLISHERS {
        let device = Device::new(cloud.device(&format!("device-{n:05}")).unwrap(), false);
        tasks.spawn(async move { (device.identity.registration_id.to_string(), device.provision().await) });
    }
    let links = tasks.join_all().await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut publishers = JoinSet::new();
    for (id, mut link) in links {
        let acknowledged = acknowledged.clone();
        publishers.spawn(async move {
            for _ in 0..WINDOW {
                link.publish(reading(&id), Some(())).unwrap();
            }
            loop {
                if let LinkEvent::Acknowledged(()) = link.next().await.unwrap() {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    link.publish(reading(&id), Some(())).unwrap();
                }
            }
        });
    }
    let before = acknowledged.load(Ordering::Relaxed);
    let (begun, processor) = (Instant::now(), processor_time());
    tokio::time::sleep(MEASURED).await;
    let after = acknowledged.load(Ordering::Relaxed);
    let pace = Pace::of((after - before) as f64, begun, processor);
    println!(
        "  {:.0} messages/s acknowledged, {:.2} µs of processor time each",
        pace.rate, pace.processor_us
    );
    publishers.shutdown().await;
    let received = |device: tracker_emulator::Device| cloud.hub.counters(&device.device_id).unwrap().received;
    assert!(cloud.hub.devices().into_iter().map(received).sum::<u64>() >= after);
    cloud.emulator.shutdown().await;
}

/// The emulator in a process of its own, so that its memory can be told from that of the devices.
async fn memory() {
    println!("\nmemory of a connected device, {CONNECTED} connected");
    let directory = tempfile::tempdir().unwrap();
    let factory = factory();
    let twin = directory.path().join("twin.json");
    let ca = directory.path().join("factory.pem");
    fs::write(&ca, factory.certificate_pem()).unwrap();
    fs::write(&twin, r#"{"tags": {"a": 1}, "properties": {"desired": {"telemetryInterval": 60}}}"#).unwrap();
    let (mut emulator, port) = emulator(directory.path(), &ca, &twin);
    let mut links = Vec::new();
    let before = (resident(&emulator.id().to_string()), resident("self"));
    for n in 0..CONNECTED {
        let id = format!("device-{n:05}");
        identity(directory.path(), &factory, &id);
        let roots = directory.path().join("server-ca.pem");
        links.push(Device::new(device_config(&directory.path().join(id), "0ne00000001", roots, port), true));
    }
    let made = resident("self");
    let connected = futures(links).await;
    let after = (resident(&emulator.id().to_string()), resident("self"));
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / CONNECTED as f64;
    println!(
        "  {:.1} KB in the emulator (identity, twin, last messages and connection)",
        each(after.0, before.0)
    );
    println!("  {:.1} KB in the device's link", each(after.1, made));
    drop(connected);
    emulator.kill().unwrap();
    emulator.wait().unwrap();
}

async fn futures(devices: Vec<Device>) -> Vec<(Device, Link<()>)> {
    let mut tasks = JoinSet::new();
    for device in devices {
        tasks.spawn(async move {
            let link = device.provision().await;
            (device, link)
        });
    }
    tasks.join_all().await
}

fn emulator(directory: &Path, ca: &Path, twin: &Path) -> (Child, u16) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_container-tracker"))
        .args(["emulator", "--port", "0", "--retry-after", "0", "--json", "--directory"])
        .arg(directory)
        .arg("--enroll")
        .arg(ca)
        .arg("--initial-twin")
        .arg(twin)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut port = 0;
    for line in lines.by_ref() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(address) = line["address"].as_str() {
            port = address.rsplit(':').next().unwrap().parse().unwrap();
        }
        if line["event"] == "service" {
            break;
        }
    }
    // What it says later is read, and nobody wants it.
    thread::spawn(move || lines.for_each(drop));
    (child, port)
}

/// Kilobytes.
fn resident(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds of processor time of this process, in the system and in its own code.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    (fields[11] + fields[12]) / 100.0
}
