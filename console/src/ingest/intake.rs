//! Messages and events, as they change the fleet and the history.

use std::sync::Mutex;

use crate::fleet::{Fleet, Taken};
use crate::history::History;
use crate::lock::lock;
use crate::model::{CloudEvent, Message};
use crate::telemetry::{self, Notice, Said};

/// Takes messages in their order; gives how many of them were nothing that can be read.
pub(super) fn messages(messages: &[Message], fleet: &Mutex<Fleet>, history: &History) -> u64 {
    // Read before the fleet is locked: who asks for rows does not wait for that.
    let said: Vec<Said> = messages
        .iter()
        .map(|message| telemetry::read(&message.body, &message.properties, message.enqueued))
        .collect();
    let mut unreadable = 0;
    let mut fleet = lock(fleet);
    for (message, said) in messages.iter().zip(said) {
        let Message { hub, device, enqueued, properties, .. } = message;
        let container = properties.get("containerNumber").map(String::as_str);
        fleet.heard(device, hub, container, *enqueued);
        unreadable += u64::from(said.is_unreadable);
        let mut readings = said.readings;
        readings.retain(|reading| match fleet.reading(device, reading, *enqueued) {
            Taken::Again => false,
            Taken::New => true,
            Taken::Door(entry) => {
                history.tell(*entry);
                true
            }
        });
        if !readings.is_empty() {
            history.take(device, readings);
        }
        if let Some(notice) = said.notice {
            if let Some(entry) = fleet.notice(device, &notice) {
                history.tell(entry);
            }
            match notice {
                Notice::Alarm(alarm) => history.alarm(device, alarm),
                Notice::Trip(trip) => history.trip(device, trip),
                Notice::Passage(_) => {}
            }
        }
    }
    unreadable
}

/// Takes events in their order; gives the devices whose twins may have changed by them.
pub(super) fn events(events: &[CloudEvent], fleet: &Mutex<Fleet>, history: &History) -> Vec<String> {
    let mut fleet = lock(fleet);
    let mut changed = Vec::new();
    for event in events {
        if let Some(entry) = fleet.cloud_event(event) {
            history.tell(entry);
        }
        if matches!(event.kind.as_str(), "reported" | "assigned" | "deviceConnected") {
            changed.push(event.device.clone());
        }
    }
    changed
}
