//! The stage: a cloud that issues certificates, containers, and a link for each.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{AttestationMechanism, AuthenticationType, Emulator, EnrollmentGroup, InitialTwin};
use tracker_protocol::BackoffPolicy;

use super::link::Link;
use crate::config::{Config, Endpoint};
use crate::identity::operational::{KeyPlace, Operational};
use crate::journal::JournalStats;
use crate::lab::Received;
use crate::lab::scenario::fleet::{Fleet, View};
use crate::link::timing::Timing;
use crate::platform::clock::system_time;

pub(super) const HUB: &str = "cheese-hub.azure-devices.net";
/// The policy by which certificates are issued.
pub(super) const POLICY: &str = "short-lived";
const GROUP: &str = "container-trackers";
/// A renewal begins after this part of a life: the rest has room for a link that is cut.
const RENEW_AT: f64 = 0.7;
/// A link is whole for so large a part of a certificate's life, and then cut for so large a one.
const WHOLE: [f64; 2] = [0.1, 0.4];
const CUT: [f64; 2] = [0.02, 0.1];

/// The stage.
pub(super) struct Stage {
    pub(super) emulator: Emulator,
    pub(super) ids: Vec<String>,
    pub(super) validity: Duration,
    factory: CertificateAuthority,
    fleet: Fleet,
    links: Vec<Link>,
    received: Arc<Mutex<Received>>,
}

impl Stage {
    pub(super) async fn new(directory: &Path, devices: usize, validity: Duration) -> anyhow::Result<Self> {
        let emulator = Emulator::builder()
            .port(0)
            .hubs([HUB])
            .dps_timing(Duration::from_secs(1), Duration::from_millis(200))
            .certificate_policy(POLICY, validity)
            .start()
            .await
            .context("the emulator does not start")?;
        let root = CertificateAuthority::root("Cheese Root CA", Validity::always())?;
        let factory = root.intermediate("Cheese Intermediate CA", Validity::always())?;
        emulator.dps().certificates().upload_verified("cheese-root", &root.certificate_pem())?;
        let fleet = Fleet::new(directory, &emulator)?;
        let received = Arc::<Mutex<Received>>::default();
        let counts = received.clone();
        let hub = emulator.hub(HUB).context("the emulator has no hub")?;
        // Before it is acknowledged.
        hub.observe(move |message| counts.lock().unwrap_or_else(PoisonError::into_inner).count(message));
        let ids: Vec<String> = (1..=devices).map(|n| format!("sensor-thl-{n:03}")).collect();
        let mut links = Vec::new();
        for _ in &ids {
            links.push(Link::to(emulator.port()).await?);
        }
        Ok(Self { emulator, ids, validity, factory, fleet, links, received })
    }

    /// Enrolls whom the intermediate CA signs; the policy that is named there.
    pub(super) fn enroll(&self) -> anyhow::Result<Option<String>> {
        let attestation = AttestationMechanism::signing_certificate(self.factory.certificate_pem());
        let mut group = EnrollmentGroup::new(GROUP, attestation);
        group.terms.certificate_policy_name = Some(POLICY.into());
        group.terms.initial_twin =
            Some(InitialTwin::new(json!({"environment": "scenario"}), json!({"telemetryInterval": 1})));
        Ok(self.emulator.dps().groups().create(group)?.terms.certificate_policy_name)
    }

    pub(super) fn switch_on(&mut self) -> anyhow::Result<()> {
        for (id, link) in self.ids.iter().zip(&self.links) {
            self.fleet.certificate(id, &self.factory)?;
            let port = link.port();
            self.fleet.start_with(id, |config, timing| set_up(config, timing, port));
        }
        Ok(())
    }

    /// Lets each link flap by itself until `end`, and leaves all whole. How often links were cut.
    pub(super) async fn flap(&self, end: Instant) -> u32 {
        let mut flapping = JoinSet::new();
        for link in &self.links {
            flapping.spawn(flap(link.switch(), self.validity, end));
        }
        flapping.join_all().await.into_iter().sum()
    }

    pub(super) fn set_links(&self, are_whole: bool) {
        self.links.iter().for_each(|link| link.set_whole(are_whole));
    }

    /// Where each container stands, in the order of their names.
    pub(super) fn views(&self) -> Vec<View> {
        self.ids.iter().map(|id| self.fleet.view(id)).collect()
    }

    pub(super) fn count(&self, wanted: impl Fn(&View) -> bool) -> usize {
        self.views().iter().filter(|view| wanted(view)).count()
    }

    /// Waits until every container is as wanted; whether it came to that.
    pub(super) async fn all(&self, wanted: impl Fn(&View) -> bool) -> bool {
        self.fleet.wait_until(|views| views.values().all(&wanted)).await
    }

    /// Waits until every container is online with a good certificate, and has delivered more than in `delivered`.
    pub(super) async fn all_delivering(&self, delivered: &[u64]) -> bool {
        self.fleet
            .wait_until(|views| {
                let now = system_time();
                self.ids.iter().zip(delivered).all(|(id, before)| {
                    let view = &views[id];
                    view.online_at.is_some()
                        && view.until.is_some_and(|until| until > now)
                        && view.delivered > *before
                })
            })
            .await
    }

    /// Whom DPS refuses, and why.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        let refused = |id: &String| Some((id.clone(), self.fleet.view(id).refused?));
        self.ids.iter().filter_map(refused).collect()
    }

    /// How many the hub knows by the authority that has signed their certificates.
    pub(super) fn known_by_authority(&self) -> usize {
        let Some(hub) = self.emulator.hub(HUB) else { return 0 };
        let is_known = |id: &&String| {
            hub.device(id)
                .is_ok_and(|device| device.authentication.kind == AuthenticationType::CertificateAuthority)
        };
        self.ids.iter().filter(is_known).count()
    }

    /// Switches everything off: the containers' totals, and how many different readings the hub has.
    pub(super) async fn stop(self) -> anyhow::Result<(JournalStats, u64)> {
        let Self { emulator, fleet, received, .. } = self;
        let totals = fleet.stop().await?;
        emulator.shutdown().await;
        let received = received.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((totals, received.distinct()))
    }
}

/// Lets a link flap; how often it was cut.
async fn flap(link: watch::Sender<bool>, life: Duration, end: Instant) -> u32 {
    let a_part_of = |[least, most]: [f64; 2]| life.mul_f64(least + (most - least) * rand::random::<f64>());
    let mut cuts = 0;
    loop {
        let cut = Instant::now() + a_part_of(WHOLE);
        if cut >= end {
            sleep_until(end).await;
            return cuts;
        }
        sleep_until(cut).await;
        link.send_replace(false);
        cuts += 1;
        sleep(a_part_of(CUT)).await;
        link.send_replace(true);
    }
}

/// A container of this story: its certificate is issued, its link is its own, and it is as impatient as its certificate is short.
fn set_up(config: &mut Config, timing: &mut Timing, port: u16) {
    config.connection.gateway = Some(Endpoint::local(port));
    config.identity.operational = Some(Operational { key: KeyPlace::File, renew_at: RENEW_AT });
    let again = BackoffPolicy {
        floor: Duration::from_millis(100),
        first: Duration::from_millis(300),
        cap: Duration::from_millis(1500),
        stable: Duration::from_secs(2),
    };
    *timing = Timing {
        attempts: again,
        nobody_listens: again,
        probe_every: Duration::from_millis(300),
        short_spell: Duration::from_millis(300),
        ..timing.clone()
    };
}
