//! What is told to the cloud by a message of its own: that something began, became worse or ended.
//!
//! Who finds something out makes an `EventMessage`; it goes into the journal in one transaction with the reading that showed
//! it and with the state that then holds (`journal::Bundle`), and is sent before anything that waits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::platform::clock::rfc3339;

/// An event, as it is kept and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct EventMessage {
    /// What says for whom it is.
    pub head: EventHead,
    /// The members of its body but the moments, `time` and `seq`: a JSON object. `state` is among them, and is in no reading: by
    /// that a record of bodies alone tells events from readings.
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
    /// The same, of which UTC is known and how long ago they were is not: milliseconds since 1970.
    #[serde(rename = "u", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<String, i64>,
    /// What it means for the trip. It is kept and not sent: so the trip turns where the event stands, whatever happens on the
    /// way.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// What an event means for the trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Turn {
    /// One begins by these terms, unless one is under way that somebody has begun.
    Begin(Map<String, Value>),
    /// The one under way ends with the reading that comes next.
    End,
}

/// When something was, as seen from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds before.
    Ago(i64),
    /// Then, in milliseconds since 1970; in an earlier boot, and nobody knows yet how long ago that is.
    Utc(i64),
}

/// The moment at which what an event is about began, and the one at which it ended.
const BEGIN: &str = "begin";
const END: &str = "end";

impl EventHead {
    /// Members of the body, each with a comma behind it: the moments of an event of this time; and where one is `begin` the
    /// `duration` until `end`, or until the event, in seconds.
    pub fn members(&self, time: Option<DateTime<Utc>>) -> String {
        let names = self.moments.keys().chain(self.known.keys());
        let mut text = String::new();
        for name in names {
            if let Some(moment) = self.utc_ms(name, time).and_then(DateTime::from_timestamp_millis) {
                text += &format!("\"{name}\":\"{}\",", rfc3339(moment));
            }
        }
        if let Some(ms) = self.duration_ms(time) {
            text += &match ms % 1000 {
                0 => format!("\"duration\":{},", ms / 1000),
                _ => format!("\"duration\":{:?},", ms as f64 / 1000.0),
            };
        }
        text
    }

    fn utc_ms(&self, name: &str, time: Option<DateTime<Utc>>) -> Option<i64> {
        let ago = || time?.timestamp_millis().checked_sub(*self.moments.get(name)?);
        self.known.get(name).copied().or_else(ago)
    }

    fn duration_ms(&self, time: Option<DateTime<Utc>>) -> Option<i64> {
        let has_end = self.moments.contains_key(END) || self.known.contains_key(END);
        let ago = |name: &str| self.moments.get(name);
        if let Some(begin) = ago(BEGIN) {
            return Some(begin - if has_end { *ago(END)? } else { 0 });
        }
        let end = if has_end { self.utc_ms(END, time) } else { time.map(|time| time.timestamp_millis()) };
        Some(end? - self.known.get(BEGIN)?)
    }
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

    /// Adds a member of the body that is a moment.
    pub fn moment(&mut self, member: &str, when: When) {
        match when {
            When::Ago(ms) => self.head.moments.insert(member.into(), ms),
            When::Utc(ms) => self.head.known.insert(member.into(), ms),
        };
    }
}
