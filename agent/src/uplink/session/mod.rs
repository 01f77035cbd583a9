//! One connection to the assigned hub: readings out, twin and methods in.

mod acknowledgement;
mod device;
mod dialect;
mod last_news;
mod outbox;
mod pace;
mod reluctance;
mod renewal;
mod reported;
mod waiting_news;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracker_protocol::hub::{RenewalEvent, TwinEvent, TwinStep};
use tracker_timers::sleep_until;

use crate::event::Event;
use crate::event::repeats::Repeated;
use crate::link::timing::Timing;
use crate::link::{Link, LinkError, LinkErrorKind, LinkEvent, Message, Refusal};
use crate::platform::clock::Clock;
use crate::uplink::renewal::{Leaving, done};
use crate::uplink::{diagnostics, methods, trips};
use acknowledgement::Acknowledgement;
use dialect::Word;
use last_news::LAST;
use outbox::Outbox;
use pace::Pace;

pub use device::Device;
pub use dialect::{Dialect, MODEL_ID, Opening, username};
pub use outbox::Sent;
pub use waiting_news::WaitingNews;

/// A journal that is too busy to be asked for more is asked so much later.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A journal that has readings hands one out within this time, or it is not sent together with CONNECT.
const AT_HAND_WITHIN: Duration = Duration::from_millis(20);
/// Calls of methods that wait for the journal, at the most.
const MOST_ANSWERS: usize = 16;
/// Health and counts are reported at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// A session in progress.
pub struct Session<'a> {
    link: Link<Sent>,
    dialect: Box<dyn Dialect>,
    device: &'a mut Device,
    outbox: Outbox,
    /// A reading unacknowledged for so long means that the link is dead.
    acknowledge_within: Duration,
    /// When the hub accepted the device, or the session began before that.
    begun: Instant,
    acknowledgement: Acknowledgement,
    report_due: Instant,
    /// So is where the container was last, of which each report may be due in a time that runs fast.
    last_ready: Instant,
    /// When the subscriptions must be in force, and the hub take readings; `None` once it is so. Without them no setting
    /// would arrive.
    subscribed_by: Option<Instant>,
    is_subscribed: bool,
    /// The hub has answered all but a reading that was sent before its CONNACK.
    minded: bool,
    /// The twin was asked for without waiting for that: what a server takes it takes in order.
    asked_early: bool,
    /// Desired properties that are not applied yet: a hub that pushes without end is followed at a pace.
    desired: Option<Desired>,
    pace: Pace,
    /// Answers to methods for which the journal is asked: status, body, and whose they are.
    answers: JoinSet<(String, String, i32, String)>,
}

/// The desired section as it is now.
struct Desired {
    properties: Map<String, Value>,
    version: u64,
    /// What pushes have stated since it was last applied; `None` where it was fetched since.
    stated: Option<BTreeSet<String>>,
}

impl<'a> Session<'a> {
    /// Begins on a link that has just been made: subscribes, and sends readings without waiting for that, nor for
    /// CONNACK if that has not come yet. The journal is not waited for either, whose disk may be slow.
    pub async fn begin(
        mut link: Link<Sent>,
        mut dialect: Box<dyn Dialect>,
        device_id: &str,
        device: &'a mut Device,
        timing: &Timing,
    ) -> Result<Self, LinkError> {
        let Timing { acknowledge_within, each_acknowledged_within, .. } = *timing;
        let now = device.started.elapsed();
        link.subscribe(dialect.filters())?;
        for message in dialect.begin(now) {
            link.send(message, None)?;
        }
        device.twin.handle(now, TwinEvent::Connected);
        // One that was under way when the last connection broke off is not repeated: there may be a newer one.
        if device.twin.last_reported(LAST).is_some()
            && let Some(last) = reported::last(device)
        {
            device.twin.report(now, Map::from_iter([(LAST.to_owned(), last)]));
        }
        if let Some(renewal) = &mut device.renewal {
            renewal.begin(now, device_id, dialect.renews());
        }
        let takes_readings = dialect.takes_readings();
        let outbox = Outbox::begin(device, device_id, takes_readings);
        // A hub that is told first that the device is there is asked with that.
        let asked_early = !link.is_connected() || !takes_readings;
        let mut session = Self {
            link,
            dialect,
            device,
            outbox,
            acknowledge_within,
            begun: Instant::now(),
            acknowledgement: Acknowledgement::new(acknowledge_within, each_acknowledged_within),
            report_due: Instant::now(),
            last_ready: Instant::now(),
            subscribed_by: Some(Instant::now() + acknowledge_within),
            is_subscribed: false,
            minded: false,
            asked_early,
            desired: None,
            pace: Pace::new(),
            answers: JoinSet::new(),
        };
        if asked_early {
            session.twin(TwinEvent::Subscribed)?;
            session.outbox.ask(&session.link, session.device.settings.delivery());
            // What the journal has at hand goes into the same packet of TCP.
            if takes_readings && session.backlog() > 0 {
                let _ = timeout(AT_HAND_WITHIN, session.outbox.answered()).await;
            }
        }
        Ok(session)
    }

    /// Works until the hub has accepted the device, and takes readings.
    pub async fn connected(&mut self) -> Result<(), LinkError> {
        self.work_while(|session| !session.link.is_connected() || !session.dialect.takes_readings()).await
    }

    /// Works until the subscriptions are in force.
    pub async fn subscribed(&mut self) -> Result<(), LinkError> {
        self.work_while(|session| session.subscribed_by.is_some()).await
    }

    async fn work_while(&mut self, unfinished: impl Fn(&Self) -> bool) -> Result<(), LinkError> {
        while unfinished(self) {
            let turned = self.turn().await;
            self.ended(turned).await?;
        }
        Ok(())
    }

    /// Readings that wait.
    pub fn backlog(&self) -> u64 {
        self.device.journal.stats().backlog
    }

    /// The device's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.device.status.clock.clone()
    }

    /// Once the link is lost: whether the hub minds what was said before its CONNACK.
    pub fn is_minded(&self) -> bool {
        self.minded || self.link.is_minded()
    }

    /// Works until the link is lost, and says why it was; or until it is to be left for a certificate.
    pub async fn run(&mut self) -> Result<Leaving, LinkError> {
        loop {
            let turned = self.turn().await;
            self.ended(turned).await?;
            if let Some(leaving) = self.leaves() {
                return Ok(leaving);
            }
        }
    }

    /// Leaves all in good order where a turn was the last.
    async fn ended(&mut self, turned: Result<(), LinkError>) -> Result<(), LinkError> {
        if turned.is_err() {
            self.device.repeats.end(&self.device.events);
            self.outbox.end().await;
        }
        turned
    }

    /// Gives what is in flight a moment to be acknowledged, and says goodbye.
    pub async fn finish(mut self, patience: Duration) {
        let patience = Instant::now() + patience;
        self.device.repeats.end(&self.device.events);
        self.outbox.last(&self.link, self.device.settings.delivery()).await;
        if self.outbox.send(&mut self.link, &*self.dialect).is_ok() {
            self.drain(patience).await;
        }
        self.outbox.end().await;
        self.link.close().await;
    }

    /// Waits until everything sent is acknowledged, the link is lost, or `patience` is over.
    async fn drain(&mut self, patience: Instant) {
        while self.link.unacknowledged().next().is_some() {
            tokio::select! {
                event = self.link.next() => match event {
                    Ok(LinkEvent::Acknowledged(sent)) => self.outbox.acknowledged(sent),
                    Ok(LinkEvent::Refused(sent, refusal)) => self.refused(sent, &refusal),
                    Ok(_) => {}
                    Err(_) => break,
                },
                () = sleep_until(patience) => break,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), LinkError> {
        self.device.heart.beat().await;
        self.outbox.tell_journal(&self.link);
        self.outbox.renew(&self.link);
        self.outbox.send(&mut self.link, &*self.dialect)?;
        self.outbox.ask(&self.link, self.device.settings.delivery());
        let deadline = self.deadline();
        tokio::select! {
            event = self.link.next() => self.handle(event?)?,
            () = self.outbox.answered() => {}
            done = done(&mut self.device.renewal), if self.device.renewal.is_some() => {
                self.renewal_goes_on(done)?;
            }
            Some(Ok((name, request_id, status, body))) = self.answers.join_next() => {
                self.send_answer(name, request_id, status, body)?;
            }
            () = self.device.news.notified(), if self.report_due <= Instant::now() => self.report()?,
            () = sleep_until(deadline) => self.tick()?,
        }
        Ok(())
    }

    /// The time since the device started.
    pub fn now(&self) -> Duration {
        self.device.started.elapsed()
    }

    /// The next moment at which something is due although nothing happens.
    fn deadline(&self) -> Instant {
        let beat = Instant::now() + self.device.heart.every();
        if !self.link.is_connected() {
            // Nothing is answered before CONNACK, and the link itself knows when that must come.
            return beat;
        }
        let early = self.early_reading_due();
        let unacknowledged = self.acknowledgement.due(self.oldest_unacknowledged());
        let twin = self.device.twin.deadline().map(|at| self.device.started + at);
        // A report that is not due yet becomes possible then.
        let report = Some(self.report_due).filter(|due| *due > Instant::now());
        // A journal that was too busy to be asked is asked again.
        let ask = self.outbox.wants_more(&self.link).then(|| Instant::now() + ASK_AGAIN);
        let apply = self.desired.as_ref().map(|_| self.pace.next());
        let count = self.device.repeats.deadline();
        let waiting = self.waiting_due();
        let last = self.last_due();
        let dialect = self.dialect.deadline().map(|at| self.device.started + at);
        let others = [self.outbox.renewal_due(), self.renewal_due(), dialect];
        let due = [unacknowledged, early, self.subscribed_by, twin, report, ask, apply, count, waiting, last];
        due.into_iter().chain(others).flatten().fold(beat, Instant::min)
    }

    fn oldest_unacknowledged(&self) -> Option<Instant> {
        self.link.unacknowledged().next().map(|sent| sent.at.max(self.begun))
    }

    /// When a reading that was sent before CONNACK must be acknowledged, although others may be: what a hub takes it takes in
    /// order.
    fn early_reading_due(&self) -> Option<Instant> {
        let is_early = self.link.unacknowledged().next().is_some_and(|sent| sent.at < self.begun);
        (is_early && self.asked_early && self.subscribed_by.is_none())
            .then(|| self.begun + self.acknowledge_within)
    }

    fn tick(&mut self) -> Result<(), LinkError> {
        if !self.link.is_connected() {
            return Ok(());
        }
        if self.early_reading_due().is_some_and(|due| due <= Instant::now()) {
            self.minded = true;
            let seconds = self.acknowledge_within.as_secs();
            let why = format!("the hub has left a reading without acknowledgement for {seconds} s");
            return Err(LinkError { kind: LinkErrorKind::Outage, why });
        }
        self.acknowledgement.judge(self.oldest_unacknowledged())?;
        if self.subscribed_by.is_some_and(|by| by <= Instant::now()) {
            let what = if self.is_subscribed { "that this device is there" } else { "the subscriptions" };
            let why = format!("the hub did not acknowledge {what}");
            return Err(LinkError { kind: LinkErrorKind::Outage, why });
        }
        self.device.repeats.tick(&self.device.events);
        let words = self.dialect.tick(self.now());
        self.obey(words)?;
        self.tick_waiting()?;
        self.tick_last()?;
        self.renewal_tick()?;
        self.twin(TwinEvent::Tick)
    }

    fn handle(&mut self, event: LinkEvent<Sent>) -> Result<(), LinkError> {
        match event {
            LinkEvent::Acknowledged(sent) => {
                self.acknowledgement.came();
                self.outbox.acknowledged(sent);
                Ok(())
            }
            LinkEvent::Refused(sent, refusal) => {
                self.acknowledgement.came();
                self.refused(sent, &refusal);
                Ok(())
            }
            LinkEvent::Connected => self.accepted(),
            LinkEvent::Subscribed => {
                self.is_subscribed = true;
                self.settle();
                self.renewal(RenewalEvent::Subscribed)?;
                if self.asked_early { Ok(()) } else { self.twin(TwinEvent::Subscribed) }
            }
            LinkEvent::Message { topic, payload, properties } => {
                match self.dialect.hear(self.now(), &topic, payload, properties.as_deref()) {
                    Ok(words) => self.obey(words),
                    Err(error) => {
                        let what = format!("the hub sent what can't be read: {error}");
                        self.trouble(Repeated::Messages, what);
                        Ok(())
                    }
                }
            }
        }
    }

    /// The hub has not taken a message.
    fn refused(&mut self, sent: Option<Sent>, refusal: &Refusal) {
        let (kind, words) = match sent {
            Some(sent) => self.outbox.refused(sent, refusal),
            None => (Repeated::Messages, format!("the hub did not take an answer ({})", refusal.why)),
        };
        self.trouble(kind, words);
    }

    /// What was said before is answered from now on.
    fn accepted(&mut self) -> Result<(), LinkError> {
        self.begun = Instant::now();
        self.subscribed_by = Some(self.begun + self.acknowledge_within);
        self.twin(TwinEvent::Accepted)
    }

    /// The start is over once the hub has answered all of it.
    fn settle(&mut self) {
        if self.is_subscribed && self.dialect.takes_readings() {
            self.subscribed_by = None;
        }
    }

    /// Does what comes of what the hub has said, or of time that has passed.
    fn obey(&mut self, words: Vec<Word>) -> Result<(), LinkError> {
        for word in words {
            match word {
                Word::Say(message) => self.say(message)?,
                Word::Ready => {
                    self.outbox.open();
                    self.settle();
                    self.twin(TwinEvent::Accepted)?;
                }
                Word::Twin { status, request_id, payload } => {
                    let (request_id, payload) = (&*request_id, &*payload);
                    self.twin(TwinEvent::Response { status, request_id, payload })?;
                }
                Word::Desired { version, payload } => {
                    self.twin(TwinEvent::Desired { version, payload: &payload })?;
                }
                Word::Credentials { status, request_id, payload } => {
                    let (request_id, payload) = (&*request_id, &*payload);
                    self.renewal(RenewalEvent::Response { status, request_id, payload })?;
                }
                Word::Anew => self.twin(TwinEvent::Subscribed)?,
                Word::Call { name, request_id, payload } => self.answer_method(name, request_id, &payload)?,
            }
        }
        Ok(())
    }

    fn answer_method(&mut self, name: String, request_id: String, payload: &[u8]) -> Result<(), LinkError> {
        if trips::METHODS.contains(&name.as_str()) {
            if self.answers.len() >= MOST_ANSWERS {
                let (status, body) = methods::busy();
                return self.send_answer(name, request_id, status, body);
            }
            let (trips, payload) = (self.device.trips.clone(), payload.to_vec());
            self.answers.spawn(async move {
                let (status, body) = trips.call(&name, &payload).await;
                (name, request_id, status, body)
            });
            return Ok(());
        }
        if name == diagnostics::METHOD {
            return self.diagnose(name, request_id, payload);
        }
        let (status, body) = methods::call(&name, payload, &self.device.status);
        self.send_answer(name, request_id, status, body)
    }

    fn diagnose(&mut self, name: String, request_id: String, payload: &[u8]) -> Result<(), LinkError> {
        let refusal = match diagnostics::wish(payload) {
            Ok(_) if self.answers.len() >= MOST_ANSWERS => methods::busy(),
            Ok(lines) => {
                let Device { diagnostics, status, settings, identity, background, started, .. } =
                    &*self.device;
                let facts =
                    diagnostics.facts(status, settings, identity.borrow().as_ref(), started.elapsed());
                let answer = diagnostics.clone().answer(facts, lines, background.clone());
                self.answers.spawn(async move { (name, request_id, 200, answer.await) });
                return Ok(());
            }
            Err(why) => methods::bad(&why),
        };
        self.send_answer(name, request_id, refusal.0, refusal.1)
    }

    fn send_answer(
        &mut self,
        name: String,
        request_id: String,
        status: i32,
        body: String,
    ) -> Result<(), LinkError> {
        let Device { events, repeats, .. } = &mut *self.device;
        repeats.tell(events, Repeated::Methods, Event::Method { name, status });
        match self.dialect.answer(self.now(), request_id, status, body) {
            Some(message) => self.say(message),
            None => Ok(()),
        }
    }

    /// Says what the hub has asked for. What can't be sent is told, and no reason to end the connection.
    fn say(&mut self, message: Message) -> Result<(), LinkError> {
        match self.link.send(message, None) {
            Err(LinkError { kind: LinkErrorKind::Unsendable, why }) => {
                self.trouble(Repeated::Messages, why);
                Ok(())
            }
            published => published,
        }
    }

    fn trouble(&mut self, what: Repeated, words: String) {
        let Device { events, repeats, .. } = &mut *self.device;
        repeats.tell(events, what, Event::Trouble(words));
    }

    fn twin(&mut self, event: TwinEvent<'_>) -> Result<(), LinkError> {
        let steps = self.device.twin.handle(self.now(), event);
        self.follow(steps)
    }

    /// Does what the twin client says, in its order, and what comes of that.
    fn follow(&mut self, steps: Vec<TwinStep>) -> Result<(), LinkError> {
        let mut steps = VecDeque::from(steps);
        loop {
            match steps.pop_front() {
                Some(TwinStep::Publish(message)) => {
                    for message in self.dialect.ask(message) {
                        self.say(message)?;
                    }
                }
                Some(TwinStep::Desired { properties, version, stated }) => {
                    let before = self.desired.take().map(|desired| desired.stated);
                    let stated = match (before, stated) {
                        (None, stated) => stated,
                        (Some(before), stated) => before.zip(stated).map(|(a, b)| &a | &b),
                    };
                    self.desired = Some(Desired { properties, version, stated });
                }
                Some(TwinStep::Fault(fault)) => self.trouble(Repeated::Twin, fault),
                None => match self.desired.take_if(|_| self.pace.take()) {
                    Some(desired) => steps.extend(self.apply(desired)),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Puts desired properties in force, and gives the steps to report the answers.
    fn apply(&mut self, desired: Desired) -> Vec<TwinStep> {
        let Desired { properties, version, stated } = desired;
        let applied = self.device.settings.apply(&properties, version, stated.as_ref());
        let Device { events, repeats, .. } = &mut *self.device;
        for answer in applied.news {
            repeats.tell(events, Repeated::Settings, Event::Setting(answer));
        }
        if let Some(crowd) = applied.crowd {
            let what =
                format!("the twin has {crowd} more properties without meaning; they are not acknowledged");
            repeats.tell(events, Repeated::Twin, Event::Trouble(what));
        }
        if let Some(changed) = applied.changed {
            let events = self.device.events.clone();
            let file = changed.file().to_owned();
            self.device.background.run(&file, move || {
                if let Err(error) = changed.store() {
                    let what =
                        format!("the settings can't be stored and will be forgotten at a restart: {error}");
                    events.emit(Event::Trouble(what));
                }
            });
        }
        let (now, reported) = (self.now(), reported::properties(self.device, applied.reported));
        let mut steps = self.device.twin.report(now, reported);
        steps.extend(self.device.twin.report_spare(now, applied.spare));
        steps
    }

    /// When to look whether the readings that wait are news by themselves.
    fn waiting_due(&self) -> Option<Instant> {
        let Device { twin, waiting, .. } = &*self.device;
        twin.is_fetched().then(|| waiting.due())
    }

    fn tick_waiting(&mut self) -> Result<(), LinkError> {
        let Device { twin, waiting, status, .. } = &mut *self.device;
        let is_news = twin.is_fetched() && waiting.is_due(status.waiting(), twin, Instant::now());
        if is_news { self.report() } else { Ok(()) }
    }

    /// When to report where the container was last.
    fn last_due(&self) -> Option<Instant> {
        let is_due = self.device.twin.is_fetched() && reported::is_last_due(self.device);
        is_due.then(|| self.last_ready.max(Instant::now()))
    }

    fn tick_last(&mut self) -> Result<(), LinkError> {
        if self.last_due().is_none_or(|due| due > Instant::now()) {
            return Ok(());
        }
        self.last_ready = Instant::now() + REPORT_EVERY;
        self.report()
    }

    fn report(&mut self) -> Result<(), LinkError> {
        // A twin that is yet to come is answered with all that there is to report.
        if !self.device.twin.is_fetched() {
            return Ok(());
        }
        self.report_due = Instant::now() + REPORT_EVERY;
        let (now, reported) = (self.now(), reported::properties(self.device, Map::new()));
        let steps = self.device.twin.report(now, reported);
        self.follow(steps)
    }
}
