//! What has happened so far, counted by all devices of a program at once, and told to Prometheus.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tracker_protocol::printable;

use super::fault::{Fault, FaultKind};
use super::latency::{Latency, Times};

/// So many characters of the first fault of a kind are kept.
const LONGEST_EXAMPLE: usize = 300;

/// Faults of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// How many.
    pub count: u64,
    /// The first of them, for people.
    pub example: String,
}

/// The counts of one program.
#[derive(Debug, Default)]
pub struct Tally {
    /// Devices that were assigned a hub, the first time.
    pub provisioned: Counter,
    /// Devices online.
    pub online: Gauge,
    /// Devices that were online once.
    pub met: Counter,
    /// Devices all of whose messages are acknowledged, and whose twin has come.
    pub finished: Counter,
    /// Devices that are back after what happened to all.
    pub recovered: Counter,
    /// Devices that gave up.
    pub failed: Counter,
    /// Devices that gave up because another client has their identity.
    pub taken_over: Counter,
    /// Messages given to the network, each once.
    pub sent: Counter,
    /// Those that were given again.
    pub resent: Counter,
    /// Messages acknowledged.
    pub acknowledged: Counter,
    /// Bytes of topics and bodies sent.
    pub bytes: Counter,
    /// Connections to the provisioning service.
    pub dps_connections: Counter,
    /// Connections to hubs.
    pub hub_connections: Counter,
    /// Connections to hubs that were lost.
    pub lost: Counter,
    /// Answers of the provisioning service that it has too much to do.
    pub throttled: Counter,
    /// Twins received.
    pub twins: Counter,
    /// Calls of methods answered by devices.
    pub methods: Counter,
    faults: Mutex<BTreeMap<FaultKind, Faults>>,
    faults_told: Family<Label, Counter>,
    times: Mutex<BTreeMap<Latency, Times>>,
    times_told: TimesTold,
}

type Label = [(&'static str, &'static str); 1];

/// Histograms as Prometheus has them, by what they are of.
#[derive(Debug)]
struct TimesTold(Family<Label, Histogram, fn() -> Histogram>);

impl Default for TimesTold {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 17))))
    }
}

impl Tally {
    /// Counts a fault.
    pub(super) fn fault(&self, fault: &Fault) {
        self.faults_told.get_or_create(&[("kind", fault.kind.name())]).inc();
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let known = faults.entry(fault.kind).or_default();
        if known.count == 0 {
            known.example = printable(&fault.why).chars().take(LONGEST_EXAMPLE).collect();
        }
        known.count += 1;
    }

    /// Counts a call of a method that had no result.
    pub fn method_failed(&self, why: impl Into<String>) {
        self.fault(&Fault::new(FaultKind::Method, why));
    }

    /// Counts how long something took.
    pub fn took(&self, what: Latency, time: Duration) {
        self.times_told.0.get_or_create(&[("of", what.name())]).observe(time.as_secs_f64());
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.entry(what).or_default().record(time);
    }

    /// All faults.
    pub fn faults(&self) -> BTreeMap<FaultKind, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All times.
    pub fn times(&self) -> BTreeMap<Latency, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A number that changes whenever a device gets on.
    pub(super) fn progress(&self) -> u64 {
        [&self.provisioned, &self.met, &self.acknowledged, &self.failed, &self.recovered, &self.twins]
            .iter()
            .fold(0, |sum: u64, counter| sum.wrapping_add(counter.get()))
    }

    /// All of it, as Prometheus reads it.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("container_tracker_load");
        let counters: [(&str, &str, &Counter); 15] = [
            ("provisioned", "Devices that were assigned a hub", &self.provisioned),
            (
                "finished",
                "Devices all of whose messages are acknowledged, and whose twin has come",
                &self.finished,
            ),
            ("failed", "Devices that gave up", &self.failed),
            ("taken_over", "Devices whose identity another client has", &self.taken_over),
            ("recovered", "Devices back after what happened to all", &self.recovered),
            ("messages_sent", "Messages, each counted once", &self.sent),
            ("messages_resent", "Messages sent again", &self.resent),
            ("messages_acknowledged", "Messages that a hub has acknowledged", &self.acknowledged),
            ("bytes_sent", "Bytes of topics and bodies", &self.bytes),
            ("dps_connections", "Connections to the provisioning service", &self.dps_connections),
            ("hub_connections", "Connections to hubs", &self.hub_connections),
            ("connections_lost", "Connections to hubs that were lost", &self.lost),
            ("throttled", "Answers 429 of the provisioning service", &self.throttled),
            ("twins", "Twins received", &self.twins),
            ("methods", "Calls of methods answered", &self.methods),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("online", "Devices online", self.online.clone());
        registry.register("faults", "Faults by kind", self.faults_told.clone());
        registry.register("seconds", "How long things took", self.times_told.0.clone());
        registry
    }
}
