//! How soon telemetry is back after an outage of the network, and after one of the hub.
//!
//! In a network of its own, in which an address of the loopback device comes and goes: a SYN to it that is not answered is
//! lost as in a tunnel. Where the user can't have one, nothing is measured.

use std::process::Command;
use std::time::Duration;

use container_tracker::config::Endpoint;
use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::agent::Agent;
use crate::support::proxy::{Proxy, Weather};
use crate::{LATENCY, delivered_count};

/// Where the hub is.
const HUB: &str = "10.9.9.1";
const AGENTS: usize = 10;
const INSIDE: &str = "BENCH_NETWORK_OF_ITS_OWN";

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Runs itself again in a network of its own.
pub(crate) fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let run = Command::new("unshare").args(["-rnm"]).arg(program).arg("outage").env(INSIDE, "1").status();
    if !run.is_ok_and(|status| status.success()) {
        println!("  not measured: this user can't make a network of its own (unshare -rnm)");
    }
}

pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

pub(crate) async fn outages() {
    println!("telemetry after an outage, {AGENTS} agents, 200 ms link: seconds, sorted");
    let hosts = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(hosts.path(), format!("{HUB} localhost\n")).unwrap();
    let bound = Command::new("mount").arg("--bind").arg(hosts.path()).arg("/etc/hosts").status();
    assert!(bound.unwrap().success());
    ip("link set lo up");
    ip("address add 10.9.8.1/32 dev lo");
    ip(&format!("address add {HUB}/32 dev lo"));
    ip("route add default dev lo src 10.9.8.1");

    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let proxy = Proxy::start(cloud.emulator.address()).await;
    proxy.set(Weather::Slow { latency: LATENCY, stall_every: 0, stall: Duration::ZERO });
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (port, inside) = (listener.local_addr().unwrap().port(), proxy.port());
    let mut door = tokio::spawn(forward(listener, inside));
    let mut agents = Vec::new();
    for number in 1..=AGENTS {
        let mut config = cloud.device(&format!("sensor-thl-{number:03}")).unwrap();
        config.connection.gateway = Some(Endpoint::local(port));
        agents.push(Agent::simple(config));
    }
    let online = |agents: &mut Vec<Agent>| agents.iter().all(|agent| delivered_count(&agent.events()) > 0);
    while !online(&mut agents) {
        sleep(Duration::from_millis(100)).await;
    }
    let seconds = std::env::var("OUTAGE_SECONDS").map_or(356, |text| text.parse().unwrap());
    // Long enough for the connections to be good ones.
    sleep(Duration::from_secs(65)).await;
    ip(&format!("address del {HUB}/32 dev lo"));
    sleep(Duration::from_secs(seconds)).await;
    ip(&format!("address add {HUB}/32 dev lo"));
    back(&format!("black hole of {seconds} s"), &agents).await;
    for seconds in [20, 60] {
        sleep(Duration::from_secs(65)).await;
        door.abort();
        sleep(Duration::from_secs(seconds)).await;
        let listener = TcpListener::bind(("0.0.0.0", port)).await.unwrap();
        door = tokio::spawn(forward(listener, inside));
        back(&format!("hub refuses for {seconds} s"), &agents).await;
    }
    door.abort();
    for agent in agents {
        agent.stop().await;
    }
    cloud.emulator.shutdown().await;
}

/// Carries connections as long as it lives.
async fn forward(listener: TcpListener, port: u16) {
    let mut connections = JoinSet::new();
    loop {
        let (mut outer, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let Ok(mut inner) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = (outer.set_nodelay(true), inner.set_nodelay(true));
            let _ = copy_bidirectional(&mut outer, &mut inner).await;
        });
    }
}

/// How long it takes each of them from now on until a reading is delivered.
async fn back(what: &str, agents: &[Agent]) {
    let over = Instant::now();
    let delivered = |agent: &Agent| {
        agent.events().iter().filter(|event| matches!(event, Event::Delivered { .. })).count()
    };
    let before: Vec<usize> = agents.iter().map(delivered).collect();
    let mut waits = vec![None; agents.len()];
    while waits.iter().any(Option::is_none) {
        for ((agent, before), wait) in agents.iter().zip(&before).zip(&mut waits) {
            if wait.is_none() && delivered(agent) > *before {
                // TCP's own handshake does not go through the proxy.
                *wait = Some((over.elapsed() + 2 * LATENCY).as_secs_f64());
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
    let mut waits: Vec<f64> = waits.into_iter().flatten().collect();
    waits.sort_by(f64::total_cmp);
    println!("  {what:<24} {waits:.1?}");
}
