//! What a start, an idle connection and a long backlog cost: round trips, bytes on the wire, memory.
//!
//! `cargo bench --bench link`, or a part of it: `cargo bench --bench link -- trips issuance idle outage backlog`. Figures are counts and ratios where they can be; rates are those of the machine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::unreadable_literal)]
#![allow(clippy::unnecessary_debug_formatting)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "link/outage.rs"]
mod outage;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use container_tracker::config::{Config, Endpoint, Profile};
use container_tracker::event::{Event, Events};
use container_tracker::identity::operational::{KeyPlace, Operational};
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::SystemClock;
use container_tracker::tracker::Tracker;
use support::agent::Agent;
use support::journal::fill;
use support::proxy::{Proxy, Weather};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};
use tracker_emulator::{IfMatch, TlsVersions};

/// One way; a round trip is twice that.
const LATENCY: Duration = Duration::from_millis(100);
const BACKLOG: u64 = 100_000;

fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    if wanted("outage") {
        outage::enter();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if outage::is_inside() {
            return outage::outages().await;
        }
        if wanted("trips") {
            round_trips().await;
        }
        if wanted("issuance") {
            issuance().await;
        }
        if wanted("idle") {
            idle_bytes().await;
        }
        if wanted("backlog") {
            drain().await;
        }
    });
}

fn heading(text: &str) {
    println!("\n{text}");
}

/// From the first byte of an attempt to the PUBACK of a reading, over a link of 200 ms: the time tells the round trips. That
/// of TCP's own handshake does not go through the proxy and is added, one a connection. The bytes are those of TLS until then.
/// A hub of MQTT 5 takes readings once it has acknowledged the device's birth.
async fn round_trips() {
    let tls = [("1.2", TlsVersions::Tls12), ("1.3", TlsVersions::Tls13)];
    let kinds = [("classic", Profile::Classic), ("mqtt5", Profile::Assigned)];
    for ((name, versions), (kind, profile)) in tls.into_iter().flat_map(|tls| kinds.map(|kind| (tls, kind))) {
        heading(&format!("round trips until a reading is acknowledged, TLS {name}, {kind} hub, 200 ms each"));
        let directory = tempfile::tempdir().unwrap();
        // DPS assigns at once: it asks for a second before the one poll, which is no matter of round trips.
        let waited = Duration::from_secs(1);
        let builder = Cloud::builder().hubs([format!("{}={kind}", Cloud::HUB)]);
        let builder = builder.tls(versions).dps_timing(waited, Duration::ZERO);
        let cloud = Cloud::start_with(builder, directory.path(), 2).await.unwrap();
        let proxy = Proxy::start(cloud.emulator.address()).await;
        let slow = Weather::Slow { latency: LATENCY, stall_every: 0, stall: Duration::ZERO };
        proxy.set(slow);
        let mut config = through(cloud.device("sensor-thl-001").unwrap(), &proxy);
        config.connection.profile = profile;

        let mut agent = Agent::simple(config.clone());
        let begun = next_connection(&proxy, 0).await;
        delivered(&mut agent, 1).await;
        trips("cold: DPS with one poll, then the hub", begun.elapsed() - waited, 2);
        bytes(&proxy, (0, 0));
        agent.stop().await;

        let (connections, before) = (proxy.counts().accepted(), so_far(&proxy));
        let mut agent = Agent::simple(config);
        let begun = next_connection(&proxy, connections).await;
        delivered(&mut agent, 1).await;
        trips("warm: the assignment is stored", begun.elapsed(), 1);
        bytes(&proxy, before);

        agent.wait_for_words("twin: telemetryInterval = 2").await;
        proxy.set(Weather::Refuse);
        // A reading is taken meanwhile, and its connection is resumed.
        sleep(Duration::from_secs(5)).await;
        let (connections, before) = (proxy.counts().accepted(), delivered_count(&agent.events()));
        let bytes_before = so_far(&proxy);
        proxy.set(slow);
        let begun = next_connection(&proxy, connections).await;
        delivered(&mut agent, before + 1).await;
        trips("resumed: the link was lost", begun.elapsed(), 1);
        bytes(&proxy, bytes_before);
        agent.stop().await;
        cloud.emulator.shutdown().await;
    }
}

/// What a certificate from Azure costs: asked for in the registration, beside one without; and renewed at the hub, over the
/// connection that stands, with the connection that shows the new one.
async fn issuance() {
    for (name, versions) in [("1.2", TlsVersions::Tls12), ("1.3", TlsVersions::Tls13)] {
        heading(&format!("certificates from Azure, TLS {name}, round trips of 200 ms each"));
        let directory = tempfile::tempdir().unwrap();
        let waited = Duration::from_secs(1);
        let builder = Cloud::builder().tls(versions).dps_timing(waited, Duration::ZERO);
        let builder = builder.certificate_policy("fleet", Duration::from_secs(30));
        let cloud = Cloud::start_with(builder, directory.path(), 86_400).await.unwrap();
        let proxy = Proxy::start(cloud.emulator.address()).await;
        proxy.set(Weather::Slow { latency: LATENCY, stall_every: 0, stall: Duration::ZERO });
        let plain = through(cloud.device("sensor-thl-001").unwrap(), &proxy);

        let mut agent = Agent::simple(plain);
        let begun = next_connection(&proxy, 0).await;
        delivered(&mut agent, 1).await;
        trips("cold, without a request", begun.elapsed() - waited, 2);
        bytes(&proxy, (0, 0));
        agent.stop().await;

        let groups = cloud.emulator.dps().groups();
        let mut group = groups.get("container-trackers").unwrap();
        group.terms.certificate_policy_name = Some("fleet".into());
        groups.update(group, &IfMatch::Any).unwrap();
        let mut asking = through(cloud.device("sensor-thl-002").unwrap(), &proxy);
        asking.identity.operational = Some(Operational { key: KeyPlace::File, renew_at: 0.3 });
        let (connections, before) = (proxy.counts().accepted(), so_far(&proxy));
        let mut agent = Agent::simple(asking);
        let begun = next_connection(&proxy, connections).await;
        delivered(&mut agent, 1).await;
        trips("cold, with a request", begun.elapsed() - waited, 2);
        bytes(&proxy, before);

        let is_asked = |event: &Event| matches!(event, Event::RenewingCertificate);
        let is_issued = |event: &Event| matches!(event, Event::CertificateRenewed { .. });
        agent.wait_until("a renewal", |events| events.iter().any(is_asked)).await;
        let (begun, before, connections) = (Instant::now(), so_far(&proxy), proxy.counts().accepted());
        let again = next_connection(&proxy, connections).await;
        trips("renewed, on the connection that stands", again - begun, 0);
        bytes(&proxy, before);
        let before = so_far(&proxy);
        // The first was issued with the registration.
        agent
            .wait_until("the new one", |events| events.iter().filter(|event| is_issued(event)).count() > 1)
            .await;
        trips("and connected with the new one", again.elapsed(), 1);
        bytes(&proxy, before);
        agent.stop().await;
        cloud.emulator.shutdown().await;
    }
}

/// The moment at which the proxy accepts one more connection than `so_many`.
async fn next_connection(proxy: &Proxy, so_many: u64) -> Instant {
    while proxy.counts().accepted() <= so_many {
        sleep(Duration::from_millis(1)).await;
    }
    Instant::now()
}

fn trips(what: &str, time: Duration, connections: u32) {
    let through_proxy = time.as_secs_f64() / (2.0 * LATENCY.as_secs_f64());
    println!("  {what:<40} {:>5.1}", through_proxy + f64::from(connections));
}

/// Bytes up and down.
fn so_far(proxy: &Proxy) -> (u64, u64) {
    (proxy.counts().up(), proxy.counts().down())
}

fn bytes(proxy: &Proxy, before: (u64, u64)) {
    let (up, down) = so_far(proxy);
    println!("  {:<40} {:>5} up, {:>5} down", "", up - before.0, down - before.1);
}

fn through(mut config: Config, proxy: &Proxy) -> Config {
    config.connection.gateway = Some(Endpoint::local(proxy.port()));
    config
}

async fn delivered(agent: &mut Agent, count: usize) {
    agent.wait_until("delivery", |events| delivered_count(events) >= count).await;
}

fn delivered_count(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count()
}

/// What an idle connection costs: pings, counted over a shortened keep-alive.
async fn idle_bytes() {
    heading("an idle connection");
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 86_400).await.unwrap();
    let proxy = Proxy::start(cloud.emulator.address()).await;
    let mut config = through(cloud.device("sensor-thl-001").unwrap(), &proxy);
    let keep_alive = config.connection.keep_alive;
    config.connection.keep_alive = 10;
    let mut agent = Agent::simple(config);
    agent.wait_for_words("twin: telemetryInterval = 86400").await;
    delivered(&mut agent, 1).await;
    sleep(Duration::from_secs(2)).await;
    let bytes = || proxy.counts().up() + proxy.counts().down();
    let before = bytes();
    sleep(Duration::from_secs(20)).await;
    let ping = (bytes() - before) as f64 / 2.0;
    let pings = 86_400.0 / f64::from(keep_alive);
    println!(
        "  {ping:.0} bytes of TLS a ping and answer; {:.1} KB a day at a keep-alive of {keep_alive} s",
        ping * pings / 1000.0
    );
    println!(
        "  with the headers of TCP and IP, four packets of 40 bytes a ping: {:.1} KB",
        (ping + 160.0) * pings / 1000.0
    );
    agent.stop().await;
    cloud.emulator.shutdown().await;
}

/// A backlog of 100 000 readings, to the emulator on the same machine.
async fn drain() {
    heading(&format!("a backlog of {BACKLOG} readings"));
    for (name, batch, gzip) in
        [("single messages", false, false), ("batches", true, false), ("batches, gzip", true, true)]
    {
        let directory = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(directory.path(), 86_400).await.unwrap();
        let mut config = cloud.device("sensor-thl-001").unwrap();
        config.delivery.batch_backlog = batch;
        config.delivery.gzip = gzip;
        fill(&config, BACKLOG).await;
        let (done, mut count) = watch::channel(0);
        let listener = Arc::new(move |event: &Event| {
            if matches!(event, Event::Delivered { .. }) {
                done.send_modify(|count| *count += 1);
            }
        });
        let begun = Instant::now();
        let (stop, stopped) = oneshot::channel();
        let tracker = Tracker {
            config,
            instruments: Vec::new(),
            clock: Arc::new(SystemClock::new(true)),
            events: Events::to("bench", listener),
            first_wait: Duration::ZERO,
            timing: Timing::default(),
        };
        let agent = tokio::spawn(tracker.run(async {
            let _ = stopped.await;
        }));
        // One more than the backlog: the tracker takes a reading as it starts.
        count.wait_for(|count| *count > BACKLOG).await.unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        let messages = cloud.hub.counters("sensor-thl-001").unwrap().received;
        let rate = BACKLOG as f64 / seconds;
        println!("  {name:<16} {rate:>7.0} readings/s, {messages:>6} messages");
        stop.send(()).unwrap();
        agent.await.unwrap().unwrap();
        cloud.emulator.shutdown().await;
    }
    println!("  (agent and emulator share the machine; resident memory of both: {} KB)", resident("self"));
}

fn resident(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
