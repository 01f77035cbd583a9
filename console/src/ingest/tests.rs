//! The whole way, from what a backend tells to what is asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::backend::{Answer, BackendError, EnrollmentKind};
use crate::history::HistoryOptions;
use crate::model::{
    Abilities, CloudEvent, Connection, DeviceMessage, Fault, FaultWish, Message, MethodAnswer, MethodCall,
    Mode, ProvisioningStatus, Session, State, TelemetryState, TimeState, TimeWish, TwinPatch, Verification,
};

const DAY: i64 = 1_795_000_000_000;

/// A backend that tells what it is told to tell.
struct Told {
    sender: Mutex<Option<mpsc::Sender<Incoming>>>,
    identities: Mutex<Vec<Identity>>,
    twin: Mutex<Value>,
}

fn answer<'a, T: Send + 'a>(answer: Result<T, BackendError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

fn no<'a, T: Send + 'a>() -> Answer<'a, T> {
    answer(Err(BackendError::NotPossible("not here".into())))
}

impl Backend for Told {
    fn session(&self) -> Session {
        let now = DateTime::from_timestamp_millis(DAY).unwrap();
        Session {
            mode: Mode::Emulator,
            title: String::new(),
            version: String::new(),
            read_only: false,
            hubs: Vec::new(),
            id_scope: None,
            telemetry: TelemetryState { is_available: true, reason: None },
            away: None,
            history_trouble: None,
            can: Abilities::default(),
            history: None,
            time: TimeState { now, speed: None, is_paused: false },
        }
    }

    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(64);
        *lock(&self.sender) = Some(sender);
        receiver
    }

    fn devices(&self) -> Answer<'_, Vec<Identity>> {
        answer(Ok(lock(&self.identities).clone()))
    }

    fn twin<'a>(&'a self, _: &'a str) -> Answer<'a, Value> {
        answer(Ok(lock(&self.twin).clone()))
    }

    fn update_twin<'a>(&'a self, _: &'a str, _: TwinPatch) -> Answer<'a, Value> {
        no()
    }

    fn call_method<'a>(&'a self, _: &'a str, _: MethodCall) -> Answer<'a, MethodAnswer> {
        no()
    }

    fn send<'a>(&'a self, _: &'a str, _: DeviceMessage) -> Answer<'a, ()> {
        no()
    }

    fn set_status<'a>(&'a self, _: &'a str, _: ProvisioningStatus) -> Answer<'a, ()> {
        no()
    }

    fn delete_device<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        no()
    }

    fn deprovision<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        no()
    }

    fn move_to<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ()> {
        no()
    }

    fn enrollments(&self, _: EnrollmentKind) -> Answer<'_, Vec<Value>> {
        no()
    }

    fn set_enrollment<'a>(
        &'a self,
        _: EnrollmentKind,
        _: &'a str,
        _: ProvisioningStatus,
    ) -> Answer<'a, Value> {
        no()
    }

    fn delete_enrollment<'a>(&'a self, _: EnrollmentKind, _: &'a str) -> Answer<'a, ()> {
        no()
    }

    fn certificates(&self) -> Answer<'_, Vec<Value>> {
        no()
    }

    fn registrations<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        no()
    }

    fn registration<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Value>> {
        no()
    }

    fn delete_registration<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        no()
    }

    fn faults(&self) -> Answer<'_, Vec<Fault>> {
        no()
    }

    fn inject(&self, _: FaultWish) -> Answer<'_, u64> {
        no()
    }

    fn clear_fault(&self, _: u64) -> Answer<'_, ()> {
        no()
    }

    fn set_time(&self, _: TimeWish) -> Answer<'_, ()> {
        no()
    }

    fn verify<'a>(&'a self, _: &'a str) -> Answer<'a, Verification> {
        no()
    }
}

impl Told {
    fn new() -> Arc<Self> {
        Arc::new(Self { sender: Mutex::default(), identities: Mutex::default(), twin: Mutex::new(json!({})) })
    }

    async fn tell(&self, incoming: Incoming) {
        let sender = lock(&self.sender).clone().unwrap();
        sender.send(incoming).await.unwrap();
    }
}

fn message(device: &str, body: impl Into<String>) -> Message {
    let enqueued = DateTime::from_timestamp_millis(DAY).unwrap();
    Message {
        hub: "east".into(),
        device: device.into(),
        enqueued,
        properties: BTreeMap::new(),
        body: body.into().into_bytes().into(),
    }
}

fn reading(device: &str, minutes: i64, degrees: f64) -> Message {
    let time = crate::model::time::text(DateTime::from_timestamp_millis(DAY + minutes * 60_000).unwrap());
    message(device, json!({"temperature": degrees, "time": time, "seq": minutes + 1000}).to_string())
}

fn event(kind: &str, device: &str, detail: Value) -> CloudEvent {
    let time = DateTime::from_timestamp_millis(DAY).unwrap();
    CloudEvent { time, device: device.into(), kind: kind.into(), detail }
}

fn identity(id: &str) -> Identity {
    Identity {
        id: id.into(),
        hub: "east".into(),
        is_enabled: true,
        connection: Connection::Connected,
        last_activity: None,
        messages_waiting: 0,
        authentication: "none".into(),
        thumbprints: Vec::new(),
        twin: Some(json!({"tags": {"cargo": "cheese"}})),
    }
}

/// Waits until the fleet is as it should be.
async fn until(ingest: &Ingest, is: impl Fn(&Ingest) -> bool) {
    while !is(ingest) {
        sleep(Duration::from_millis(50)).await;
    }
}

fn span() -> (DateTime<Utc>, DateTime<Utc>) {
    (DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC)
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_seen_and_kept() {
    let told = Told::new();
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::in_memory()));
    let mut version = ingest.version();
    let since = *version.borrow_and_update();
    lock(&told.identities).push(identity("a"));
    told.tell(Incoming::Events(vec![event("deviceConnected", "a", json!({"hub": "east"}))])).await;
    told.tell(Incoming::Messages(vec![
        reading("a", 0, 4.0),
        reading("a", 0, 4.0),
        message("a", "<b>not JSON</b>"),
        message("a", "[[]]"),
        reading("a", -60, 3.0),
        message(
            "a",
            r#"{"alarm":"cold","state":"raised","severity":"critical","extreme":3.0,"limit":3.5,"seq":7}"#,
        ),
    ]))
    .await;
    version.changed().await.unwrap();
    until(&ingest, |ingest| ingest.row("a").is_some_and(|row| row.cargo.is_some())).await;
    let row = ingest.row("a").unwrap();
    assert_eq!(
        (row.temperature, row.state, row.alarms.len(), row.cargo.as_deref()),
        (Some(4.0), State::Alarm, 1, Some("cheese"))
    );
    assert_eq!((ingest.unreadable(), ingest.identity("a").unwrap().twin), (1, None));
    let (version, delta) = ingest.delta(since).unwrap();
    assert_eq!((delta.devices.len(), delta.entries.len(), ingest.fleet().0), (1, 2, version));
    let history = ingest.history().clone();
    ingest.acknowledged("a", "cold", "Ada");
    assert_eq!(ingest.row("a").unwrap().alarms[0].by.as_deref(), Some("Ada"));
    ingest.stop().await;
    let (from, to) = span();
    assert_eq!(history.readings("a", from, to, None, 100).unwrap().0.len(), 2);
    assert_eq!(history.alarms("a", from, to).unwrap().spans.len(), 1);
    assert_eq!(history.story(Some("a"), None, 10).unwrap().entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_said_and_twins_follow_reports() {
    let told = Told::new();
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::in_memory()));
    *lock(&told.identities) = vec![Identity { twin: None, ..identity("a") }];
    *lock(&told.twin) = json!({"properties": {"reported": {"journal": {"waiting": 17}}}});
    told.tell(Incoming::Lost(5)).await;
    told.tell(Incoming::Lost(2)).await;
    until(&ingest, |ingest| ingest.lag() == 7 && ingest.row("a").is_some()).await;
    told.tell(Incoming::Events(vec![event("reported", "a", json!({}))])).await;
    until(&ingest, |ingest| ingest.row("a").unwrap().backlog == Some(17)).await;
    lock(&told.identities).clear();
    ingest.look_again();
    until(&ingest, |ingest| ingest.row("a").is_none()).await;
    ingest.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_twins_are_read_where_they_come_one_by_one() {
    let told = Told::new();
    let ids: Vec<String> = (0..500).map(|number| format!("device-{number}")).collect();
    *lock(&told.identities) = ids.iter().map(|id| Identity { twin: None, ..identity(id) }).collect();
    *lock(&told.twin) = json!({"tags": {"cargo": "cheese"}});
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::in_memory()));
    until(&ingest, |ingest| ids.iter().all(|id| ingest.row(id).is_some_and(|row| row.cargo.is_some()))).await;
    ingest.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_console_that_comes_back_shows_what_it_knew() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let told = Told::new();
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::kept(&file)));
    told.tell(Incoming::Messages(vec![reading("a", 0, 4.0), reading("b", 0, 5.0)])).await;
    until(&ingest, |ingest| ingest.row("b").is_some()).await;
    ingest.stop().await;
    let before = ingest.fleet().1.devices;
    drop(ingest);
    let told = Told::new();
    *lock(&told.identities) = vec![identity("b")];
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::kept(&file)));
    assert_eq!(ingest.fleet().1.devices, before);
    until(&ingest, |ingest| ingest.row("a").is_none()).await;
    ingest.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_not_kept_is_told_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::new();
    let history = History::open(HistoryOptions::kept(directory.path().join("history.db")));
    let ingest = Ingest::start(told.clone(), history);
    assert_eq!(ingest.history_trouble(), None);
    ingest.history().let_nothing_grow();
    for minutes in 0..200 {
        let all = (0..50).map(|device| reading(&format!("d{device}"), minutes * 977, f64::from(device)));
        told.tell(Incoming::Messages(all.collect())).await;
    }
    until(&ingest, |ingest| ingest.history_trouble().is_some()).await;
    let trouble = ingest.history_trouble().unwrap();
    assert!(trouble.contains("the disk does not take the history"), "{trouble}");
    ingest.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_devices_at_once_are_all_there() {
    let told = Told::new();
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::in_memory()));
    let since = *ingest.version().borrow();
    let ids: Vec<String> = (0..1000).map(|number| format!("device-{number:04}")).collect();
    *lock(&told.identities) = ids.iter().map(|id| identity(id)).collect();
    for minute in 0..5 {
        let connects = ids.iter().map(|id| event("deviceConnected", id, json!({"hub": "east"})));
        told.tell(Incoming::Events(connects.collect())).await;
        told.tell(Incoming::Messages(ids.iter().map(|id| reading(id, minute, 4.0)).collect())).await;
    }
    until(&ingest, |ingest| ingest.row("device-0999").is_some_and(|row| row.cargo.is_some())).await;
    assert_eq!(ingest.fleet().1.devices.len(), 1000);
    // So many entries are not remembered: a page that was open before fetches the fleet.
    assert!(ingest.delta(since).is_none());
    ingest.stop().await;
    let (from, to) = span();
    assert_eq!(ingest.history().readings("device-0500", from, to, None, 100).unwrap().0.len(), 5);
}
