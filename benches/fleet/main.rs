//! How fast a fleet is provisioned and served, with emulator and devices on one machine, beside the TLS handshakes that
//! are its limit.
//!
//! `cargo bench --bench fleet`, or a part of it: `cargo bench --bench fleet -- handshakes provisioning telemetry fairness
//! storm memory deletion`. With `FLEET_EMULATOR=PROGRAM` the emulator of another build takes the place of this one's in all but the first two.
//!
//! The devices are the agent's own uplink (registration, link, topics) without sensors and journal. Every device makes two
//! full handshakes, with DPS and with its hub, as different hosts ask for; nothing is resumed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

mod limits;
mod storm;

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
use rustls::RootCertStore;
use rustls::client::Resumption;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_protocol::dps::{Assignment, Event, Outcome, RESPONSE_FILTER, Registration, Step};
use tracker_protocol::hub::{DeviceTopic, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER};
use tracker_protocol::{Publish, RegistrationId};

use crate::limits::{Kind, connections, handshakes};
use crate::storm::storm;

const DEVICES: usize = 6000;
/// Under way at a time.
const AT_A_TIME: usize = 64;
const PUBLISHERS: usize = 1000;
const WINDOW: usize = 32;
const MEASURED: Duration = Duration::from_secs(5);
const CONNECTED: usize = 500;
/// Devices that come, leave and are deleted.
const PASSING: usize = 2000;
/// After it the emulator has given back what it gives back.
const QUIET: Duration = Duration::from_secs(4);
/// Devices that send one message after the other while another one floods.
const PATIENT: usize = 50;

fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wanted("memory") {
        // Before the others, which leave memory behind that would be used again.
        runtime.block_on(memory());
    }
    if wanted("deletion") {
        runtime.block_on(deletion());
    }
    if wanted("provisioning") {
        let before = (handshakes(), runtime.block_on(connections(Kind::Full)));
        let fleet = runtime.block_on(provisioning_rate());
        // Others may use the machine: the limit is what it gave before and afterwards.
        let after = (handshakes(), runtime.block_on(connections(Kind::Full)));
        println!("\nprovisioning beside its limits, two handshakes a device");
        beside("handshakes over TCP", &fleet, &before.1, &after.1);
        beside("handshakes in memory", &fleet, &before.0, &after.0);
    } else if wanted("handshakes") {
        handshakes();
        runtime.block_on(connections(Kind::Full));
    }
    if wanted("telemetry") {
        runtime.block_on(telemetry_rate());
    }
    if wanted("fairness") {
        runtime.block_on(fairness());
    }
    if wanted("storm") {
        let before = runtime.block_on(connections(Kind::Resumed));
        let storm = storm();
        let after = runtime.block_on(connections(Kind::Resumed));
        storm.beside(f64::midpoint(before.rate, after.rate));
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
        let processor_us = (processor_time("self") - processor) * 1e6 / count;
        Self { rate: count / begun.elapsed().as_secs_f64(), processor_us }
    }
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
    let (begun, processor) = (Instant::now(), processor_time("self"));
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
    let emulator = Apart::start();
    println!("\ntelemetry at QoS 1 of {PUBLISHERS} devices, {WINDOW} messages of each under way");
    let links = connected(emulator.devices(PUBLISHERS)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut publishers = JoinSet::new();
    for (device, link) in links {
        publishers.spawn(flood(device, link, acknowledged.clone()));
    }
    tokio::time::sleep(MEASURED / 5).await;
    let before = acknowledged.load(Ordering::Relaxed);
    let (begun, processor) = (Instant::now(), [emulator.processor_time(), processor_time("self")]);
    tokio::time::sleep(MEASURED).await;
    let count = (acknowledged.load(Ordering::Relaxed) - before) as f64;
    let each = |after: f64, before: f64| (after - before) * 1e6 / count;
    println!(
        "  {:.0} messages/s acknowledged; processor time each: {:.2} µs of the emulator, {:.2} µs of the devices",
        count / begun.elapsed().as_secs_f64(),
        each(emulator.processor_time(), processor[0]),
        each(processor_time("self"), processor[1]),
    );
    publishers.shutdown().await;
}

/// Sends as fast as it is acknowledged.
async fn flood(device: Device, mut link: Link<()>, acknowledged: Arc<AtomicU64>) {
    let id = device.identity.registration_id.to_string();
    for _ in 0..WINDOW {
        link.publish(reading(&id), Some(())).unwrap();
    }
    loop {
        if let LinkEvent::Acknowledged(()) = link.next().await.unwrap() {
            acknowledged.fetch_add(1, Ordering::Relaxed);
            link.publish(reading(&id), Some(())).unwrap();
        }
    }
}

/// How long acknowledgements take while one device floods, and while none does.
async fn fairness() {
    let emulator = Apart::start();
    println!("\n{PATIENT} devices send one message after the other, 20 ms apart, beside one that floods");
    let mut links = connected(emulator.devices(PATIENT + 1)).await;
    let (device, link) = links.pop().unwrap();
    let (before, links) = latencies(links).await;
    // On a thread of its own: it is the emulator that is to be fair.
    let flooding = Arc::new(AtomicU64::new(0));
    let count = flooding.clone();
    let handle = tokio::spawn(flood(device, link, count));
    let (beside, _) = latencies(links).await;
    handle.abort();
    let [half, most] = [0.5, 0.99].map(|part| (quantile(&before, part), quantile(&beside, part)));
    println!(
        "  p50 {:.2} ms alone, {:.2} ms beside; p99 {:.2} ms alone, {:.2} ms beside: {:.2} times; {} messages of the flood",
        half.0,
        half.1,
        most.0,
        most.1,
        most.1 / most.0,
        flooding.load(Ordering::Relaxed)
    );
}

async fn latencies(links: Vec<(Device, Link<()>)>) -> (Vec<f64>, Vec<(Device, Link<()>)>) {
    let mut tasks = JoinSet::new();
    for (device, mut link) in links {
        tasks.spawn(async move {
            let id = device.identity.registration_id.to_string();
            let (begun, mut times) = (Instant::now(), Vec::new());
            while begun.elapsed() < MEASURED {
                let sent = Instant::now();
                link.publish(reading(&id), Some(())).unwrap();
                while !matches!(link.next().await.unwrap(), LinkEvent::Acknowledged(())) {}
                times.push(sent.elapsed().as_secs_f64() * 1e3);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (times, (device, link))
        });
    }
    let (times, links): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
    let mut times = times.concat();
    times.sort_by(f64::total_cmp);
    (times, links)
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}

/// An emulator in a process of its own, so that what it takes can be told from what devices take.
struct Apart {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
    factory: CertificateAuthority,
}

impl Apart {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let factory = factory();
        let twin = directory.path().join("twin.json");
        let ca = directory.path().join("factory.pem");
        fs::write(&ca, factory.certificate_pem()).unwrap();
        fs::write(&twin, r#"{"tags": {"a": 1}, "properties": {"desired": {"telemetryInterval": 60}}}"#)
            .unwrap();
        let (child, port) = emulator(directory.path(), &ca, &twin);
        Self { child, port, directory, factory }
    }

    fn devices(&self, count: usize) -> Vec<Device> {
        let made = (0..count).map(|n| {
            let id = format!("device-{n:05}");
            identity(self.directory.path(), &self.factory, &id);
            let roots = self.directory.path().join("server-ca.pem");
            let config = device_config(&self.directory.path().join(id), "0ne00000001", roots, self.port);
            Device::new(config, true)
        });
        made.collect()
    }

    /// Lets so many devices come, leave and be deleted; returns the memory in between.
    async fn pass(&self, count: usize) -> u64 {
        let connected = connected(self.devices(count)).await;
        let with_all = self.resident();
        drop(connected);
        let deletion = Command::new(env!("CARGO_BIN_EXE_container-tracker"))
            .args(["cloud", "deprovision", "--where", "deviceId != ''", "--yes", "--emulator"])
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(deletion.success(), "{deletion}");
        tokio::time::sleep(QUIET).await;
        with_all
    }

    fn processor_time(&self) -> f64 {
        processor_time(&self.child.id().to_string())
    }

    fn resident(&self) -> u64 {
        resident(&self.child.id().to_string())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn memory() {
    println!("\nmemory of a connected device, {CONNECTED} connected");
    let emulator = Apart::start();
    let before = emulator.resident();
    let devices = emulator.devices(CONNECTED);
    let made = resident("self");
    let connected = connected(devices).await;
    let after = (emulator.resident(), resident("self"));
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / CONNECTED as f64;
    println!(
        "  {:.1} KB in the emulator (identity, twin, last messages and connection)",
        each(after.0, before)
    );
    println!("  {:.1} KB in the device's link", each(after.1, made));
    drop(connected);
}

/// What stays of devices that have come, sent one message each, left and been deleted.
async fn deletion() {
    println!("\nmemory of the emulator, {PASSING} devices come, leave and are deleted");
    let emulator = Apart::start();
    let fresh = emulator.resident();
    emulator.pass(1).await;
    let first = emulator.resident();
    let most = emulator.pass(PASSING).await;
    let after = emulator.resident();
    let [from_fresh, from_first] = [fresh, first].map(|before| after as f64 / before as f64);
    println!(
        "  {fresh} KB when it is started, {first} when one has come and gone, {most} with all, {after} when they are gone: \
         {from_first:.2} of what it was after the first, {from_fresh:.2} of what it was at the start"
    );
}

/// Provisions them, some at a time: with hundreds at once the last of them wait longer than a connection may take.
async fn connected(devices: Vec<Device>) -> Vec<(Device, Link<()>)> {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for device in devices {
        let place = places.clone().acquire_owned().await.unwrap();
        tasks.spawn(async move {
            let link = device.provision().await;
            drop(place);
            (device, link)
        });
    }
    tasks.join_all().await
}

fn emulator(directory: &Path, ca: &Path, twin: &Path) -> (Child, u16) {
    let program = std::env::var("FLEET_EMULATOR");
    let mut child = Command::new(program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_container-tracker")))
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
        // Others follow, of doors that are open beside: AMQP's.
        if line["event"] == "emulator"
            && let Some(address) = line["address"].as_str()
        {
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

/// Seconds of processor time of a process, in the system and in its own code.
fn processor_time(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    (fields[11] + fields[12]) / 100.0
}
