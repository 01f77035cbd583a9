//! The stage: two hubs, of which the first has the fleet, and containers at two places.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{AttestationMechanism, Emulator, EnrollmentGroup, InitialTwin};

use super::operator::Operator;
use crate::journal::JournalStats;
use crate::lab::hub_service::OpenHub;
use crate::lab::scenario::fleet::{Fleet, View};

pub(super) const HUB: &str = "cheese-hub.azure-devices.net";
pub(super) const SECOND_HUB: &str = "spare-hub.azure-devices.net";
/// Where the containers stand; each place has a factory of its own, and so an enrollment group.
pub(super) const PLACES: [&str; 2] = ["quay", "sea"];
/// A reading an hour keeps the machine cool.
pub(super) const INITIAL_INTERVAL: u32 = 3600;

/// The stage.
pub(super) struct Stage {
    pub(super) emulator: Emulator,
    pub(super) ids: Vec<String>,
    /// Of the hub with the fleet.
    pub(super) hub: Operator,
    /// Of the other one.
    pub(super) spare: Operator,
    pub(super) fleet: Fleet,
    /// Devices of the first hub that are none of the fleet.
    pub(super) others: usize,
    factories: [CertificateAuthority; 2],
}

impl Stage {
    pub(super) async fn new(directory: &Path, devices: usize, open: OpenHub) -> anyhow::Result<Self> {
        let emulator = Emulator::builder()
            .port(0)
            .hubs([HUB, SECOND_HUB])
            .dps_timing(Duration::from_secs(1), Duration::from_millis(200))
            .start()
            .await
            .context("the emulator does not start")?;
        let root = CertificateAuthority::root("Cheese Root CA", Validity::always())?;
        emulator.dps().certificates().upload_verified("cheese-root", &root.certificate_pem())?;
        let factory = |place: &str| root.intermediate(&format!("Cheese CA {place}"), Validity::always());
        let factories = [factory(PLACES[0])?, factory(PLACES[1])?];
        let fleet = Fleet::new(directory, &emulator)?;
        let [hub, spare] = [HUB, SECOND_HUB].map(|name| open(&emulator, name).map(Operator::of));
        let ids = (1..=devices).map(|n| format!("sensor-thl-{n:03}")).collect();
        Ok(Self { ids, hub: hub?, spare: spare?, fleet, others: 0, factories, emulator })
    }

    /// An enrollment group for each place.
    pub(super) fn enroll(&self) -> anyhow::Result<()> {
        for (place, factory) in PLACES.iter().zip(&self.factories) {
            let attestation = AttestationMechanism::signing_certificate(factory.certificate_pem());
            let mut group = EnrollmentGroup::new(format!("containers-{place}"), attestation);
            group.terms.iot_hubs = vec![HUB.into()];
            group.terms.initial_twin = Some(InitialTwin::new(
                json!({"environment": "scenario", "place": place}),
                json!({"telemetryInterval": INITIAL_INTERVAL}),
            ));
            self.emulator.dps().groups().create(group)?;
        }
        Ok(())
    }

    /// Every second container is at the first place.
    pub(super) fn switch_on(&mut self) -> anyhow::Result<()> {
        for (index, id) in self.ids.iter().enumerate() {
            self.fleet.certificate(id, &self.factories[index % 2])?;
            self.fleet.start(id);
        }
        Ok(())
    }

    /// How many devices the first hub has.
    pub(super) fn registered(&self) -> usize {
        self.ids.len() + self.others
    }

    /// How many containers are at the first place, and at the second.
    pub(super) fn at_places(&self) -> [usize; 2] {
        [self.ids.len().div_ceil(2), self.ids.len() / 2]
    }

    /// Waits until every container is online and has delivered; whether it came to that.
    pub(super) async fn all_deliver(&self) -> bool {
        let is_there = |view: &View| view.online_at.is_some() && view.delivered > 0;
        self.fleet.wait_until(|views| views.values().all(is_there)).await
    }

    /// Switches everything off, and gives the containers' totals.
    pub(super) async fn stop(self) -> anyhow::Result<JournalStats> {
        let totals = self.fleet.stop().await?;
        self.emulator.shutdown().await;
        Ok(totals)
    }
}

/// The condition that a container says it has this interval.
pub(super) fn reports(interval: u32) -> String {
    let reported = "properties.reported.telemetryInterval";
    format!("{reported}.value = {interval} AND {reported}.ac = 200")
}
