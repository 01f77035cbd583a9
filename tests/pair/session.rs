//! The device at its hub: what it does with its twin.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value};
use tracker_protocol::hub::{AckCode, Acknowledgement, CloudTopic, TwinEvent, TwinStep};

use super::device::{Device, Stage};
use super::wire::Packet;

/// The desired properties that the device knows.
pub const SETTINGS: [&str; 3] = ["telemetryInterval", "firmware", "delivery"];

impl Device {
    pub(super) fn hub_said(&mut self, now: Duration, topic: &str, payload: &[u8]) {
        match topic.parse::<CloudTopic>().unwrap() {
            CloudTopic::TwinResponse { status, request_id, .. } => {
                self.follow(now, TwinEvent::Response { status, request_id: &request_id, payload });
            }
            CloudTopic::DesiredPatch { version } => {
                self.follow(now, TwinEvent::Desired { version, payload });
            }
            other => panic!("nobody asked for {other}"),
        }
    }

    pub(super) fn follow(&mut self, now: Duration, event: TwinEvent<'_>) {
        let steps = self.twin.handle(now, event);
        self.take(now, steps);
    }

    /// Wants properties reported, in its next session if there is none; a null is not to be there.
    pub fn report(&mut self, now: Duration, properties: Map<String, Value>) {
        let steps = self.want(now, properties);
        self.take(now, steps);
    }

    fn want(&mut self, now: Duration, properties: Map<String, Value>) -> Vec<TwinStep> {
        self.wish.extend(properties.clone());
        self.wish.retain(|_, value| !value.is_null());
        let is_connected = matches!(self.stage, Stage::Session(_));
        if is_connected { self.twin.report(now, properties) } else { Vec::new() }
    }

    /// Does what the twin client says, in its order, and what comes of that.
    fn take(&mut self, now: Duration, steps: Vec<TwinStep>) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                TwinStep::Publish(publish) => {
                    assert!(self.is_online(), "asked before the answer has a way: {publish:?}");
                    self.log.hub_asked(now, &publish);
                    self.send(Packet::Publish(publish));
                }
                TwinStep::Fault(fault) => self.log.twin_faults.push(fault),
                TwinStep::Desired { properties, version, .. } => {
                    self.log.applied.push((now, version));
                    let mut answers = answers(&properties, version);
                    // With every answer the device says all else that it wants known, as after a restart.
                    answers.extend(self.wish.iter().filter(|(key, _)| *key == "status").map(own));
                    steps.extend(self.want(now, answers));
                }
            }
        }
    }
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The answers to the settings desired; those that are not desired are not answered.
fn answers(desired: &Map<String, Value>, version: u64) -> Map<String, Value> {
    let answer = |key: &str| match desired.get(key) {
        Some(value) => Acknowledgement {
            value: value.clone(),
            code: AckCode::Applied,
            version,
            description: "applied".into(),
        }
        .to_value(),
        None => Value::Null,
    };
    SETTINGS.iter().map(|key| ((*key).to_owned(), answer(key))).collect()
}
