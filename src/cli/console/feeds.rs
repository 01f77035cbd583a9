//! The streams of an emulator elsewhere: a thread each, which begins again when its stream breaks off, and a task that hands on
//! what they have, a few times a second.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracker_console::model::{CloudEvent, Fault, Incoming, Message};

use super::services::Services;
use crate::cli::cloud::amqp::{Position, Tap};
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::service::event_stream;
use crate::lab::console::fault_book::FaultBook;
use crate::lab::console::forms::cloud_event;
use crate::lab::console::recorder::Recorder;
use crate::lab::received::readings_in;
use crate::platform::clock::system_time;
use tracker_evidence::PROPERTY;

/// How often is handed on what has come.
const EVERY: Duration = Duration::from_millis(250);
/// It is asked every so many rounds whether there are other faults.
const FAULTS_EVERY: u32 = 12;
/// How long a stream that broke off is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an endpoint that refuses is left alone.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// Batches that wait for the console.
const WAITING: usize = 8;
/// Messages and events that wait to be handed on; more are lost, and counted.
const MOST: usize = 50_000;

/// What has come and was not handed on yet.
#[derive(Default)]
struct Basket {
    messages: Vec<Message>,
    events: Vec<CloudEvent>,
    lost: u64,
    /// Nobody listens any more.
    is_over: bool,
}

type Shared = Arc<Mutex<Basket>>;

fn locked(basket: &Mutex<Basket>) -> MutexGuard<'_, Basket> {
    basket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to listen: to the streams of an emulator, or to the built-in endpoint of a hub.
pub(super) fn start(
    services: Services,
    recorder: &Arc<Recorder>,
    faults: FaultBook,
) -> mpsc::Receiver<Incoming> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let basket = Shared::default();
    if !services.is_azure() && services.clients().dps.is_some() {
        let hubs = services.clients().hubs.len();
        for hub in 0..hubs {
            let (services, basket, recorder) = (services.clone(), basket.clone(), recorder.clone());
            thread::spawn(move || follow(&services, &basket, Source::Hub { hub, last: None, recorder }));
        }
        let (services, basket) = (services.clone(), basket.clone());
        thread::spawn(move || follow(&services, &basket, Source::Dps));
    } else {
        let (services, basket, recorder) = (services.clone(), basket.clone(), recorder.clone());
        thread::spawn(move || tap(&services, &basket, recorder));
    }
    tokio::spawn(hand_on(services, basket, faults, sender));
    receiver
}

async fn hand_on(services: Services, basket: Shared, faults: FaultBook, out: mpsc::Sender<Incoming>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut away, mut told, mut round): (Option<String>, Vec<Fault>, u32) = (None, Vec::new(), 0);
    let has_faults = services.clients().dps.is_some();
    while !out.is_closed() {
        every.tick().await;
        let mut batches = Vec::new();
        let now = services.away();
        if now.is_some() != away.is_some() {
            batches.push(now.clone().map_or(Incoming::Back, Incoming::Away));
            away = now;
        }
        let Basket { messages, events, lost, .. } = std::mem::take(&mut *locked(&basket));
        if !events.is_empty() {
            batches.push(Incoming::Events(events));
        }
        if !messages.is_empty() {
            batches.push(Incoming::Messages(messages));
        }
        if lost > 0 {
            batches.push(Incoming::Lost(lost));
        }
        if has_faults && away.is_none() && round.is_multiple_of(FAULTS_EVERY) {
            let book = faults.clone();
            if let Ok(Ok(faults)) = spawn_blocking(move || book.list()).await
                && faults != told
            {
                told.clone_from(&faults);
                batches.push(Incoming::Faults(faults));
            }
        }
        round = round.wrapping_add(1);
        for batch in batches {
            if out.send(batch).await.is_err() {
                break;
            }
        }
    }
    locked(&basket).is_over = true;
}

/// Which stream.
enum Source {
    /// Telemetry of the hub with this number, after the message of this one.
    Hub { hub: usize, last: Option<u64>, recorder: Arc<Recorder> },
    /// Events of all.
    Dps,
}

/// Reads the built-in endpoint of a hub. What keeps it from that is tried again, and told meanwhile.
fn tap(services: &Services, basket: &Mutex<Basket>, recorder: Arc<Recorder>) {
    let mut source = Source::Hub { hub: 0, last: None, recorder };
    while !locked(basket).is_over {
        if let Err(error) = read_endpoint(services, basket, &mut source) {
            services.telemetry_is_away(Some(format!("{error:#}")));
        }
        thread::sleep(LONG_PAUSE);
    }
}

fn read_endpoint(services: &Services, basket: &Mutex<Basket>, source: &mut Source) -> anyhow::Result<()> {
    let clients = services.clients();
    let (_, hub) = clients.hubs.first().context("there is no hub")?;
    let mut tap = Tap::new(hub.over_amqp()?, "$Default", Position::Latest);
    tap.join()?;
    services.telemetry_is_away(None);
    loop {
        let found = tap.next(PAUSE)?;
        let mut basket = locked(basket);
        match found {
            _ if basket.is_over => return Ok(()),
            Some(_) if basket.messages.len() >= MOST => basket.lost += 1,
            Some(message) => take(&mut basket, source, &message.line()),
            None => {}
        }
    }
}

/// Reads a stream, and begins again whenever it ends.
fn follow(services: &Services, basket: &Mutex<Basket>, mut source: Source) {
    while !locked(basket).is_over {
        if let Err(error) = read(services, basket, &mut source) {
            services.is_away(&format!("{error:#}"));
        }
        thread::sleep(PAUSE);
    }
}

fn read(services: &Services, basket: &Mutex<Basket>, source: &mut Source) -> anyhow::Result<()> {
    let clients = services.clients();
    let (client, call) = match source {
        Source::Hub { hub, last, .. } => {
            let (_, client) = clients.hubs.get(*hub).context("the emulator has fewer hubs than before")?;
            let call = Call::get(&["telemetry"]).header("accept", "text/event-stream");
            let resumed = last.map(|last| last.to_string());
            (client, resumed.into_iter().fold(call, |call, last| call.header("last-event-id", &last)))
        }
        Source::Dps => {
            let client = clients.dps.as_ref().context("there is no provisioning service")?;
            (client, Call::get(&["events"]).header("accept", "text/event-stream"))
        }
    };
    let mut stream = BufReader::new(client.stream(call)?);
    services.is_there();
    while let Some(event) = event_stream::next(&mut stream).context("the emulator's stream broke off")? {
        let mut basket = locked(basket);
        if basket.is_over {
            return Ok(());
        }
        if event.name == "lagged" {
            let lost: Value = serde_json::from_str(&event.data).unwrap_or_default();
            basket.lost += lost["dropped"].as_u64().unwrap_or(1);
        } else if basket.messages.len() + basket.events.len() >= MOST {
            basket.lost += 1;
        } else {
            take(&mut basket, source, &event.data);
        }
    }
    anyhow::bail!("the emulator has ended")
}

fn take(basket: &mut Basket, source: &mut Source, data: &str) {
    match source {
        Source::Hub { hub: _, last, recorder } => {
            let Ok(line) = serde_json::from_str::<Line<'_>>(data) else { return };
            *last = Some(line.sequence_number);
            recorder.take_line(&line.device_id, line.properties.contains_key(PROPERTY), data);
            basket.messages.push(line.message());
        }
        Source::Dps => {
            let Ok(event) = serde_json::from_str::<Value>(data) else { return };
            let time = event["time"].as_str().and_then(|time| time.parse().ok());
            let event = cloud_event(event, time.unwrap_or_else(system_time));
            // The address of a module, which is a part of a device and no device.
            if !event.device.contains('/') {
                basket.events.push(event);
            }
        }
    }
}

/// A message as the emulator's REST tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    device_id: String,
    sequence_number: u64,
    enqueued_time: DateTime<Utc>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_text: Option<String>,
    body_base64: Option<String>,
}

impl Line<'_> {
    fn message(self) -> Message {
        let plain =
            |readings: Vec<Value>| serde_json::to_vec(&Value::Array(readings)).unwrap_or_default().into();
        let body: Bytes = match (self.body, self.body_base64) {
            (Some(body), _) if body.get().contains("\"compact\"") => {
                plain(readings_in(body.get().as_bytes(), false))
            }
            (Some(body), _) => body.get().to_owned().into(),
            (None, Some(packed)) => {
                let bytes = BASE64_STANDARD.decode(packed).unwrap_or_default();
                if bytes.starts_with(&[0x1f, 0x8b]) { plain(readings_in(&bytes, true)) } else { bytes.into() }
            }
            (None, None) => self.body_text.unwrap_or_default().into(),
        };
        Message {
            hub: String::new(),
            device: self.device_id,
            enqueued: self.enqueued_time,
            properties: self.properties,
            body,
        }
    }
}
