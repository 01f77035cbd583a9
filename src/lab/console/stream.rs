//! What the emulator tells, in batches: whoever reads them wakes a few times a second, whatever the fleet does, and a message
//! costs the hub nothing that it does not cost already.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracker_console::model::{Fault, Incoming, Message};
use tracker_emulator::{Event, Subscription, SubscriptionError, TelemetryMessage};
use tracker_protocol::PropertyBag;
use tracker_sensors::simulated::SimulatedClock;

use super::backlogs::Backlogs;
use super::fault_book::FaultBook;
use super::forms;
use super::recorder::Recorder;
use crate::lab::received::readings;
use crate::platform::clock::system_time;

/// How often the feeds are emptied.
const EVERY: Duration = Duration::from_millis(250);
/// It is looked every so many rounds whether there are other faults, and what waits in the journals.
const LOOK_EVERY: u32 = 2;
/// The most messages, or events, that go in one batch.
const BATCH: usize = 4096;

/// The feeds of an emulator.
pub(super) struct Feeds {
    pub(super) telemetry: Vec<Subscription<TelemetryMessage>>,
    pub(super) events: Subscription<Event>,
    pub(super) clock: SimulatedClock,
    pub(super) faults: FaultBook,
    pub(super) recorder: Arc<Recorder>,
    pub(super) backlogs: Backlogs,
}

impl Feeds {
    /// Empties them until nobody listens.
    pub(super) async fn run(mut self, out: mpsc::Sender<Incoming>) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut round, mut told): (u32, Vec<Fault>) = (0, Vec::new());
        let mut backlogs = HashMap::new();
        loop {
            every.tick().await;
            let mut batches = self.empty();
            if round.is_multiple_of(LOOK_EVERY) {
                let news = self.backlogs.news(&mut backlogs);
                if !news.is_empty() {
                    batches.push(Incoming::Backlogs(news));
                }
                // Of an emulator in this process there is always a list.
                let faults = self.faults.list().unwrap_or_default();
                if faults != told {
                    told.clone_from(&faults);
                    batches.push(Incoming::Faults(faults));
                }
            }
            round = round.wrapping_add(1);
            for batch in batches {
                if out.send(batch).await.is_err() {
                    return;
                }
            }
            if out.is_closed() {
                return;
            }
        }
    }

    /// All that is there.
    fn empty(&mut self) -> Vec<Incoming> {
        let time = Time { real: system_time(), simulated: self.clock.utc(), speed: self.speed() };
        let mut batches = Vec::new();
        let (events, lost) = drain(&mut self.events);
        for events in events.chunks(BATCH) {
            let told =
                events.iter().map(|event| forms::cloud_event(forms::json(&**event), time.of(event.time)));
            batches.push(Incoming::Events(told.collect()));
        }
        let mut all_lost = lost;
        for telemetry in &mut self.telemetry {
            let (messages, lost) = drain(telemetry);
            all_lost += lost;
            for messages in messages.chunks(BATCH) {
                for message in messages {
                    self.recorder.take(message);
                }
                batches.push(Incoming::Messages(messages.iter().map(|it| plain(it, &time)).collect()));
            }
        }
        if all_lost > 0 {
            batches.push(Incoming::Lost(all_lost));
        }
        batches
    }

    /// Simulated seconds a second, now.
    fn speed(&self) -> f64 {
        if self.clock.is_paused() { 0.0 } else { self.clock.time_scale() }
    }
}

/// Everything that a feed has, and how much it had lost.
fn drain<T>(feed: &mut Subscription<T>) -> (Vec<Arc<T>>, u64) {
    let (mut items, mut lost) = (Vec::new(), 0);
    loop {
        match feed.try_next() {
            Ok(Some(item)) => items.push(item),
            Err(SubscriptionError::Lagged(missed)) => lost += missed,
            Ok(None) | Err(SubscriptionError::Closed) => return (items, lost),
        }
    }
}

/// Real moments that have just been, in simulated time.
struct Time {
    real: DateTime<Utc>,
    simulated: DateTime<Utc>,
    speed: f64,
}

impl Time {
    fn of(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let ago_s = (self.real - time).as_seconds_f64().max(0.0) * self.speed;
        let ago = TimeDelta::milliseconds((ago_s * 1000.0) as i64);
        self.simulated.checked_sub_signed(ago).unwrap_or(self.simulated)
    }
}

fn plain(message: &TelemetryMessage, time: &Time) -> Message {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let properties: BTreeMap<String, String> =
        message.application_properties().into_iter().map(owned).collect();
    Message {
        hub: message.hub.clone(),
        device: message.device_id.clone(),
        enqueued: time.of(message.enqueued_time),
        properties,
        body: unfolded(message),
    }
}

/// The body as plain JSON: compressed and compact ones are unfolded, all others are left alone.
fn unfolded(message: &TelemetryMessage) -> Bytes {
    let is_packed = message.properties.get(PropertyBag::CONTENT_ENCODING) == Some("gzip");
    let is_compact = message.body.starts_with(b"{\"compact\"");
    if !is_packed && !is_compact {
        return message.body.clone();
    }
    serde_json::to_vec(&Value::Array(readings(message))).unwrap_or_default().into()
}
