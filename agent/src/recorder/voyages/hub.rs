//! A hub that takes whatever comes, and what it has in the end: readings and events once each, and what verify says of them.

use std::collections::BTreeMap;

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tracker_protocol::hub::DeviceTopic;
use tracker_protocol::{PropertyBag, Publish};

use super::device::DEVICE;
use crate::verify::{Received, judge_by, read};
use tracker_evidence::PROPERTY;

/// What was received.
#[derive(Default)]
pub(super) struct Hub {
    messages: Vec<Received>,
    /// By the number of the reading in the story.
    pub(super) readings: BTreeMap<usize, Value>,
    /// By message ID.
    events: BTreeMap<String, Value>,
}

impl Hub {
    /// Takes a message. What comes again must be the same.
    pub(super) fn take(&mut self, publish: &Publish) {
        let DeviceTopic::Telemetry { properties, .. } = publish.topic.parse().unwrap() else { panic!() };
        let mut line = json!({"deviceId": DEVICE, "properties": {}});
        if let Some(hash) = properties.get(PROPERTY) {
            line["properties"][PROPERTY] = hash.into();
        }
        match serde_json::from_slice::<Value>(&publish.payload) {
            Ok(body) => line["body"] = body,
            Err(_) => {
                use base64::Engine;
                line["bodyBase64"] =
                    base64::engine::general_purpose::STANDARD.encode(&publish.payload).into();
            }
        }
        let [message] = &mut read(&line.to_string()).unwrap()[..] else { panic!("{line}") };
        for text in &message.bodies {
            let body: Value = serde_json::from_str(text).unwrap();
            if properties.get("messageType") == Some("event") {
                assert_eq!(properties.get("state"), body["state"].as_str(), "{body}");
                let id = properties.get(PropertyBag::MESSAGE_ID).unwrap().to_owned();
                assert_eq!(self.events.entry(id).or_insert_with(|| body.clone()), &body);
            } else if let Some(number) = body["n"].as_u64() {
                assert_eq!(self.readings.entry(number as usize).or_insert_with(|| body.clone()), &body);
            } else {
                assert!(body["evidence"].is_string(), "{body}");
            }
        }
        message.line = self.messages.len() + 1;
        self.messages.push(message.clone());
    }

    /// Events of this name (of an alarm, or `place`), in their order.
    pub(super) fn events(&self, kind: &str, name: &str) -> Vec<&Value> {
        let mut events: Vec<&Value> = self.events.values().filter(|body| body[kind] == name).collect();
        events.sort_by_key(|body| body["seq"].as_u64());
        events
    }

    /// How many there are, of whatever kind.
    pub(super) fn told(&self) -> usize {
        self.events.len()
    }

    /// What `verify --roots` says.
    pub(super) fn verdict(&self, root: &CertificateDer<'static>) -> Value {
        judge_by(DEVICE, self.messages.clone(), vec![root.clone()])
    }
}
