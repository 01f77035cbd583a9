//! Where these tests play: a factory's certificates by OpenSSL, a cloud that issues, and what has arrived there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::event::Event;
use container_tracker::identity::operational::{KeyPlace, Operational, Pairs};
use container_tracker::lab::{Cloud, device_config, readings};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracker_emulator::{AttestationMechanism, EnrollmentGroup, IfMatch};

use crate::support::agent::{Agent, PATIENCE, mild_chip};
use crate::support::openssl::Factory;
use crate::support::scene::fast;

pub const DEVICE: &str = "box-7";
const GROUP: &str = "factory";
pub const POLICY: &str = "fleet";

pub struct Ground {
    pub cloud: Cloud,
    pub config: Config,
    pub directory: tempfile::TempDir,
    received: Arc<Mutex<Received>>,
}

/// What has arrived at the hub.
#[derive(Default)]
struct Received {
    seqs: BTreeSet<u64>,
    events: Vec<Value>,
    /// As `cloud monitor` prints them.
    lines: Vec<Value>,
}

impl Ground {
    /// A cloud whose certificates live so long, and a device that asks for them when half of that is over.
    pub async fn new(validity: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let factory = Factory::new();
        let device = factory.device(DEVICE);
        let builder = Cloud::builder().certificate_policy(POLICY, validity);
        let cloud = Cloud::start_with(builder, directory.path(), 1).await.unwrap();
        let dps = cloud.emulator.dps();
        dps.certificates().upload_verified("factory-root", &factory.pem("root")).unwrap();
        let attestation = AttestationMechanism::signing_certificate(factory.pem("intermediate"));
        let mut group = EnrollmentGroup::new(GROUP, attestation);
        group.terms.certificate_policy_name = Some(POLICY.into());
        dps.groups().create(group).unwrap();
        let place = directory.path().join(DEVICE);
        fs::create_dir(&place).unwrap();
        fs::copy(&device.chain, place.join("device.pem")).unwrap();
        fs::copy(&device.key, place.join("device.key")).unwrap();
        let roots = directory.path().join("server-ca.pem");
        let mut config = device_config(&place, cloud.emulator.id_scope(), roots, cloud.emulator.port());
        config.identity.operational = Some(Operational { key: KeyPlace::File, renew_at: 0.5 });
        config.telemetry.interval = container_tracker::config::Interval::from_seconds(1).unwrap();
        let received = Arc::new(Mutex::new(Received::default()));
        let (mut telemetry, heard) = (cloud.hub.telemetry(), received.clone());
        tokio::spawn(async move {
            while let Ok(message) = telemetry.next().await {
                let mut received = heard.lock().unwrap();
                let body: Value = serde_json::from_slice(&message.body).unwrap();
                let properties = message.application_properties();
                received.lines.push(json!({"deviceId": DEVICE, "properties": properties, "body": body}));
                received.seqs.extend(body["seq"].as_u64());
                if body["certificate"].is_string() {
                    received.events.push(body);
                } else {
                    received.seqs.extend(readings(&message).iter().filter_map(|one| one["seq"].as_u64()));
                }
            }
        });
        Self { cloud, config, directory, received }
    }

    pub fn agent(&self) -> Agent {
        Agent::start_with(self.config.clone(), Some(&mild_chip()), None, fast())
    }

    pub fn set_policy(&self, policy: Option<&str>) {
        let groups = self.cloud.emulator.dps();
        let groups = groups.groups();
        let mut group: EnrollmentGroup = groups.get(GROUP).unwrap();
        group.terms.certificate_policy_name = policy.map(str::to_owned);
        groups.update(group, &IfMatch::Any).unwrap();
    }

    pub fn disable(&self) {
        self.cloud.emulator.dps().groups().disable(GROUP).unwrap();
    }

    pub fn enable(&self) {
        self.cloud.emulator.dps().groups().enable(GROUP).unwrap();
    }

    pub fn operational(&self) -> PathBuf {
        self.config.state.directory.join("operational")
    }

    /// The pairs of an agent that does not run.
    pub fn pairs(&self) -> Pairs {
        let Config { identity, state, .. } = &self.config;
        Pairs::open(identity.operational.as_ref(), &state.directory).unwrap().unwrap()
    }

    /// Numbers of the readings that have arrived.
    pub fn seqs(&self) -> BTreeSet<u64> {
        self.received.lock().unwrap().seqs.clone()
    }

    /// All that has arrived, as `cloud monitor` prints it.
    pub fn lines(&self) -> Vec<Value> {
        self.received.lock().unwrap().lines.clone()
    }

    /// Event messages about certificates, by their states.
    pub fn messages(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received.events.iter().map(|event| event["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until something is so.
    pub async fn wait_until(&self, agent: &Agent, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "not {what}; there was:\n{}", agent.story());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until more readings have arrived.
    pub async fn delivers(&self, agent: &Agent) {
        let before = self.seqs().len();
        self.wait_until(agent, "delivering", || self.seqs().len() > before).await;
    }

    /// What the device has reported of its certificate.
    pub fn reported(&self) -> Value {
        let twin = serde_json::to_value(self.cloud.hub.twin(DEVICE).unwrap()).unwrap();
        twin["properties"]["reported"]["certificate"].clone()
    }
}

/// How many new certificates were taken into use.
pub fn renewed(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::CertificateRenewed { .. })).count()
}
