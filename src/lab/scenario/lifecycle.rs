//! The life of a fleet: loaded, provisioned, configured, delivered, loaded again.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{
    AttestationMechanism, Emulator, EnrollmentGroup, Fault, FaultKind, FaultyService, Hub, IfMatch,
    IndividualEnrollment, InitialTwin,
};

use super::fleet::Fleet;
use super::story::Story;
use super::watching::Watching;
use crate::lab::console::Page;
use crate::lab::director::Director;
use crate::lab::screen::Screen;

const NORTH: &str = "hub-north.azure-devices.net";
const SOUTH: &str = "hub-south.azure-devices.net";
const GROUP: &str = "container-trackers";
const INITIAL_INTERVAL: u32 = 2;

/// How often the cloud is looked at, and for how long, until it is as expected.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(2);

/// The stage.
struct Stage {
    emulator: Emulator,
    hubs: Vec<Hub>,
    root: CertificateAuthority,
    factory: CertificateAuthority,
    fleet: Fleet,
    ids: Vec<String>,
}

pub(super) async fn play(
    devices: usize,
    screen: Screen,
    watching: Watching<'_>,
    page: &mut Option<Page>,
) -> anyhow::Result<()> {
    let directory = watching.directory;
    let emulator = Emulator::builder()
        .port(0)
        .hubs([NORTH, SOUTH])
        .dps_timing(Duration::from_secs(1), Duration::from_millis(200))
        .start()
        .await
        .context("the emulator does not start")?;
    let root = CertificateAuthority::root("Cheese Root CA", Validity::always())?;
    let factory = root.intermediate("Cheese Intermediate CA", Validity::always())?;
    let hubs = emulator.dps().hubs();
    let fleet = Fleet::new(directory, &emulator)?;
    let ids = (1..=devices).map(|n| format!("sensor-thl-{n:03}")).collect();
    let mut stage = Stage { emulator, hubs, root, factory, fleet, ids };
    let title = format!("The life of {devices} {}", if devices == 1 { "container" } else { "containers" });
    let director = Director::new(&title, watching.is_stepping);
    *page = watching.show(&title, &stage.emulator, &stage.root, director.clone(), screen).await?;
    let mut story = Story::with(screen, director);

    certificates(&mut story, &stage).await?;
    enroll(&mut story, &stage).await?;
    provision(&mut story, &mut stage).await?;
    configure(&mut story, &stage).await?;
    disable_group(&mut story, &mut stage).await?;
    deprovision_one(&mut story, &stage).await?;
    disenroll_and_return(&mut story, &stage).await?;
    move_to_south(&mut story, &stage).await?;
    roll_certificate(&mut story, &stage).await?;
    nothing_lost(&mut story, stage).await?;
    story.verdict()
}

async fn certificates(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story
        .next(
            "Upload the root CA and prove that we hold its key",
            "the CA is unverified at first, and verified after a certificate for the code was shown",
        )
        .await;
    let certificates = stage.emulator.dps().certificates();
    let before = certificates.upload("cheese-root", &stage.root.certificate_pem())?.is_verified;
    let code = certificates.generate_verification_code("cheese-root")?;
    let proof = stage.root.device(&code, Validity::always())?.certificate_pem;
    let after = certificates.verify("cheese-root", &proof)?.is_verified;
    step.saw(!before && after, &format!("verified before: {before}, after: {after}, code {code}"));
    Ok(())
}

async fn enroll(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story
        .next(
            "Enroll all devices that the intermediate CA signs, spread over two hubs, with an initial twin",
            "the enrollment group is there, enabled",
        )
        .await;
    let group = stage.emulator.dps().groups().create(stage.group())?;
    let names = format!(
        "{}, allocation {}, initial telemetryInterval {INITIAL_INTERVAL} s",
        group.enrollment_group_id,
        serde_json::to_value(group.terms.allocation_policy)?
    );
    step.saw(group.terms.etag.is_some(), &names);
    Ok(())
}

async fn provision(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let count = stage.ids.len();
    let step = story.next(
        &format!("Switch {count} containers on"),
        "each provisions itself, is online at one of the hubs, applies the initial twin and delivers a reading",
    ).await;
    let begun = Instant::now();
    for id in stage.ids.clone() {
        stage.fleet.certificate(&id, &stage.factory)?;
        stage.fleet.start(&id);
    }
    let all = stage.all_deliver(0).await;
    let applied = stage.all_twins(INITIAL_INTERVAL).await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let (north, south) = (stage.online_at(NORTH), stage.online_at(SOUTH));
    step.saw(
        all && applied,
        &format!("{north} at {NORTH}, {south} at {SOUTH}, {rate:.0} a second with twin and telemetry"),
    );

    let step = story.next("Look at the registration records", "one a device, assigned, naming its hub").await;
    let records = stage.emulator.dps().registrations();
    let mut good = 0;
    for record in &records {
        let record = serde_json::to_value(record)?;
        good += usize::from(record["status"] == "assigned" && record["assignedHub"].is_string());
    }
    let sample = records.first().map(serde_json::to_value).transpose()?.unwrap_or_default();
    let text = format!(
        "{} records, {good} assigned; for example {} at {} ({})",
        records.len(),
        sample["registrationId"].as_str().unwrap_or("-"),
        sample["assignedHub"].as_str().unwrap_or("-"),
        sample["substatus"].as_str().unwrap_or("-"),
    );
    step.saw(good == count && records.len() == count, &text);
    Ok(())
}

async fn configure(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story
        .next(
            "Set telemetryInterval to 3600 s for one container",
            "that one reports 3600 s as applied, the others keep what they have",
        )
        .await;
    stage.set_interval(&stage.ids[0], 3600)?;
    let one = stage.wait(|stage| stage.interval_of(&stage.ids[0]) == Some(3600)).await;
    let others = stage.ids[1..].iter().all(|id| stage.interval_of(id) == Some(INITIAL_INTERVAL.into()));
    step.saw(
        one && others,
        &format!("{} reports {} s", stage.ids[0], stage.interval_of(&stage.ids[0]).unwrap_or(0)),
    );

    let step = story.next("Set telemetryInterval to 1 s for all", "all report 1 s as applied").await;
    for id in &stage.ids {
        stage.set_interval(id, 1)?;
    }
    let all = stage.all_twins(1).await;
    step.saw(all, &format!("{} of {} report 1 s", stage.count_interval(1), stage.ids.len()));
    if stage.ids.len() > 20 {
        // Hundreds of readings a second would only heat the machine.
        for id in &stage.ids {
            stage.set_interval(id, 5)?;
        }
        stage.all_twins(5).await;
    }
    Ok(())
}

async fn disable_group(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let newcomer = format!("sensor-thl-{:03}", stage.ids.len() + 1);
    let step = story.next(
        "Disable the enrollment group, and switch a new container on",
        "running containers stay online and deliver; the new one is refused because the group is disabled",
    ).await;
    stage.emulator.dps().groups().disable(GROUP)?;
    stage.fleet.certificate(&newcomer, &stage.factory)?;
    stage.fleet.start(&newcomer);
    let refused = stage.fleet.wait_until(|views| views[&newcomer].refused.is_some()).await;
    let reason = stage.fleet.view(&newcomer).refused.unwrap_or_default();
    let others = stage.all_deliver(stage.most_delivered()).await;
    step.saw(refused && reason.contains("disabled") && others, &format!("{newcomer}: {reason}"));

    let step = story.next("Enable the group", "the refused container comes online by itself").await;
    stage.emulator.dps().groups().enable(GROUP)?;
    let online = stage.fleet.wait_until(|views| views[&newcomer].online_at.is_some()).await;
    let hub = stage.fleet.view(&newcomer).online_at.unwrap_or_default();
    stage.ids.push(newcomer.clone());
    step.saw(online, &format!("{newcomer} is online at {hub}"));
    Ok(())
}

async fn deprovision_one(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let dps = stage.emulator.dps();
    let id = &stage.ids[0];
    let step = story
        .next(
            &format!("Deprovision {id}: a disabled individual enrollment, and its hub identity deleted"),
            "it is dropped and refused with the reason; the others go on",
        )
        .await;
    let leaf = stage.fleet.certificate(id, &stage.factory)?;
    let enrollment = IndividualEnrollment::new(id, AttestationMechanism::client_certificate(leaf));
    dps.individuals().create(enrollment)?;
    dps.individuals().disable(id)?;
    stage.delete_identity(id);
    let refused = stage.fleet.wait_until(|views| views[id].refused.is_some()).await;
    let reason = stage.fleet.view(id).refused.unwrap_or_default();
    let others = stage.fleet.count(|view| view.online_at.is_some());
    let rest = stage.ids.len() - 1;
    step.saw(
        refused && reason.contains("disabled") && others == rest,
        &format!("{id}: {reason}; {others} others online"),
    );

    let step = story
        .next("Enable its individual enrollment", "it comes back by itself, with a new identity at the hub")
        .await;
    dps.individuals().enable(id)?;
    let back = stage.fleet.wait_until(|views| views[id].online_at.is_some()).await;
    let delivered = stage.fleet.view(id).delivered;
    let delivers = stage.fleet.wait_until(|views| views[id].delivered > delivered).await;
    let view = stage.fleet.view(id);
    step.saw(back && delivers, &format!("{id} is online at {}", view.online_at.unwrap_or_default()));
    dps.individuals().delete(id, &IfMatch::Any)?;
    Ok(())
}

async fn disenroll_and_return(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let dps = stage.emulator.dps();
    let count = stage.ids.len();
    let step = story.next(
        "Disenroll everybody: delete the group and all hub identities",
        "all containers are refused because no enrollment accepts their certificate; they go on measuring",
    ).await;
    dps.groups().delete(GROUP, &IfMatch::Any)?;
    for id in &stage.ids {
        stage.delete_identity(id);
    }
    let refused = stage.fleet.wait_until(|views| views.values().all(|view| view.refused.is_some())).await;
    let reason = stage.fleet.view(&stage.ids[0]).refused.unwrap_or_default();
    let told = reason.contains("no enrollment accepts this certificate");
    step.saw(
        refused && told,
        &format!("{} of {count} refused: {reason}", stage.fleet.count(|v| v.refused.is_some())),
    );

    let step =
        story.next("Enroll the group again", "all come back by themselves and deliver what they kept").await;
    dps.groups().create(stage.group())?;
    let back = stage.all_deliver(stage.most_delivered()).await;
    step.saw(back, &format!("{} of {count} online", stage.fleet.count(|view| view.online_at.is_some())));
    Ok(())
}

async fn move_to_south(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let dps = stage.emulator.dps();
    let step = story
        .next(
            &format!("Reprovision: the group may use {SOUTH} only, and {NORTH} lets its devices go"),
            &format!("all containers end up at {SOUTH}, their twins migrated"),
        )
        .await;
    let mut group = dps.groups().get(GROUP)?;
    group.terms.iot_hubs = vec![SOUTH.into()];
    dps.groups().update(group, &IfMatch::Any)?;
    let north = stage.hub(NORTH)?;
    let moving: Vec<String> = north.devices().into_iter().map(|device| device.device_id).collect();
    let mut marked = 0;
    for id in &moving {
        marked += usize::from(north.update_twin_desired(id, json!({"movedFrom": "north"})).is_ok());
    }
    // A disabled device would stay so wherever it went: the hub refuses them instead, until they have gone.
    let refusal = stage.emulator.faults().inject(Fault {
        service: FaultyService::Hub(NORTH.into()),
        device: None,
        kind: FaultKind::RefuseConnect { code: 5 },
        times: None,
    });
    for id in &moving {
        north.drop_connection(id)?;
    }
    let all = stage
        .fleet
        .wait_until(|views| views.values().all(|view| view.online_at.as_deref() == Some(SOUTH)))
        .await;
    stage.emulator.faults().clear(refusal);
    let south = stage.hub(SOUTH)?;
    let migrated =
        moving.iter().filter(|id| twin(&south, id)["properties"]["desired"]["movedFrom"] == "north").count();
    step.saw(
        all && migrated == marked,
        &format!("{} at {SOUTH}, {migrated} of {} twins came along", stage.online_at(SOUTH), moving.len()),
    );
    Ok(())
}

async fn roll_certificate(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let id = &stage.ids[0];
    let step = story
        .next(
            &format!("Replace the leaf certificate of {id} on disk"),
            "it registers anew and is online with the new certificate, without a restart",
        )
        .await;
    let south = stage.hub(SOUTH)?;
    let thumbprint = |hub: &Hub| {
        serde_json::to_value(hub.device(id).ok()).unwrap_or_default()["authentication"]["x509Thumbprint"]["primaryThumbprint"].clone()
    };
    let before = thumbprint(&south);
    let assigned = stage.fleet.view(id).assigned;
    stage.fleet.certificate(id, &stage.factory)?;
    let rolled =
        stage.fleet.wait_until(|views| views[id].assigned > assigned && views[id].online_at.is_some()).await;
    let after = thumbprint(&south);
    step.saw(
        rolled && before != after && after.is_string(),
        &format!("thumbprint {} → {}", short(&before), short(&after)),
    );
    Ok(())
}

async fn nothing_lost(story: &mut Story, stage: Stage) -> anyhow::Result<()> {
    let step = story.next("Switch everything off", "every reading that was taken is delivered or kept").await;
    let totals = stage.fleet.stop().await?;
    stage.emulator.shutdown().await;
    let whole = totals.taken <= totals.acknowledged + totals.backlog;
    step.saw(
        whole,
        &format!(
            "{} readings taken, {} acknowledged, {} kept",
            totals.taken, totals.acknowledged, totals.backlog
        ),
    );
    Ok(())
}

impl Stage {
    fn group(&self) -> EnrollmentGroup {
        let attestation = AttestationMechanism::signing_certificate(self.factory.certificate_pem());
        let mut group = EnrollmentGroup::new(GROUP, attestation);
        group.terms.iot_hubs = vec![NORTH.into(), SOUTH.into()];
        group.terms.initial_twin = Some(InitialTwin::new(
            json!({"environment": "scenario", "location": "warehouse"}),
            json!({"telemetryInterval": INITIAL_INTERVAL, "firmware": env!("CARGO_PKG_VERSION")}),
        ));
        group
    }

    fn hub(&self, name: &str) -> anyhow::Result<Hub> {
        self.emulator.hub(name).with_context(|| format!("there is no hub {name}"))
    }

    fn online_at(&self, hub: &str) -> usize {
        self.fleet.count(|view| view.online_at.as_deref() == Some(hub))
    }

    fn most_delivered(&self) -> u64 {
        self.ids.iter().map(|id| self.fleet.view(id).delivered).max().unwrap_or(0)
    }

    /// Waits until every container of the fleet that is not refused is online and has delivered more than `than`.
    async fn all_deliver(&self, than: u64) -> bool {
        let ids = &self.ids;
        self.fleet
            .wait_until(|views| {
                ids.iter().all(|id| views[id].online_at.is_some() && views[id].delivered > than)
            })
            .await
    }

    async fn wait(&self, wanted: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while !wanted(self) {
            if Instant::now() > end {
                return false;
            }
            sleep(LOOK_EVERY).await;
        }
        true
    }

    async fn all_twins(&self, interval: u32) -> bool {
        self.wait(|stage| stage.count_interval(interval) == stage.ids.len()).await
    }

    fn count_interval(&self, interval: u32) -> usize {
        self.ids.iter().filter(|id| self.interval_of(id) == Some(interval.into())).count()
    }

    /// The `telemetryInterval` that a device reports as applied.
    fn interval_of(&self, id: &str) -> Option<u64> {
        let answer = self.hubs.iter().find_map(|hub| {
            let twin = twin(hub, id);
            Some(twin["properties"]["reported"]["telemetryInterval"].clone())
                .filter(|answer| answer["ac"] == 200)
        })?;
        answer["value"].as_u64()
    }

    fn set_interval(&self, id: &str, seconds: u32) -> anyhow::Result<()> {
        let hub = self.hubs.iter().find(|hub| hub.device(id).is_ok()).context("no hub knows the device")?;
        hub.update_twin_desired(id, json!({"telemetryInterval": seconds}))?;
        Ok(())
    }

    fn delete_identity(&self, id: &str) {
        for hub in &self.hubs {
            // Only one of the hubs knows it.
            let _ = hub.delete(id);
        }
    }
}

fn twin(hub: &Hub, id: &str) -> Value {
    hub.twin(id).ok().and_then(|twin| serde_json::to_value(twin).ok()).unwrap_or_default()
}

fn short(thumbprint: &Value) -> String {
    thumbprint.as_str().map_or("none".into(), |text| text.chars().take(8).collect())
}
