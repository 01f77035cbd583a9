//! The device's end: the agent's own state machines, put together as its uplink and its session do it.

use std::time::Duration;

use container_tracker::link::timing::Timing;
use container_tracker::link::{LinkError, LinkErrorKind};
use container_tracker::uplink::assignment::Terms;
use container_tracker::uplink::lifecycle::{Action, Lifecycle};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use tracker_protocol::Publish;
use tracker_protocol::dps::{Event, Outcome, RESPONSE_FILTER, Registration, Step};
use tracker_protocol::hub::{
    METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER, TwinClient, TwinEvent,
};

use super::cloud::DEVICE;
use super::log::Log;
use super::wire::{ConnectionId, Packet, Peer};

/// The device's end of its connection.
pub struct Device {
    pub life: Lifecycle,
    pub twin: TwinClient,
    /// What is to be sent.
    pub outbox: Vec<(ConnectionId, Packet)>,
    /// What has happened.
    pub log: Log,
    /// What the device wants the hub to hold, without what is not to be there.
    pub wish: Map<String, Value>,
    timing: Timing,
    pub(super) stage: Stage,
    /// The newest connection.
    pub connection: ConnectionId,
    random: ChaCha8Rng,
}

/// What the device is at.
pub(super) enum Stage {
    /// Waits until the lifecycle wants something.
    Resting,
    /// Connects; given up at this time.
    Dialing(Peer, Duration),
    /// Asks DPS. The registration counts time from its beginning; the second time is its deadline, counted so.
    Registering(Box<Registration>, Duration, Duration),
    /// Lost its connection for this reason while DPS wanted to be left alone until this time.
    Barred(LinkErrorKind, Duration),
    /// Is at its hub; without acknowledged subscriptions until this time.
    Session(Option<Duration>),
}

fn error(kind: LinkErrorKind) -> LinkError {
    LinkError { kind, why: String::new() }
}

impl Device {
    /// A device that has just been unpacked.
    pub fn new(seed: u64) -> Self {
        let timing = Timing::default();
        Self {
            life: Lifecycle::new(timing.clone(), None, Duration::ZERO),
            twin: TwinClient::new(),
            outbox: Vec::new(),
            log: Log::default(),
            wish: Map::new(),
            timing,
            stage: Stage::Resting,
            connection: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The power was cut, and is back: the assignment is on the disk, the rest is forgotten.
    pub fn reboot(&mut self, now: Duration, first_wait: Duration) {
        let stored = self.life.assignment().cloned();
        self.life = Lifecycle::new(self.timing.clone(), stored, now + first_wait);
        self.twin = TwinClient::new();
        self.stage = Stage::Resting;
        self.log.rebooted(now);
    }

    /// Whether it is at its hub with its subscriptions in force.
    pub fn is_online(&self) -> bool {
        matches!(self.stage, Stage::Session(None))
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Duration {
        match &self.stage {
            Stage::Resting => self.life.next().at,
            Stage::Dialing(_, by) => *by,
            Stage::Barred(_, until) => *until,
            Stage::Registering(_, began, deadline) => *began + *deadline,
            Stage::Session(subscribed_by) => {
                [*subscribed_by, self.twin.deadline()].into_iter().flatten().min().unwrap_or(Duration::MAX)
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Resting => {
                let peer = match self.life.next().action {
                    Action::Register => Peer::Dps,
                    Action::Connect(assignment) => Peer::Hub(assignment.hub),
                };
                self.log.attempt(now, &peer);
                self.connection += 1;
                self.send(Packet::Connect(peer.clone()));
                self.stage = Stage::Dialing(peer, now + self.timing.stage_within);
            }
            Stage::Dialing(..) => self.failed(now, LinkErrorKind::Outage),
            Stage::Registering(..) => self.register(now, Event::Tick),
            Stage::Barred(kind, _) => {
                let kind = *kind;
                self.failed(now, kind);
            }
            Stage::Session(Some(by)) if *by <= now => self.failed(now, LinkErrorKind::Outage),
            Stage::Session(_) => self.follow(now, TwinEvent::Tick),
        }
    }

    /// The kernel tells that a link has come up.
    pub fn link_is_up(&mut self, now: Duration) {
        if matches!(self.stage, Stage::Resting) {
            self.life.network_up(now, self.random.random());
        }
    }

    /// The connection turns out to be dead.
    pub fn lose(&mut self, now: Duration) {
        if !matches!(self.stage, Stage::Resting | Stage::Barred(..)) {
            self.failed(now, LinkErrorKind::Outage);
        }
    }

    /// A packet has arrived on the newest connection.
    pub fn receive(&mut self, now: Duration, packet: Packet) {
        match (packet, &mut self.stage) {
            (Packet::Accepted, Stage::Dialing(Peer::Dps, _)) => {
                self.send(Packet::Subscribe(vec![RESPONSE_FILTER.into()]));
                let registration = Registration::new(DEVICE.parse().unwrap(), None)
                    .answer_within(self.timing.dps_answer_within);
                self.stage = Stage::Registering(Box::new(registration), now, Duration::ZERO);
                self.register(now, Event::Tick);
            }
            (Packet::Accepted, Stage::Dialing(Peer::Hub(_), _)) => {
                self.life.connected(now);
                let filters = [TWIN_RESPONSE_FILTER, TWIN_DESIRED_FILTER, METHOD_FILTER];
                self.send(Packet::Subscribe(filters.map(str::to_owned).into()));
                self.stage = Stage::Session(Some(now + self.timing.acknowledge_within));
                self.follow(now, TwinEvent::Connected);
            }
            (Packet::Refused(code), Stage::Dialing(..)) => {
                self.failed(now, if code == 3 { LinkErrorKind::Answered } else { LinkErrorKind::Identity });
            }
            // What was under way when the device hung up.
            (_, Stage::Resting | Stage::Barred(..)) => {}
            (Packet::Close, _) => self.failed(now, LinkErrorKind::Closed),
            (Packet::Subscribed, Stage::Registering(..)) => self.register(now, Event::Subscribed),
            (Packet::Subscribed, Stage::Session(subscribed_by)) => {
                *subscribed_by = None;
                self.follow(now, TwinEvent::Subscribed);
            }
            (Packet::Publish(Publish { topic, payload }), Stage::Registering(..)) => {
                self.log.dps_answered(now, &topic);
                self.register(now, Event::Message { topic: &topic, payload: &payload });
            }
            (Packet::Publish(Publish { topic, payload }), Stage::Session(_)) => {
                self.hub_said(now, &topic, &payload);
            }
            (other, _) => panic!("{other:?} out of turn"),
        }
    }

    pub(super) fn send(&mut self, packet: Packet) {
        self.outbox.push((self.connection, packet));
    }

    /// There is no connection, or none any more.
    fn failed(&mut self, now: Duration, kind: LinkErrorKind) {
        self.send(Packet::Close);
        let jitter = self.random.random();
        match std::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Resting => {}
            Stage::Registering(registration, began, _) if registration.wait_left(now - began).is_some() => {
                let left = registration.wait_left(now - began).unwrap();
                self.stage = Stage::Barred(kind, now + left);
            }
            Stage::Dialing(Peer::Dps, _) | Stage::Registering(..) | Stage::Barred(..) => {
                self.life.registered(now, jitter, &Err(error(kind)), &terms());
            }
            Stage::Dialing(Peer::Hub(_), _) => self.life.connect_failed(now, jitter, &error(kind)),
            Stage::Session(_) => {
                self.life.lost(now, jitter, kind);
            }
        }
    }

    fn register(&mut self, now: Duration, event: Event<'_>) {
        let Stage::Registering(registration, began, deadline) = &mut self.stage else { return };
        match registration.handle(now - *began, self.random.random(), event) {
            Step::Publish(publish, at) => {
                *deadline = at;
                self.log.dps_asked(now, &publish.topic);
                self.send(Packet::Publish(publish));
            }
            Step::Wait(at) => *deadline = at,
            Step::Done(outcome) => self.registered(now, outcome),
        }
    }

    fn registered(&mut self, now: Duration, outcome: Outcome) {
        self.send(Packet::Close);
        self.stage = Stage::Resting;
        let outcome = Ok(outcome);
        self.life.registered(now, self.random.random(), &outcome, &terms());
        self.log.outcomes.extend(outcome);
    }
}

fn terms() -> Terms {
    Terms { thumbprint: "thumbprint".into(), id_scope: "scope".into(), dps_host: "dps".into() }
}
