//! A cloud that is about to refuse a device, the device, and the log of both.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use container_tracker::config::Config;
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tracing::Level;
use tracker_emulator::{
    AttestationMechanism, EnrollmentGroup, Fault, FaultKind, FaultyService, IfMatch, IndividualEnrollment,
    ManualClock,
};

use super::agent::{Agent, mild_chip};
use super::log::Log;
use super::scene::fast;

pub const DEVICE: &str = "sensor-thl-001";
pub const GROUP: &str = "container-trackers";

/// A cloud and a device that has not run yet, alone on a thread with their log.
pub struct Stage {
    pub cloud: Cloud,
    pub config: Config,
    pub clock: Arc<ManualClock>,
    pub timing: Timing,
    pub log: Log,
    pub directory: TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        let log = Log::begin();
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock::new(true).utc().unwrap()));
        let builder = Cloud::builder().clock(clock.clone()).dps_timing(Duration::ZERO, Duration::ZERO);
        let cloud = Cloud::start_with(builder, directory.path(), 3600).await.unwrap();
        let config = cloud.device(DEVICE).unwrap();
        let Timing { attempts, refused, .. } = Timing::default();
        let timing = Timing { attempts, refused, ..fast() };
        Self { cloud, config, clock, timing, log, directory }
    }

    pub fn agent(&self) -> Agent {
        Agent::start_with(self.config.clone(), Some(&mild_chip()), None, self.timing.clone())
    }

    pub fn group(&self, change: impl FnOnce(&mut EnrollmentGroup)) {
        let dps = self.cloud.emulator.dps();
        let mut group = dps.groups().get(GROUP).unwrap();
        change(&mut group);
        dps.groups().update(group, &IfMatch::Any).unwrap();
    }

    pub fn enroll(&self, attestation: AttestationMechanism) {
        let enrollment = IndividualEnrollment::new(DEVICE, attestation);
        self.cloud.emulator.dps().individuals().create(enrollment).unwrap();
    }

    pub fn leaf(&self) -> String {
        first_certificate(&self.config)
    }

    pub fn fault(&self, service: FaultyService, kind: FaultKind, times: Option<u32>) {
        self.cloud.emulator.faults().inject(Fault { service, device: None, kind, times });
    }

    pub fn now(&self) -> DateTime<Utc> {
        tracker_emulator::Clock::now(&*self.clock)
    }

    /// A device that goes online, so that its hub can refuse it later.
    pub async fn online(&self) -> Agent {
        let agent = self.agent();
        self.log.wait_for(Level::INFO, "online at").await;
        agent
    }
}

pub fn first_certificate(config: &Config) -> String {
    let chain = std::fs::read_to_string(&config.identity.certificate).unwrap();
    let end = "-----END CERTIFICATE-----";
    chain[..chain.find(end).unwrap() + end.len()].to_owned()
}

/// Plays the cases side by side, each on a thread of its own, and names those that fail.
pub fn play<C: Copy + Send + 'static>(
    cases: &[(&'static str, C)],
    case: impl AsyncFn(Stage, C) + Copy + Send + 'static,
) {
    let threads: Vec<_> = cases
        .iter()
        .map(|&(name, content)| {
            let builder = thread::Builder::new().name(name.into());
            builder
                .spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async { case(Stage::set().await, content).await });
                })
                .unwrap()
        })
        .collect();
    let names = cases.iter().map(|(name, _)| *name);
    let failed: Vec<_> =
        names.zip(threads).filter_map(|(name, thread)| thread.join().is_err().then_some(name)).collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}
