//! The people and the ill days of a cloud: wishes, moves, refusals, faults.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::{Map, Value, json};
use tracker_emulator::{FaultKind, FaultyService, Hub};

use super::cloud::{DEVICE, GROUP};
use super::session::SETTINGS;
use super::simulation::Pair;

/// Does something now and then.
pub struct Operator {
    chance: ChaCha8Rng,
    /// Counts what was done, so that no value comes twice.
    deeds: u32,
    /// When the operator last wished or the device last reported something.
    pub last_wish: Duration,
    /// When the device was last moved to another hub.
    pub last_move: Duration,
    /// The device is refused until this time.
    blocking_until: Option<Duration>,
}

impl Operator {
    pub fn new(chance: ChaCha8Rng) -> Self {
        let never = Duration::ZERO;
        Self { chance, deeds: 0, last_wish: never, last_move: never, blocking_until: None }
    }

    /// Whether the device is refused on purpose.
    pub fn is_blocking(&self) -> bool {
        self.blocking_until.is_some()
    }

    /// One round: mostly nothing.
    pub fn act(&mut self, pair: &mut Pair) {
        if self.blocking_until.is_some_and(|until| until <= pair.now) {
            self.unblock(pair);
        }
        self.deeds += 1;
        match self.chance.random_range(0..1000) {
            0..50 => self.wish(pair),
            50..120 => self.report(pair),
            120..125 => self.throttle_twin(pair),
            125..129 => self.break_hub(pair),
            129..135 => self.break_dps(pair),
            135..138 => self.move_on(pair),
            138..140 => self.block(pair),
            140..142 => pair.reboot(),
            _ => {}
        }
    }

    /// Ends all that keeps the device away.
    pub fn make_peace(&mut self, pair: &Pair) {
        self.unblock(pair);
        pair.cloud.services.faults().clear_all();
    }

    fn wish(&mut self, pair: &Pair) {
        self.last_wish = pair.now;
        // Sometimes several at once.
        for _ in 0..self.chance.random_range(1..4) {
            let setting = SETTINGS[self.chance.random_range(0..SETTINGS.len())];
            // A hub does not tell a device of a deletion that deletes nothing.
            let is_there = pair.cloud.twin().1.contains_key(setting);
            let value = match self.chance.random_range(0..4) {
                0 if is_there => Value::Null,
                1 => json!({"of": self.deeds, (format!("mode{}", self.deeds % 3)): true}),
                _ => json!(self.chance.random_range(0..5)),
            };
            pair.cloud.desire(json!({ setting: value }));
        }
    }

    fn report(&mut self, pair: &mut Pair) {
        self.last_wish = pair.now;
        // Few values, so that what is wanted again was there before.
        for _ in 0..self.chance.random_range(1..3) {
            let status = match self.chance.random_range(0..3) {
                0 => json!({"sensors": {"ok": 2}}),
                1 => json!({"sensors": {"ok": 1, "broken": ["gps"]}}),
                _ => json!({"sensors": {"ok": 1}, "disk": "full"}),
            };
            pair.device.report(pair.now, Map::from_iter([("status".to_owned(), status)]));
            let pause = Duration::from_secs(20).mul_f64(self.chance.random());
            pair.run_for(pause);
        }
    }

    fn throttle_twin(&mut self, pair: &mut Pair) {
        let status = [429, 500, 503][self.chance.random_range(0..3)];
        let times = self.chance.random_range(1..8);
        pair.cloud.inject(FaultyService::AnyHub, FaultKind::TwinError { status }, times);
    }

    fn break_hub(&mut self, pair: &mut Pair) {
        let (kind, most) = match self.chance.random_range(0..4) {
            0 => (FaultKind::RefuseConnect { code: 3 }, 15),
            1 => (FaultKind::RefuseConnect { code: 5 }, 3),
            2 => (FaultKind::DropConnection, 3),
            _ => (FaultKind::GarbageBody, 3),
        };
        pair.cloud.inject(FaultyService::AnyHub, kind, self.chance.random_range(1..=most));
        // It shows when the device comes, or asks.
        if let Some(hub) = pair.cloud.home() {
            let _ = hub.drop_connection(DEVICE);
        }
    }

    /// Shows when the device asks the next time.
    fn break_dps(&mut self, pair: &mut Pair) {
        let retry_after = match self.chance.random_range(0..3) {
            0 => None,
            1 => Some(Duration::from_secs(self.chance.random_range(1..60))),
            _ => Some(Duration::from_secs(self.chance.random_range(60..300))),
        };
        let kind = match self.chance.random_range(0..5) {
            0 | 1 => FaultKind::DpsError { status: 429, retry_after },
            2 => FaultKind::DpsError { status: 503, retry_after },
            3 => FaultKind::GarbageBody,
            _ => FaultKind::NeverAssign,
        };
        pair.cloud.inject(FaultyService::Dps, kind, self.chance.random_range(1..12));
    }

    /// Another hub is to have the device. It learns that when the old one refuses it.
    fn move_on(&mut self, pair: &Pair) {
        let dps = pair.cloud.services.dps();
        // Not while it is refused, or has not yet made its last move.
        let settled = |hub: &Hub| !self.is_blocking() && is_linked(pair, hub);
        let Some(old) = pair.cloud.home().filter(settled) else { return };
        self.last_move = pair.now;
        let new = if old.name().starts_with("hub-1.") { "hub-2" } else { "hub-1" };
        dps.add_hub(new).unwrap();
        dps.unlink_hub(old.name()).unwrap();
        pair.cloud.turn_away(&old);
    }

    fn block(&mut self, pair: &Pair) {
        if self.is_blocking() {
            return;
        }
        self.blocking_until =
            Some(pair.now + Duration::from_hours(1).mul_f64(self.chance.random_range(1.0..24.0)));
        pair.cloud.services.dps().groups().disable(GROUP).unwrap();
        if let Some(hub) = pair.cloud.home() {
            hub.disable(DEVICE).unwrap();
        }
    }

    fn unblock(&mut self, pair: &Pair) {
        if self.blocking_until.take().is_none() {
            return;
        }
        pair.cloud.services.dps().groups().enable(GROUP).unwrap();
        if let Some(hub) = pair.cloud.home() {
            hub.enable(DEVICE).unwrap();
        }
    }
}

/// Whether DPS sends devices to this hub.
fn is_linked(pair: &Pair, hub: &Hub) -> bool {
    pair.cloud.services.dps().linked_hubs().iter().any(|linked| linked.name == hub.name())
}
