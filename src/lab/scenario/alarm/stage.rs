//! The stage of the story: cloud, receiver, container, and what has come of it so far.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracker_emulator::{EventSubscription, Fault, FaultId, FaultKind, FaultyService, Routing, Silence};
use tracker_sensors::simulated::SimulatedClock;

use super::reefer::Reefer;
use crate::event::Events;
use crate::journal::JournalStats;
use crate::lab::clock::VoyageClock;
use crate::lab::local_cloud::Cloud;
use crate::lab::notification::Notification;
use crate::lab::received::readings;
use crate::lab::receiver::{ALARMS, DEVICES, Inbox, Receiver};
use crate::lab::record;
use crate::lab::scenario::timing::timing;
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use crate::tracker::Tracker;

pub(super) const DEVICE: &str = "sensor-thl-001";
/// Hours of the voyage in a second: with a reading a second, one in a little over eleven minutes. The delays of the alarms are no
/// multiples of that, so that none of them ends just when a reading is taken.
pub(super) const SPEED: f64 = 0.19;
/// Seconds between readings, in the life of machines.
pub(super) const INTERVAL: u32 = 1;
/// A container is silent after so many intervals.
pub(super) const SILENT_AFTER: u32 = 3;
/// Far longer than anything takes that works, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The file that a route leads to, below the emulator's directory.
const RECORD: &str = "received.jsonl";

/// A reading as it came to `events`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) seq: u64,
    pub(super) time: DateTime<Utc>,
    pub(super) celsius: f64,
}

/// The stage.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) receiver: Receiver,
    pub(super) reefer: Reefer,
    directory: TempDir,
    clock: SimulatedClock,
    measured: watch::Receiver<Vec<Measured>>,
    tracker: Option<JoinHandle<anyhow::Result<JournalStats>>>,
    stop: watch::Sender<bool>,
}

impl Stage {
    /// A cloud and a receiver; nobody is connected.
    pub(super) async fn set(screen: Screen) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("container-tracker-").tempdir()?;
        let builder =
            Cloud::builder().files_directory(directory.path()).first_redelivery(Duration::from_millis(200));
        let cloud = Cloud::start_with(builder, directory.path(), INTERVAL).await?;
        let show = move |notification: &Notification| {
            let details = json!({"properties": notification.properties, "body": notification.body});
            screen.note("notification", &format!("      ✉ {}", notification.text), details);
        };
        let receiver = Receiver::start(show).await.context("the receiver can't listen")?;
        let clock = SimulatedClock::new(system_time(), SPEED);
        let measured = follow(&cloud);
        let (reefer, stop) = (Reefer::new(clock.clone()), watch::Sender::new(false));
        Ok(Self { cloud, receiver, reefer, directory, clock, measured, tracker: None, stop })
    }

    /// Leads events to the receiver, and everything to `events` and to a file; asks to be told of devices and of silence.
    pub(super) async fn route(&self) -> anyhow::Result<()> {
        let mut routing = record::routing(RECORD)?;
        let ops: Routing = serde_json::from_value(json!({
            "endpoints": {"webhooks": [{"name": "ops", "url": self.receiver.url(ALARMS)}]},
            "routes": [{
                "name": "notify", "source": "DeviceMessages", "condition": "messageType = 'event'", "endpointNames": ["ops"],
            }],
            "enrichments": [{
                "key": "containerNumber", "value": "$twin.properties.desired.containerNumber", "endpointNames": ["ops"],
            }],
        }))?;
        routing.endpoints.webhooks = ops.endpoints.webhooks;
        routing.routes.extend(ops.routes);
        routing.enrichments = ops.enrichments;
        let hub = &self.cloud.hub;
        hub.set_routing(routing)?;
        hub.put_event_subscription("ops", EventSubscription::to_webhook(self.receiver.url(DEVICES))).await?;
        hub.set_silence(Silence { is_enabled: true, intervals: SILENT_AFTER, ..Silence::default() })?;
        Ok(())
    }

    /// Switches the tracker on.
    pub(super) fn switch_on(&mut self) -> anyhow::Result<()> {
        let tracker = Tracker {
            config: self.cloud.device(DEVICE)?,
            instruments: self.reefer.instruments(),
            clock: Arc::new(VoyageClock::new(self.clock.clone())),
            events: Events::to(DEVICE, Arc::new(|_| {})),
            first_wait: Duration::ZERO,
            timing: timing(),
        };
        let mut stopped = self.stop.subscribe();
        self.tracker = Some(tokio::spawn(tracker.run(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        })));
        Ok(())
    }

    /// Switches all of it off, and gives the tracker's counts.
    pub(super) async fn switch_off(self) -> anyhow::Result<JournalStats> {
        self.stop.send_replace(true);
        let Some(tracker) = self.tracker else { bail!("the tracker was never switched on") };
        let stats = tracker.await.context("the tracker has ended unexpectedly")?;
        self.cloud.emulator.shutdown().await;
        stats
    }

    /// The twin's reported section.
    pub(super) fn reported(&self) -> Value {
        self.cloud.twin(DEVICE).unwrap_or_default()["properties"]["reported"].take()
    }

    /// Waits until the reported section is as the closure wants it. Whether it came to that.
    pub(super) async fn reports(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        until(|| wanted(&self.reported()).then_some(())).await.is_some()
    }

    /// Calls a direct method.
    pub(super) async fn call(&self, name: &str, payload: Value) -> (i32, Value) {
        match self.cloud.hub.invoke_method(DEVICE, name, payload, Duration::from_secs(20)).await {
            Ok(answer) => (answer.status, answer.payload.unwrap_or_default()),
            Err(error) => (0, error.to_string().into()),
        }
    }

    /// Which alarms are raised, as the device says when it is asked.
    pub(super) async fn active_alarms(&self) -> Value {
        self.call("getStatus", Value::Null).await.1["activeAlarms"].take()
    }

    /// The first notification that is as the closure wants it, which may come only later.
    pub(super) async fn notified(&self, wanted: impl Fn(&Notification) -> bool) -> Option<Notification> {
        self.receiver
            .wait(PATIENCE, |inbox: &Inbox| inbox.notifications.iter().find(|it| wanted(it)).cloned())
            .await
    }

    /// Readings so far.
    pub(super) fn measured(&self) -> Vec<Measured> {
        self.measured.borrow().clone()
    }

    /// The first reading that is as the closure wants it, which may come only later.
    pub(super) async fn measures(&self, wanted: impl Fn(&Measured) -> bool) -> Option<Measured> {
        until(|| self.measured.borrow().iter().copied().find(|it| wanted(it))).await
    }

    /// Readings up to this notification, which was sent before them.
    pub(super) async fn measured_until(&self, told: Option<&Notification>) -> Vec<Measured> {
        if let Some(at) = told.and_then(|told| told.moment("time")) {
            self.measures(|it| it.time >= at).await;
        }
        self.measured()
    }

    /// The time of the voyage.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.utc()
    }

    /// Nothing of what the device sends is heard any more.
    pub(super) fn fall_silent(&self) -> FaultId {
        let service = FaultyService::Hub(Cloud::HUB.into());
        let fault = Fault { service, device: Some(DEVICE.into()), kind: FaultKind::BlackHole, times: None };
        self.cloud.emulator.faults().inject(fault)
    }

    /// The network is there again, and the modem dials anew.
    pub(super) fn speak_again(&self, fault: FaultId) -> anyhow::Result<()> {
        self.cloud.emulator.faults().clear(fault);
        self.cloud.hub.drop_connection(DEVICE)?;
        Ok(())
    }

    /// The file with what the hub has received, once it has the signature over the end of the trip.
    pub(super) async fn signed_record(&self) -> Option<PathBuf> {
        let path = self.directory.path().join(RECORD);
        until(|| record::is_signed(&record::lines(&path), DEVICE).then(|| path.clone())).await
    }

    /// Writes a changed record beside it.
    pub(super) fn write(&self, name: &str, lines: &[Value]) -> anyhow::Result<PathBuf> {
        let path = self.directory.path().join(name);
        record::write(&path, lines)?;
        Ok(path)
    }
}

/// Waits until `look` finds something, or for too long.
async fn until<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = look();
        if found.is_some() || Instant::now() > end {
            return found;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Collects the readings that come to `events`, each once, in the order of their numbers.
fn follow(cloud: &Cloud) -> watch::Receiver<Vec<Measured>> {
    let mut telemetry = cloud.hub.telemetry();
    let (found, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Ok(message) = telemetry.next().await {
            if message.properties.get("messageType").is_some() {
                continue;
            }
            for reading in readings(&message) {
                found.send_if_modified(|all| put(all, &reading));
            }
        }
    });
    receiver
}

fn put(all: &mut Vec<Measured>, reading: &Value) -> bool {
    let time = reading["time"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let (Some(seq), Some(time), Some(celsius)) =
        (reading["seq"].as_u64(), time, reading["temperature"].as_f64())
    else {
        return false;
    };
    let Err(place) = all.binary_search_by_key(&seq, |measured: &Measured| measured.seq) else { return false };
    all.insert(place, Measured { seq, time: time.to_utc(), celsius });
    true
}
