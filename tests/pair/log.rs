//! What a device did and heard, for the assertions.

use std::time::Duration;

use tracker_protocol::Publish;
use tracker_protocol::dps::{Outcome, Request, Response};

use super::wire::Peer;

const HOUR: Duration = Duration::from_hours(1);

/// The log of one device.
#[derive(Debug, Default)]
pub struct Log {
    /// When it connected to DPS, or tried to.
    pub dps_attempts: Vec<Duration>,
    /// When it connected to a hub, or tried to.
    pub hub_attempts: Vec<Duration>,
    /// Requests to DPS: when, and their topics.
    pub dps_requests: Vec<(Duration, String)>,
    /// Requests to DPS that came sooner than it had asked: when, and when they were welcome.
    pub early: Vec<(Duration, Duration)>,
    /// How registrations ended that DPS had a say in.
    pub outcomes: Vec<Outcome>,
    /// Twin requests: when, and what.
    pub twin_requests: Vec<(Duration, Publish)>,
    /// What the twin client complained of.
    pub twin_faults: Vec<String>,
    /// The desired versions put in force, and when.
    pub applied: Vec<(Duration, u64)>,
    /// When the power came back after a cut.
    pub boots: Vec<Duration>,
    /// DPS wants no request before.
    welcome: Duration,
    /// The newest request to DPS has its answer.
    is_answered: bool,
}

impl Log {
    pub(super) fn attempt(&mut self, now: Duration, peer: &Peer) {
        match peer {
            Peer::Dps => self.dps_attempts.push(now),
            Peer::Hub(_) => self.hub_attempts.push(now),
        }
    }

    pub(super) fn dps_asked(&mut self, now: Duration, topic: &str) {
        self.dps_requests.push((now, topic.into()));
        self.is_answered = false;
        if now < self.welcome {
            self.early.push((now, self.welcome));
        }
    }

    /// Only the first answer counts, and only if it is to the newest request.
    pub(super) fn dps_answered(&mut self, now: Duration, topic: &str) {
        let response: Response = topic.parse().unwrap();
        let awaited = self.dps_requests.last().map(|(_, topic)| match topic.parse().unwrap() {
            Request::Register { request_id } | Request::Poll { request_id, .. } => request_id,
        });
        if awaited == Some(response.request_id) && !std::mem::replace(&mut self.is_answered, true) {
            self.welcome = self.welcome.max(now + response.retry_after.unwrap_or_default());
        }
    }

    /// A device that was without power knows nothing of what DPS has asked for.
    pub(super) fn rebooted(&mut self, now: Duration) {
        self.boots.push(now);
        self.welcome = Duration::ZERO;
    }

    pub(super) fn hub_asked(&mut self, now: Duration, publish: &Publish) {
        self.twin_requests.push((now, publish.clone()));
    }

    /// The version in force, 0 before the first.
    pub fn version(&self) -> u64 {
        self.applied.last().map_or(0, |(_, version)| *version)
    }

    /// The versions put in force, in order.
    pub fn versions(&self) -> Vec<u64> {
        self.applied.iter().map(|(_, version)| *version).collect()
    }
}

/// The attempts in the busiest hour of all. An hour ends at a boot: a device that was without power begins anew.
pub fn busiest_hour(attempts: &[Duration], boots: &[Duration]) -> usize {
    let is_same_hour = |first: Duration, at: Duration| {
        at - first < HOUR && !boots.iter().any(|boot| (first..at).contains(boot))
    };
    let mut first = 0;
    let mut busiest = 0;
    for (last, at) in attempts.iter().enumerate() {
        while !is_same_hour(attempts[first], *at) {
            first += 1;
        }
        busiest = busiest.max(last + 1 - first);
    }
    busiest
}
