//! What is told to the cloud by a message of its own: that something began, became worse or ended.
//!
//! Who finds something out makes an [`EventMessage`]; it goes into the journal in one transaction with the reading that showed
//! it and with the state that then holds (`journal::Bundle`), and is sent before anything that waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An event, as it is kept and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct EventMessage {
    /// What says for whom it is.
    pub head: EventHead,
    /// The members of its body but the moments, `time` and `seq`: a JSON object.
    pub fields: String,
}

/// What stands around the body of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHead {
    /// Application properties beside `messageType=event`, by which routes choose.
    #[serde(rename = "e")]
    pub properties: BTreeMap<String, String>,
    /// Members of the body that are moments, in milliseconds before the event: they get their times with it, as those may
    /// become known only later. Where the event's time never becomes known they are left out.
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moments: BTreeMap<String, i64>,
}

impl EventMessage {
    /// That `name`, of this kind (`alarm`, `place`, `trip` …), is in this state; `fields` are a JSON object.
    pub fn new(kind: &str, name: &str, state: &str, fields: String) -> Self {
        let mut event = Self { head: EventHead::default(), fields };
        event.set(kind, name);
        event.set("state", state);
        event
    }

    /// Adds an application property, or replaces it.
    pub fn set(&mut self, property: &str, value: &str) {
        self.head.properties.insert(property.into(), value.into());
    }

    /// Adds a member of the body that is the moment so many milliseconds before the event.
    pub fn moment(&mut self, member: &str, ms_before: i64) {
        self.head.moments.insert(member.into(), ms_before);
    }
}
