//! A network whose weather is a handful of fields.
//!
//! A connection delivers in order, as TCP does, and nothing of it is lost but by an outage, which cuts it: what was on its
//! way is gone (clean session). `loss`, `reordering` and `duplicates` stand for what services and brokers do behind such a
//! connection: an answer that never comes, a push that overtakes an answer, a message delivered twice. A push of desired
//! properties has `QoS` 1 and is not lost while its connection stands.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::wire::{Packet, Way};

/// A message that is overtaken comes so much later at the most.
const OVERTAKEN_BY: Duration = Duration::from_secs(5);
const PUSH: &str = "$iothub/twin/PATCH/properties/desired/";

/// The weather between device and cloud.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// One way, for every packet.
    pub latency: Duration,
    /// Added at random, at the most.
    pub jitter: Duration,
    /// The share of messages that get lost; pushes of desired properties never do.
    pub loss: f64,
    /// The share of messages that are overtaken by later ones.
    pub reordering: f64,
    /// The share of messages from the cloud that arrive twice. A device with clean sessions sends nothing twice.
    pub duplicates: f64,
    /// When nothing gets through; in order, apart from each other.
    pub outages: Vec<Range<Duration>>,
    /// The kernel tells when an outage is over.
    pub tells_of_links: bool,
    /// When this network last lost a message.
    pub last_loss: Duration,
    /// What was decided and has not happened yet.
    pub fates: Vec<(Way, String, Fate)>,
}

/// What befalls one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives so much later; others overtake it.
    Late(Duration),
    /// It arrives twice, the second time so much later.
    Twice(Duration),
}

/// One connection, as the network sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wire {
    /// Nothing goes through any more.
    pub is_cut: bool,
    /// When the last packet arrives, by the way it goes.
    last: [Duration; 2],
}

impl Network {
    /// A network with this latency and no troubles.
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// Decides on the next message whose topic begins so. Those decided first go first.
    pub fn decide(&mut self, way: Way, topic: &str, fate: Fate) {
        self.fates.push((way, topic.into(), fate));
    }

    /// Whether all that was decided has happened.
    pub fn has_played(&self) -> bool {
        self.fates.is_empty()
    }

    /// The outage that lasts, or the next one.
    pub fn outage_from(&self, now: Duration) -> Option<&Range<Duration>> {
        self.outages.get(self.outages.partition_point(|outage| outage.end <= now))
    }

    /// Whether nothing gets through.
    pub fn is_out(&self, now: Duration) -> bool {
        self.outage_from(now).is_some_and(|outage| outage.contains(&now))
    }

    /// When a packet that is sent now arrives: never, once, or more often.
    pub fn send(
        &mut self,
        wire: &mut Wire,
        now: Duration,
        way: Way,
        packet: &Packet,
        random: &mut ChaCha8Rng,
    ) -> Vec<Duration> {
        if wire.is_cut {
            return Vec::new();
        }
        let travel = self.latency + self.jitter.mul_f64(random.random());
        let last = &mut wire.last[way as usize];
        let in_order = (now + travel).max(*last);
        let Some(topic) = packet.topic() else {
            *last = in_order;
            return vec![in_order];
        };
        match self.fate(way, topic, random) {
            Some(Fate::Lost) => {
                self.last_loss = now;
                Vec::new()
            }
            Some(Fate::Late(delay)) => vec![now + travel + delay],
            Some(Fate::Twice(delay)) => {
                *last = in_order;
                vec![in_order, in_order + delay]
            }
            None => {
                *last = in_order;
                vec![in_order]
            }
        }
    }

    fn fate(&mut self, way: Way, topic: &str, random: &mut ChaCha8Rng) -> Option<Fate> {
        let decided = |(of, prefix, _): &(Way, String, Fate)| *of == way && topic.starts_with(prefix);
        if let Some(index) = self.fates.iter().position(decided) {
            return Some(self.fates.remove(index).2);
        }
        // Drawn always, so that one rate does not change what another one meets.
        let [loss, reordering, duplicates, delay] = random.random::<[f64; 4]>();
        if loss < self.loss && !topic.starts_with(PUSH) {
            Some(Fate::Lost)
        } else if reordering < self.reordering {
            Some(Fate::Late(OVERTAKEN_BY.mul_f64(delay)))
        } else if duplicates < self.duplicates && way == Way::Down {
            Some(Fate::Twice(OVERTAKEN_BY.mul_f64(delay)))
        } else {
            None
        }
    }
}
