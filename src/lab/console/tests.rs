//! A simulation asked as the console asks it, with a tracker on board.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracker_console::backend::{Backend, BackendError, EnrollmentKind};
use tracker_console::model::{
    Connection, DesiredPatch, FaultKind, FaultWish, Incoming, MethodCall, ProvisioningStatus, Targets,
    TimeWish, TwinPatch, Verdict,
};
use tracker_sensors::simulated::{SimulatedClock, SimulatedContainer, Voyage};

use super::{Backlogs, Parts, Simulation};
use crate::event::Events;
use crate::instruments;
use crate::journal::JournalStats;
use crate::lab::Cloud;
use crate::lab::clock::VoyageClock;
use crate::link::timing::Timing;
use crate::platform::clock::system_time;
use crate::supervision::Supervision;
use crate::tracker::Tracker;
use crate::verify::Judgement;

const ID: &str = "sensor-1";
const PATIENCE: Duration = Duration::from_mins(1);

struct Scene {
    backend: Arc<Simulation>,
    incoming: mpsc::Receiver<Incoming>,
    clock: SimulatedClock,
    stop: watch::Sender<bool>,
    tracker: JoinHandle<anyhow::Result<JournalStats>>,
    cloud: Cloud,
    _directory: tempfile::TempDir,
}

fn judged(files: &[std::path::PathBuf], roots: &std::path::Path) -> anyhow::Result<Vec<Judgement>> {
    let record = std::fs::read_to_string(&files[0])?;
    assert!(roots.exists() && record.lines().all(|line| line.contains("\"Body\":")));
    let details = json!({"fault": Value::Null});
    Ok(vec![Judgement { is_good: true, sentences: vec![record.lines().count().to_string()], details }])
}

impl Scene {
    async fn set() -> Self {
        Self::with([Cloud::HUB].as_slice()).await
    }

    /// With these hubs.
    async fn with(hubs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let builder = Cloud::builder().hubs(hubs.iter().copied());
        let cloud = Cloud::start_with(builder, directory.path(), 1).await.unwrap();
        let clock = SimulatedClock::new(system_time(), 1.0);
        let backlogs = Backlogs::default();
        let backend = Arc::new(Simulation::new(Parts {
            dps: cloud.emulator.dps().clone(),
            faults: cloud.emulator.faults().clone(),
            events: cloud.emulator.events(),
            backlogs: backlogs.clone(),
            clock: clock.clone(),
            title: "Test".into(),
            directory: directory.path().to_owned(),
            root: cloud.device_root(),
            verify: judged,
            director: None,
        }));
        let incoming = backend.clone().subscribe();
        let time = clock.beginning_now();
        let voyage = Voyage::named("teawamutu-shanghai-cheddar", time.start(), 1).unwrap();
        let container = SimulatedContainer::new(voyage, time.clone(), 1);
        let simulation = instruments::simulation::Simulation { container, clock: time.clone(), replay: None };
        let tracker = Tracker {
            config: cloud.device(ID).unwrap(),
            instruments: instruments::simulated(&simulation).unwrap(),
            clock: Arc::new(VoyageClock::new(time)),
            events: Events::to(ID, Arc::new(|_| {})),
            first_wait: Duration::ZERO,
            timing: Timing::default(),
        };
        let (stop, mut stopped) = watch::channel(false);
        let supervision = Supervision { window: backlogs.window(ID), ..Supervision::default() };
        let stopped = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let tracker = tokio::spawn(tracker.run_supervised(stopped, supervision));
        Self { backend, incoming, clock, stop, tracker, cloud, _directory: directory }
    }

    /// Waits for something that comes.
    async fn hears<T>(&mut self, mut wanted: impl FnMut(&Incoming) -> Option<T>) -> T {
        let search = async {
            loop {
                let incoming = self.incoming.recv().await.unwrap();
                if let Some(found) = wanted(&incoming) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search).await.unwrap()
    }

    async fn reading(&mut self) -> Value {
        let reading = |incoming: &Incoming| match incoming {
            Incoming::Messages(messages) => messages.iter().find(|it| it.device == ID).map(|message| {
                let read: Value = serde_json::from_slice(&message.body).unwrap();
                if read.is_array() { read[0].clone() } else { read }
            }),
            _ => None,
        };
        self.hears(reading).await
    }

    async fn desire(&self, desired: Value) {
        let Value::Object(desired) = desired else { unreachable!() };
        let patch = TwinPatch { properties: DesiredPatch { desired }, etag: None };
        self.backend.update_twin(ID, patch).await.unwrap();
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.tracker.await.unwrap().unwrap();
        self.cloud.emulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_is_seen_and_operated() {
    let mut scene = Scene::set().await;
    let assigned = |incoming: &Incoming| match incoming {
        Incoming::Events(events) => events.iter().find(|event| event.kind == "assigned").cloned(),
        _ => None,
    };
    let assigned = scene.hears(assigned).await;
    assert_eq!(assigned.device, ID);
    let reading = scene.reading().await;
    assert!(reading["temperature"].is_number(), "{reading}");
    let backend = scene.backend.clone();
    let devices = backend.devices().await.unwrap();
    assert_eq!((devices[0].id.as_str(), devices[0].connection), (ID, Connection::Connected));

    scene.desire(json!({"evidence": true})).await;
    let reported = |incoming: &Incoming| match incoming {
        Incoming::Events(events) => events.iter().any(|event| event.kind == "reported").then_some(()),
        _ => None,
    };
    scene.hears(reported).await;
    let ping = MethodCall { name: "ping".into(), payload: json!({"a": 1}), timeout_seconds: Some(20) };
    assert_eq!(backend.call_method(ID, ping).await.unwrap().status, 200);
    while backend.verify(ID).await.unwrap().verdict == Verdict::NoEvidence {
        scene.reading().await;
    }
    assert_eq!(backend.verify(ID).await.unwrap().verdict, Verdict::Untouched);
    let registration = backend.registration(ID).await.unwrap().unwrap();
    assert_eq!(registration["assignedHub"], Cloud::HUB);
    assert_eq!(backend.registration("nobody").await.unwrap(), None);

    backend.deprovision(ID).await.unwrap();
    let refused = |incoming: &Incoming| match incoming {
        Incoming::Events(events) => events.iter().find(|event| event.kind == "registrationDisabled").cloned(),
        _ => None,
    };
    assert_eq!(scene.hears(refused).await.device, ID);
    backend.set_enrollment(EnrollmentKind::Individual, ID, ProvisioningStatus::Enabled).await.unwrap();
    assert!(matches!(backend.deprovision("../sensor-1").await, Err(BackendError::NotFound(_))));
    assert!(matches!(backend.twin("nobody").await, Err(BackendError::NotFound(_))));
    let Err(BackendError::Invalid { message, member }) = backend.move_to(ID, "elsewhere").await else {
        panic!("there is no such hub")
    };
    assert!(message.contains(Cloud::HUB) && member.as_deref() == Some("hub"), "{message}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_moves_to_another_hub_and_its_twin_comes_along() {
    const OTHER: &str = "other-hub.azure-devices.net";
    let mut scene = Scene::with(&[Cloud::HUB, OTHER]).await;
    scene.reading().await;
    let backend = scene.backend.clone();
    let place = backend.devices().await.unwrap()[0].hub.clone();
    let there = if place == OTHER { Cloud::HUB } else { OTHER };
    scene.desire(json!({"note": "from before"})).await;
    assert!(matches!(backend.move_to(ID, &place).await, Err(BackendError::Conflict(_))));
    backend.move_to(ID, there).await.unwrap();
    let connected = |incoming: &Incoming| match incoming {
        Incoming::Events(events) => {
            let is_there = |detail: &Value| detail["hub"] == there;
            events.iter().any(|it| it.kind == "deviceConnected" && is_there(&it.detail)).then_some(())
        }
        _ => None,
    };
    scene.hears(connected).await;
    let twin = backend.twin(ID).await.unwrap();
    assert_eq!(twin["properties"]["desired"]["note"], "from before");
    let devices = backend.devices().await.unwrap();
    assert_eq!((devices.len(), devices[0].hub.as_str()), (1, there), "the old hub has let it go");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_pause_no_reading_is_taken_and_none_goes_back() {
    let mut scene = Scene::set().await;
    scene.reading().await;
    let backend = scene.backend.clone();
    backend.set_time(TimeWish { speed: None, is_paused: Some(true) }).await.unwrap();
    assert!(backend.session().time.is_paused);
    // What was under way comes still.
    sleep(Duration::from_secs(3)).await;
    while scene.incoming.try_recv().is_ok() {}
    let hours = scene.clock.hours();
    sleep(Duration::from_secs(3)).await;
    while let Ok(incoming) = scene.incoming.try_recv() {
        assert!(!matches!(incoming, Incoming::Messages(_)), "{incoming:?}");
    }
    assert_eq!(scene.clock.hours(), hours);
    backend.set_time(TimeWish { speed: Some(4.0), is_paused: Some(false) }).await.unwrap();
    let (before, after) = (scene.reading().await, scene.reading().await);
    assert!(before["time"].as_str() < after["time"].as_str(), "{before} {after}");
    assert_eq!(backend.session().time.speed, Some(4.0));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told_and_strikes_whom_it_names() {
    let mut scene = Scene::set().await;
    scene.reading().await;
    let backend = scene.backend.clone();
    let wish = |kind, devices: Targets| FaultWish {
        kind,
        devices,
        seconds: None,
        latency_ms: None,
        per_second: None,
        hub: None,
    };
    let stranger = wish(FaultKind::BlackHole, Targets::Devices(vec!["nobody".into()]));
    assert!(matches!(backend.inject(stranger).await, Err(BackendError::NotFound(_))));
    let gone = backend.inject(wish(FaultKind::HubGone, Targets::ALL)).await.unwrap();
    let told = |incoming: &Incoming| match incoming {
        Incoming::Faults(faults) => Some(faults.clone()),
        _ => None,
    };
    assert_eq!(scene.hears(told).await[0].kind, Some(FaultKind::HubGone));
    let refused = |incoming: &Incoming| match incoming {
        Incoming::Events(events) => {
            events.iter().any(|event| event.kind == "connectionRefused").then_some(())
        }
        _ => None,
    };
    scene.hears(refused).await;
    let backlog = |wanted: fn(u64) -> bool| {
        move |incoming: &Incoming| match incoming {
            Incoming::Backlogs(all) => all.iter().any(|(id, count)| id == ID && wanted(*count)).then_some(()),
            _ => None,
        }
    };
    scene.hears(backlog(|count| count > 2)).await;
    backend.clear_fault(gone).await.unwrap();
    assert!(matches!(backend.clear_fault(gone).await, Err(BackendError::NotFound(_))));
    // In either order.
    let (mut is_quiet, mut is_drained) = (false, false);
    let is_empty = backlog(|count| count == 0);
    let over = |incoming: &Incoming| {
        is_quiet |= told(incoming).is_some_and(|faults| faults.is_empty());
        is_drained |= is_empty(incoming).is_some();
        (is_quiet && is_drained).then_some(())
    };
    scene.hears(over).await;
    scene.end().await;
}
