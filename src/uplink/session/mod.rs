//! One connection to the assigned hub: readings out, twin and methods in.

mod device;

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tracker_protocol::Publish;
use tracker_protocol::hub::{
    self, CloudTopic, DeviceTopic, HubUsername, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER,
    TwinEvent, TwinStep,
};

use crate::event::Event;
use crate::journal::Lease;
use crate::link::{Link, LinkError, LinkErrorKind, LinkEvent};
use crate::reading::Stamp;
use crate::status::Status;
use crate::uplink::delivery;
use crate::uplink::methods;

pub use device::Device;

/// Messages sent and not yet acknowledged, at the most.
const WINDOW: usize = 32;
/// A journal that is too busy to be told of acknowledgements is told so often, so far apart; what it does not hear is
/// sent again.
const JOURNAL_TRIES: u32 = 10;
const JOURNAL_PAUSE: Duration = Duration::from_millis(20);
/// A journal that is too busy to be asked for more is asked so much later.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Health and counts are reported at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// IoT Plug and Play model of the messages and properties, described in `config/tracker-model.json`.
pub const MODEL_ID: &str = "dtmi:containertracker:Tracker;1";

/// The MQTT user name at a hub.
pub fn username(hub: &str, device_id: &str) -> String {
    HubUsername {
        hub: hub.into(),
        device_id: device_id.into(),
        module_id: None,
        api_version: Some(hub::API_VERSION.into()),
        client_type: Some(crate::user_agent()),
        model_id: Some(MODEL_ID.into()),
    }
    .to_string()
}

/// A message with readings, on its way to the hub.
#[derive(Debug)]
pub struct Sent {
    seqs: Vec<u64>,
    at: Instant,
}

/// A session in progress.
pub struct Session<'a> {
    link: Link<Sent>,
    device_id: String,
    device: &'a mut Device,
    /// A reading unacknowledged for so long means that the link is dead.
    acknowledge_within: Duration,
    /// Messages for which there was no room: readings that do not share messages after all, as alerts don't.
    waiting: VecDeque<delivery::Message>,
    /// The journal will answer with what is to be sent next.
    asked: Option<oneshot::Receiver<Lease>>,
    /// Acknowledged readings that the journal has not been told of yet.
    acknowledged: Vec<u64>,
    report_due: Instant,
    /// When the subscriptions must be in force; `None` once they are. Without them no setting would arrive.
    subscribed_by: Option<Instant>,
}

impl<'a> Session<'a> {
    /// Begins on a link that has just been made: subscribes, and sends readings without waiting for that.
    pub async fn begin(
        link: Link<Sent>,
        device_id: &str,
        device: &'a mut Device,
        acknowledge_within: Duration,
    ) -> Result<Self, LinkError> {
        let filters = [TWIN_RESPONSE_FILTER, TWIN_DESIRED_FILTER, METHOD_FILTER];
        link.subscribe(filters.map(str::to_owned))?;
        device.journal.release().await;
        Ok(Self {
            link,
            device_id: device_id.into(),
            device,
            acknowledge_within,
            waiting: VecDeque::new(),
            asked: None,
            acknowledged: Vec::new(),
            report_due: Instant::now(),
            subscribed_by: Some(Instant::now() + acknowledge_within),
        })
    }

    /// Works until the link is lost, and says why it was.
    pub async fn run(&mut self) -> LinkError {
        loop {
            if let Err(error) = self.turn().await {
                self.end().await;
                return error;
            }
        }
    }

    /// Gives what is in flight a moment to be acknowledged, and says goodbye.
    pub async fn finish(mut self, patience: Duration) {
        let patience = Instant::now() + patience;
        let waiting = self.asked.take().and_then(|mut asked| {
            asked.close();
            asked.try_recv().ok()
        });
        let lease = match waiting {
            Some(lease) => lease,
            None => {
                let limit = delivery::readings(self.device.settings.delivery(), self.room());
                self.device.journal.lease(limit, Stamp::now(&*self.device.status.clock)).await
            }
        };
        self.enqueue(lease);
        if self.send().is_ok() {
            self.drain(patience).await;
        }
        self.end().await;
        self.link.close().await;
    }

    /// Waits until everything sent is acknowledged, the link is lost, or `patience` is over.
    async fn drain(&mut self, patience: Instant) {
        while self.in_flight() > 0 {
            tokio::select! {
                event = self.link.next() => match event {
                    Ok(LinkEvent::Acknowledged(sent)) => self.acknowledged(sent),
                    Ok(_) => {}
                    Err(_) => break,
                },
                () = sleep_until(patience) => break,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), LinkError> {
        self.device.heart.beat().await;
        self.tell_journal();
        self.send()?;
        self.ask();
        let deadline = self.deadline();
        let status = &mut self.device.status;
        tokio::select! {
            event = self.link.next() => self.handle(event?)?,
            lease = answer(&mut self.asked) => self.enqueue(lease),
            () = any_change(status), if self.report_due <= Instant::now() => self.report()?,
            () = sleep_until(deadline) => self.tick()?,
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.device.started.elapsed()
    }

    fn in_flight(&self) -> usize {
        self.link.unacknowledged().count()
    }

    fn room(&self) -> usize {
        WINDOW.saturating_sub(self.in_flight())
    }

    /// Whether to ask the journal for more: once half of the window is free, as several readings at a time spare it
    /// questions.
    fn wants_more(&self) -> bool {
        self.asked.is_none() && self.waiting.is_empty() && self.room() >= WINDOW / 2
    }

    fn ask(&mut self) {
        if !self.wants_more() {
            return;
        }
        self.tell_journal_now();
        let now = Stamp::now(&*self.device.status.clock);
        let limit = delivery::readings(self.device.settings.delivery(), self.room());
        self.asked = self.device.journal.await_lease(limit, now);
    }

    fn enqueue(&mut self, lease: Lease) {
        self.waiting.extend(delivery::messages(lease, &self.device_id, self.device.settings.delivery()));
    }

    /// Fills the window.
    fn send(&mut self) -> Result<(), LinkError> {
        for delivery::Message { seqs, publish } in self.waiting.drain(..self.room().min(self.waiting.len())) {
            self.link.publish(publish, Some(Sent { seqs, at: Instant::now() }))?;
        }
        Ok(())
    }

    fn acknowledged(&mut self, Sent { seqs, .. }: Sent) {
        for seq in &seqs {
            self.device.events.emit(Event::Delivered { seq: *seq });
        }
        self.acknowledged.extend(seqs);
    }

    /// Tells the journal what is acknowledged, once nothing is in flight or much has gathered; else it is told when it is
    /// asked for more. A journal that is busy is told later.
    fn tell_journal(&mut self) {
        if self.in_flight() == 0 || self.acknowledged.len() >= WINDOW / 2 {
            self.tell_journal_now();
        }
    }

    fn tell_journal_now(&mut self) {
        if !self.acknowledged.is_empty() {
            let seqs = std::mem::take(&mut self.acknowledged);
            self.acknowledged = self.device.journal.acknowledge(seqs).err().unwrap_or_default();
        }
    }

    /// Tells the journal everything that is acknowledged, and that the rest must be sent again.
    async fn end(&mut self) {
        self.tell_journal_now();
        for _ in 0..JOURNAL_TRIES {
            if self.acknowledged.is_empty() {
                break;
            }
            sleep(JOURNAL_PAUSE).await;
            self.tell_journal_now();
        }
        self.device.journal.release().await;
    }

    /// The next moment at which something is due although nothing happens.
    fn deadline(&self) -> Instant {
        let unacknowledged = self.link.unacknowledged().map(|sent| sent.at + self.acknowledge_within).min();
        let twin = self.device.twin.deadline().map(|at| self.device.started + at);
        // A report that is not due yet becomes possible then.
        let report = Some(self.report_due).filter(|due| *due > Instant::now());
        let beat = Instant::now() + self.device.heart.every();
        // A journal that was too busy to be asked is asked again.
        let ask = self.wants_more().then(|| Instant::now() + ASK_AGAIN);
        [unacknowledged, self.subscribed_by, twin, report, ask].into_iter().flatten().fold(beat, Instant::min)
    }

    fn tick(&mut self) -> Result<(), LinkError> {
        if self.link.unacknowledged().any(|sent| sent.at.elapsed() >= self.acknowledge_within) {
            let why = format!("the hub has acknowledged nothing for {} s", self.acknowledge_within.as_secs());
            return Err(LinkError { kind: LinkErrorKind::Outage, why });
        }
        if self.subscribed_by.is_some_and(|by| by <= Instant::now()) {
            let why = "the hub did not acknowledge the subscriptions".into();
            return Err(LinkError { kind: LinkErrorKind::Outage, why });
        }
        let steps = self.device.twin.handle(self.now(), TwinEvent::Tick);
        self.follow(steps)
    }

    fn handle(&mut self, event: LinkEvent<Sent>) -> Result<(), LinkError> {
        match event {
            LinkEvent::Acknowledged(sent) => {
                self.acknowledged(sent);
                Ok(())
            }
            LinkEvent::Subscribed => {
                self.subscribed_by = None;
                let steps = self.device.twin.handle(self.now(), TwinEvent::Subscribed);
                self.follow(steps)
            }
            LinkEvent::Message { topic, payload } => self.receive(&topic, &payload),
        }
    }

    fn receive(&mut self, topic: &str, payload: &[u8]) -> Result<(), LinkError> {
        let now = self.now();
        let twin_event = match topic.parse::<CloudTopic>() {
            Ok(CloudTopic::TwinResponse { status, request_id, .. }) => {
                let event = TwinEvent::Response { status, request_id: &request_id, payload };
                let steps = self.device.twin.handle(now, event);
                return self.follow(steps);
            }
            Ok(CloudTopic::DesiredPatch { version }) => TwinEvent::Desired { version, payload },
            Ok(CloudTopic::MethodRequest { name, request_id }) => {
                return self.answer_method(name, request_id, payload);
            }
            Ok(CloudTopic::DeviceBound { .. }) => return Ok(()),
            Err(error) => {
                self.device.events.emit(Event::Trouble(format!("the hub sent what can't be read: {error}")));
                return Ok(());
            }
        };
        let steps = self.device.twin.handle(now, twin_event);
        self.follow(steps)
    }

    fn answer_method(&mut self, name: String, request_id: String, payload: &[u8]) -> Result<(), LinkError> {
        let (status, body) = methods::call(&name, payload, &self.device.status);
        self.device.events.emit(Event::Method { name, status });
        let topic = DeviceTopic::MethodResponse { status, request_id }.to_string();
        self.link.publish(Publish { topic, payload: body.to_string().into_bytes() }, None)
    }

    fn follow(&mut self, steps: Vec<TwinStep>) -> Result<(), LinkError> {
        for step in steps {
            match step {
                TwinStep::Publish(message) => self.link.publish(message, None)?,
                TwinStep::Desired { properties, version } => self.apply(&properties, version)?,
                TwinStep::Fault(fault) => self.device.events.emit(Event::Trouble(fault)),
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        properties: &serde_json::Map<String, serde_json::Value>,
        version: u64,
    ) -> Result<(), LinkError> {
        let applied = self.device.settings.apply(properties, version);
        for answer in applied.news {
            self.device.events.emit(Event::Setting(answer));
        }
        if let Err(error) = applied.stored {
            let what = format!("the settings can't be stored and will be forgotten at a restart: {error}");
            self.device.events.emit(Event::Trouble(what));
        }
        let mut reported = applied.reported;
        reported.extend(self.device.status.reported());
        let steps = self.device.twin.report(self.now(), reported);
        self.follow(steps)
    }

    fn report(&mut self) -> Result<(), LinkError> {
        self.report_due = Instant::now() + REPORT_EVERY;
        let steps = self.device.twin.report(self.now(), self.device.status.reported());
        self.follow(steps)
    }
}

/// The journal's answer. One that did not come because the journal was asked anew, or is gone, is no lease.
async fn answer(asked: &mut Option<oneshot::Receiver<Lease>>) -> Lease {
    let Some(asked_for) = asked else { return pending().await };
    let lease = asked_for.await;
    *asked = None;
    lease.unwrap_or_default()
}

/// Waits until the health of any sensor changes.
async fn any_change(status: &mut Status) {
    let mut changes: Vec<_> =
        status.sensors.iter_mut().map(|(_, health)| Box::pin(health.changed())).collect();
    std::future::poll_fn(|context| {
        if changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
