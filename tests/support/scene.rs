//! A cloud, a stretch of bad network, and an agent at the end of it; with a record of all that reached the cloud.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use container_tracker::config::{Config, Endpoint, Interval, TelemetryConfig};
use container_tracker::event::Event;
use container_tracker::lab::{Cloud, readings};
use container_tracker::link::timing::Timing;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracker_emulator::{
    ConnectionState, EnrollmentGroup, EventKind, Fault, FaultKind, FaultyService, Hub, IfMatch, InitialTwin,
    Subscription, SubscriptionError, TelemetryMessage,
};
use tracker_protocol::BackoffPolicy;

use super::agent::{Agent, PATIENCE, mild_chip};
use super::journal::prefill;
use super::proxy::{Proxy, Weather};

/// The device of every scene.
pub const DEVICE: &str = "sensor-thl-001";
/// Where it can be moved to.
pub const SECOND_HUB: &str = "gouda-hub.azure-devices.net";
const GROUP: &str = "container-trackers";
/// An interval in which no reading is taken.
const NEVER: u32 = 86_400;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits so short that an outage is over in seconds.
pub fn fast() -> Timing {
    let attempts = BackoffPolicy {
        floor: Duration::from_millis(50),
        first: Duration::from_millis(200),
        cap: Duration::from_secs(1),
        stable: Duration::from_secs(2),
    };
    Timing {
        connect_within: Duration::from_secs(3),
        stage_within: Duration::from_secs(2),
        pong_within: Duration::from_secs(1),
        acknowledge_within: Duration::from_secs(1),
        each_acknowledged_within: Duration::from_secs(4),
        dps_answer_within: Duration::from_secs(2),
        attempts,
        throttled_first: attempts.first,
        probe_every: Duration::from_millis(100),
        nobody_listens: attempts,
        nobody_listens_soon: Duration::ZERO,
        refused: BackoffPolicy { floor: Duration::from_millis(200), stable: Duration::ZERO, ..attempts },
        hub_gone_attempts: 6,
        hub_gone_after: Duration::from_secs(3),
        short_spell: Duration::from_secs(2),
        look_every: Duration::from_millis(100),
        ..Timing::default()
    }
}

/// A reading as it arrived at a hub.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub seq: u64,
    pub time: DateTime<Utc>,
    pub hub: String,
}

/// What the cloud saw.
#[derive(Debug, Default)]
pub struct Record {
    pub arrivals: Vec<Arrival>,
    pub events: Vec<tracker_emulator::Event>,
}

/// Everything that was counted in a scene.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub taken: u64,
    pub arrived: u64,
    pub duplicates: u64,
    pub lost_connections: u64,
    pub attempts: u64,
    pub registrations: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.taken += other.taken;
        self.arrived += other.arrived;
        self.duplicates += other.duplicates;
        self.lost_connections += other.lost_connections;
        self.attempts += other.attempts;
        self.registrations += other.registrations;
    }
}

pub struct Scene {
    pub cloud: Cloud,
    pub second_hub: Hub,
    pub proxy: Proxy,
    pub config: Config,
    pub timing: Timing,
    prefilled: u64,
    record: Arc<Mutex<Record>>,
    _recorders: JoinSet<()>,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// A cloud that knows the device, which takes a reading every `interval` seconds.
    pub async fn new(interval: u32, timing: Timing) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(directory.path(), interval).await.unwrap();
        let second_hub = cloud.emulator.dps().add_hub(SECOND_HUB).unwrap();
        let proxy = Proxy::start(cloud.emulator.address()).await;
        let mut config = cloud.device(DEVICE).unwrap();
        config.connection.gateway = Some(Endpoint::local(proxy.port()));
        config.telemetry = TelemetryConfig {
            interval: Interval::from_seconds(interval.into()).unwrap(),
            ..config.telemetry
        };
        let record = Arc::new(Mutex::new(Record::default()));
        let mut recorders = JoinSet::new();
        recorders.spawn(record_telemetry(cloud.hub.telemetry(), record.clone()));
        recorders.spawn(record_telemetry(second_hub.telemetry(), record.clone()));
        recorders.spawn(record_events(cloud.emulator.events(), record.clone()));
        let scene = Self {
            cloud,
            second_hub,
            proxy,
            config,
            timing,
            prefilled: 0,
            record,
            _recorders: recorders,
            _directory: directory,
        };
        scene.assign_to(Cloud::HUB);
        scene
    }

    /// Puts readings into the journal as a tracker would that was offline for long.
    pub async fn prefill(&mut self, readings: u64) {
        prefill(&self.config.state.directory, self.prefilled..self.prefilled + readings).await;
        self.prefilled += readings;
    }

    pub fn agent(&self) -> Agent {
        Agent::start_with(self.config.clone(), Some(&mild_chip()), None, self.timing.clone())
    }

    pub fn record(&self) -> MutexGuard<'_, Record> {
        locked(&self.record)
    }

    /// Forgets what the cloud saw.
    pub fn forget(&self) {
        *self.record() = Record::default();
    }

    /// Waits until the cloud has seen it.
    pub async fn wait_for(&self, agent: &Agent, what: &str, seen: impl Fn(&Record) -> bool) {
        let start = Instant::now();
        while !seen(&self.record()) {
            assert!(start.elapsed() < PATIENCE, "no {what}; there was:\n{}{}", agent.story(), self.story());
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until so many more readings have arrived.
    pub async fn wait_for_readings(&self, agent: &Agent, more: usize) {
        let before = self.record().arrivals.len();
        self.wait_for(agent, "readings", |record| record.arrivals.len() >= before + more).await;
    }

    /// How often this happened at the cloud.
    pub fn count(&self, which: impl Fn(&EventKind) -> bool) -> usize {
        self.record().events.iter().filter(|event| which(&event.kind)).count()
    }

    pub fn inject(&self, service: FaultyService, kind: FaultKind, times: Option<u32>) {
        self.cloud.emulator.faults().inject(Fault { service, device: None, kind, times });
    }

    /// New registrations lead to this hub.
    pub fn assign_to(&self, hub: &str) {
        let dps = self.cloud.emulator.dps();
        let mut group: EnrollmentGroup = dps.groups().get(GROUP).unwrap();
        group.terms.iot_hubs = vec![hub.into()];
        dps.groups().update(group, &IfMatch::Any).unwrap();
    }

    /// Twins made from now on begin with this interval.
    fn begin_with_interval(&self, interval: u32) {
        let dps = self.cloud.emulator.dps();
        let mut group: EnrollmentGroup = dps.groups().get(GROUP).unwrap();
        let twin = InitialTwin::new(json!({}), json!({"telemetryInterval": interval}));
        group.terms.initial_twin = Some(twin);
        dps.groups().update(group, &IfMatch::Any).unwrap();
    }

    /// Deletes the device wherever it is.
    pub fn delete_device(&self) {
        for hub in self.hubs() {
            // It may be gone already, and not be back yet.
            let _ = hub.delete(DEVICE);
        }
    }

    /// Cuts the device's connection at its hub.
    pub fn drop_connection(&self) {
        for hub in self.hubs() {
            let _ = hub.drop_connection(DEVICE);
        }
    }

    pub fn disable(&self) {
        self.cloud.emulator.dps().groups().disable(GROUP).unwrap();
    }

    pub fn enable(&self) {
        self.cloud.emulator.dps().groups().enable(GROUP).unwrap();
    }

    /// Ends everything that is wrong.
    pub fn heal(&self) {
        self.proxy.set(Weather::Fair);
        self.cloud.emulator.faults().clear_all();
        self.enable();
    }

    pub fn hubs(&self) -> [&Hub; 2] {
        [&self.cloud.hub, &self.second_hub]
    }

    /// The hub where the device is connected, if it is.
    fn hub_online(&self) -> Option<&Hub> {
        self.hubs().into_iter().find(|hub| {
            hub.device(DEVICE).is_ok_and(|device| device.connection_state == ConnectionState::Connected)
        })
    }

    /// Waits until the device is online, but not for ever.
    pub async fn recovered(&self, patience: Duration) {
        let start = Instant::now();
        while self.hub_online().is_none() && start.elapsed() < patience {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// After everything is healed: settings reach the device, its answers come back, and its backlog is sent. Then the
    /// agent is stopped and everything that the cloud has seen is checked.
    pub async fn finish(&self, agent: Agent) -> Tally {
        let start = Instant::now();
        self.begin_with_interval(NEVER);
        while let Err(missing) = self.is_quiet().await {
            assert!(
                start.elapsed() < 2 * PATIENCE,
                "{missing}; there was:\n{}{}",
                agent.story(),
                self.story()
            );
            sleep(LOOK_AGAIN).await;
        }
        let mut tally = Tally { taken: self.prefilled, ..Tally::default() };
        let mut agent = agent;
        let mut said = Vec::new();
        // A reading that was committed at the very end is for the next start, as it is on a tracker.
        for _ in 0..3 {
            said.push((agent.age(), agent.events()));
            let stats = agent.stop().await;
            assert_eq!((stats.dropped, stats.thinned), (0, 0), "{stats:?}");
            tally.taken += stats.taken;
            if stats.backlog == 0 {
                self.check(&said, &mut tally);
                return tally;
            }
            agent = self.agent();
            agent
                .wait_until("all delivered", |events| {
                    let delivered =
                        events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
                    delivered as u64 >= stats.backlog
                })
                .await;
        }
        panic!("there is always something left; there was:\n{}", self.story());
    }

    /// The device takes no readings any more, has said so, and has sent all it has.
    async fn is_quiet(&self) -> Result<(), &'static str> {
        let hub = self.hub_online().ok_or("the device is not online")?;
        let twin = serde_json::to_value(hub.twin(DEVICE).map_err(|_| "there is no twin")?).unwrap();
        if twin["properties"]["desired"]["telemetryInterval"] != NEVER {
            hub.update_twin_desired(DEVICE, json!({"telemetryInterval": NEVER})).map_err(|_| "no twin")?;
        }
        if twin["properties"]["reported"]["telemetryInterval"]["value"] != NEVER {
            return Err("the new interval is not answered");
        }
        let status = hub.invoke_method(DEVICE, "getStatus", Value::Null, Duration::from_secs(2)).await;
        let status = status.ok().and_then(|answer| answer.payload).ok_or("getStatus is not answered")?;
        let sent = status["journal"]["backlog"] == 0;
        if sent { Ok(()) } else { Err("the backlog is not sent") }
    }

    /// Checks the promises against what was seen.
    fn check(&self, said: &[(Duration, Vec<Event>)], tally: &mut Tally) {
        let record = self.record();
        let mut by_seq: BTreeMap<u64, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &record.arrivals {
            by_seq.entry(arrival.seq).or_default().push(arrival);
        }
        tally.arrived = by_seq.len() as u64;
        tally.duplicates = record.arrivals.len() as u64 - tally.arrived;
        assert_eq!(tally.arrived, tally.taken, "every reading taken has arrived\n{}", self.story_of(&record));
        let connected: Vec<DateTime<Utc>> = record
            .events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::DeviceConnected { .. }))
            .map(|event| event.time)
            .collect();
        for (seq, arrivals) in &by_seq {
            for pair in arrivals.windows(2) {
                assert!(
                    connected.iter().any(|time| (pair[0].time..=pair[1].time).contains(time)),
                    "reading {seq} came twice over one connection: {pair:?}"
                );
            }
        }
        for (age, events) in said {
            check_attempts(*age, events, tally);
            check_deliveries(events, &by_seq.keys().copied().collect());
        }
        assert!(
            self.proxy.counts().accepted() <= tally.attempts + tally.registrations,
            "{} connections for {tally:?}",
            self.proxy.counts().accepted()
        );
    }

    /// What the cloud saw, for a failed test.
    pub fn story(&self) -> String {
        self.story_of(&self.record())
    }

    fn story_of(&self, record: &Record) -> String {
        let events: String = record.events.iter().map(|event| format!("  cloud: {}\n", event.kind)).collect();
        let hubs = self.hubs().map(Hub::name);
        format!("{events}  {} readings came to {hubs:?}\n", record.arrivals.len())
    }
}

/// A reading that is acknowledged is not sent again, and has arrived.
fn check_deliveries(events: &[Event], arrived: &HashSet<u64>) {
    let mut delivered: HashMap<u64, u32> = HashMap::new();
    for event in events {
        if let Event::Delivered { seq } = event {
            *delivered.entry(*seq).or_default() += 1;
        }
    }
    for (seq, times) in delivered {
        assert_eq!(times, 1, "reading {seq} was sent after it was acknowledged");
        assert!(arrived.contains(&seq), "reading {seq} was acknowledged and never arrived");
    }
}

/// Every attempt has its cause, and every wait was waited.
pub fn check_attempts(age: Duration, events: &[Event], tally: &mut Tally) {
    let (mut attempts, mut registrations, mut causes) = (0, 0, 1);
    let mut waits = Vec::new();
    for event in events {
        match event {
            Event::Connecting { .. } => attempts += 1,
            Event::Registering { .. } => registrations += 1,
            Event::Assigned { .. } | Event::CertificateChanged => causes += 1,
            Event::Lost { again, .. } => {
                tally.lost_connections += 1;
                causes += 1;
                waits.push(*again);
            }
            Event::ConnectLater { again, .. }
            | Event::RegisterLater { again, .. }
            | Event::Refused { again, .. } => {
                causes += 1;
                waits.push(*again);
            }
            _ => {}
        }
    }
    assert!(attempts + registrations <= causes, "{attempts} + {registrations} attempts for {causes} causes");
    // The last wait may not have been over yet.
    waits.pop();
    let waited: Duration = waits.iter().sum();
    assert!(waited <= age, "waits of {waited:?} in {age:?}: {waits:?}");
    tally.attempts += attempts;
    tally.registrations += registrations;
}

/// The record is good even where a check of it failed.
fn locked(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn record_telemetry(mut telemetry: Subscription<TelemetryMessage>, record: Arc<Mutex<Record>>) {
    loop {
        match telemetry.next().await {
            Ok(message) => {
                let arrivals = readings(&message).into_iter().map(|reading| Arrival {
                    seq: reading["seq"].as_u64().unwrap(),
                    time: message.enqueued_time,
                    hub: message.hub.clone(),
                });
                locked(&record).arrivals.extend(arrivals);
            }
            Err(SubscriptionError::Closed) => return,
            Err(SubscriptionError::Lagged(missed)) => panic!("{missed} messages were not seen"),
        }
    }
}

async fn record_events(mut events: Subscription<tracker_emulator::Event>, record: Arc<Mutex<Record>>) {
    loop {
        match events.next().await {
            Ok(event) => locked(&record).events.push((*event).clone()),
            Err(SubscriptionError::Closed) => return,
            Err(SubscriptionError::Lagged(missed)) => panic!("{missed} events were not seen"),
        }
    }
}
