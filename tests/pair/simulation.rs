//! Device, network and cloud on one clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tracker_emulator::{EmulatorOptions, Hub};

use super::cloud::CloudEnd;
use super::device::Device;
use super::network::{Network, Wire};
use super::wire::{ConnectionId, Packet, Way};

/// Until a device that hears nothing pings, its keep-alive; and until it gives up waiting for the answer.
const KEEP_ALIVE: Duration = Duration::from_secs(230);
const PONG_WITHIN: Duration = Duration::from_secs(30);
/// More steps at the same moment mean that nothing moves time on.
const MOST_AT_ONCE: u32 = 10_000;

/// A device and its cloud.
pub struct Pair {
    /// Since the beginning.
    pub now: Duration,
    pub network: Network,
    pub device: Device,
    pub cloud: CloudEnd,
    random: ChaCha8Rng,
    wires: BTreeMap<ConnectionId, Wire>,
    queue: BinaryHeap<Reverse<Due>>,
    /// Everything in the queue is numbered, so that what is due at the same moment keeps its order.
    queued: u64,
    at_once: u32,
}

/// Something that will happen: when, its number, and what.
#[derive(Debug, PartialEq, Eq)]
struct Due(Duration, u64, Happening);

#[derive(Debug, PartialEq, Eq)]
enum Happening {
    Arrives(ConnectionId, Way, Packet),
    /// The end to which this way leads finds that the connection is dead.
    IsMissed(ConnectionId, Way),
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Pair {
    /// A new device, and a cloud that takes it at once.
    pub fn new(seed: u64, network: Network) -> Self {
        let options = EmulatorOptions { assigning_time: Duration::ZERO, ..EmulatorOptions::default() };
        Self::with(seed, network, &options)
    }

    /// A new device, and a cloud of these options.
    pub fn with(seed: u64, network: Network, options: &EmulatorOptions) -> Self {
        Self {
            now: Duration::ZERO,
            network,
            device: Device::new(!seed),
            cloud: CloudEnd::new(options),
            random: ChaCha8Rng::seed_from_u64(seed),
            wires: BTreeMap::new(),
            queue: BinaryHeap::new(),
            queued: 0,
            at_once: 0,
        }
    }

    /// Goes to the next moment at which something is due, if that is not after `limit`, and does it.
    pub fn step(&mut self, limit: Duration) -> bool {
        self.send();
        let arrival = self.queue.peek().map_or(Duration::MAX, |Reverse(due)| due.0);
        let turn = self.next_turn().unwrap_or(Duration::MAX);
        let next = arrival.min(turn).min(self.device.deadline()).max(self.now);
        if next > limit {
            return false;
        }
        self.at_once = if next > self.now { 0 } else { self.at_once + 1 };
        assert!(self.at_once < MOST_AT_ONCE, "the simulation stands still at {:?}", self.now);
        self.now = next;
        self.cloud.set_time(next);
        if turn <= next {
            self.turn();
        }
        if arrival <= next {
            if let Some(Reverse(Due(_, _, happening))) = self.queue.pop() {
                self.happen(happening);
            }
        } else if self.device.deadline() <= next {
            self.device.tick(next);
        }
        true
    }

    /// Goes to this time.
    pub fn run_until(&mut self, time: Duration) {
        while self.step(time) {}
        self.now = time;
        self.cloud.set_time(time);
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, length: Duration) {
        self.run_until(self.now + length);
    }

    /// Goes on until `reached`, and gives the time; panics if that takes longer than `within`.
    pub fn run_while(&mut self, within: Duration, goes_on: impl Fn(&Self) -> bool) -> Duration {
        let limit = self.now + within;
        while goes_on(self) {
            assert!(self.step(limit), "not reached within {within:?}: {:?}", self.device.log);
        }
        self.now
    }

    /// The power of the device is cut and comes back.
    pub fn reboot(&mut self) {
        self.cut(self.device.connection);
        self.device.reboot(self.now, Duration::from_mins(1).mul_f64(self.random.random()));
    }

    /// What differs between what the device holds and what its hub holds.
    pub fn difference(&self) -> Option<String> {
        let Device { life, log, wish, twin, .. } = &self.device;
        if !self.device.is_online() {
            return Some(format!("not online: {:?}, next {:?}", life.state(), life.next()));
        }
        let (version, desired, reported) = self.cloud.twin();
        if log.version() != version {
            return Some(format!("version {} instead of {version} ({desired:?})", log.version()));
        }
        if *wish != reported || !twin.is_reported() {
            return Some(format!("{reported:?} at the hub instead of {wish:?} ({})", twin.is_reported()));
        }
        let hub = life.assignment().map(|assignment| assignment.hub.as_str());
        let home = self.cloud.home();
        let home = home.as_ref().map(Hub::name);
        (hub != home).then(|| format!("at {hub:?} instead of {home:?}"))
    }

    /// When an outage begins or ends next.
    fn next_turn(&self) -> Option<Duration> {
        let outage = self.network.outage_from(self.now)?;
        Some(if outage.start > self.now { outage.start } else { outage.end })
    }

    fn turn(&mut self) {
        if self.network.is_out(self.now) {
            let newest = self.device.connection;
            self.cloud.connections().into_iter().for_each(|connection| self.cut(connection));
            self.cut(newest);
            let missed = self.now + PONG_WITHIN + KEEP_ALIVE.mul_f64(self.random.random());
            self.put(missed, Happening::IsMissed(newest, Way::Down));
        } else if self.network.tells_of_links {
            self.device.link_is_up(self.now);
        }
    }

    /// A connection passes nothing any more. The cloud finds out after one and a half keep-alives.
    fn cut(&mut self, connection: ConnectionId) {
        let wire = self.wires.entry(connection).or_default();
        if !std::mem::replace(&mut wire.is_cut, true) {
            let missed = self.now + KEEP_ALIVE.mul_f64(0.5 + self.random.random::<f64>());
            self.put(missed, Happening::IsMissed(connection, Way::Up));
        }
    }

    fn put(&mut self, at: Duration, happening: Happening) {
        self.queued += 1;
        self.queue.push(Reverse(Due(at, self.queued, happening)));
    }

    fn happen(&mut self, happening: Happening) {
        let newest = self.device.connection;
        match happening {
            Happening::Arrives(connection, ..) if self.wires[&connection].is_cut => {}
            Happening::Arrives(connection, Way::Up, packet) => self.cloud.receive(connection, packet),
            Happening::Arrives(connection, Way::Down, packet) if connection == newest => {
                self.device.receive(self.now, packet);
            }
            Happening::IsMissed(connection, Way::Up) => self.cloud.lose(connection),
            Happening::IsMissed(connection, Way::Down) if connection == newest => {
                self.device.lose(self.now);
            }
            // An old connection, which the device has given up.
            Happening::Arrives(..) | Happening::IsMissed(..) => {}
        }
    }

    /// Hands to the network what both ends have to send.
    fn send(&mut self) {
        self.cloud.poll();
        let up = self.device.outbox.drain(..).map(|(connection, packet)| (connection, Way::Up, packet));
        let down = self.cloud.outbox.drain(..).map(|(connection, packet)| (connection, Way::Down, packet));
        for (connection, way, packet) in up.chain(down).collect::<Vec<_>>() {
            let is_out = self.network.is_out(self.now);
            let wire = self.wires.entry(connection).or_default();
            wire.is_cut |= is_out;
            for at in self.network.send(wire, self.now, way, &packet, &mut self.random) {
                self.put(at, Happening::Arrives(connection, way, packet.clone()));
            }
        }
    }
}
