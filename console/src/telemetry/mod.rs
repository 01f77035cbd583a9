//! What messages of devices say: readings, events, trips. Pure, and of good cheer whatever devices send: a value that can't be
//! true is absent, as is one of another type, and a body that is nothing of all this is counted by who asks.
//!
//! A body is read once, without building a tree of it; only events and statements, which are few, are.

mod field;
mod notice;
mod reading;
mod text;

pub(crate) use field::{Field, SUMMARIES, Values};
pub(crate) use notice::{Alarm, AlarmState, Notice, Passage, Trip};
pub(crate) use reading::Reading;
pub(crate) use text::{clipped, moment};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use reading::{Item, items};

/// What one message says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// Readings, in the order of the body.
    pub(crate) readings: Vec<Reading>,
    /// Something that happened.
    pub(crate) notice: Option<Notice>,
    /// Whether the body is nothing that can be read.
    pub(crate) is_unreadable: bool,
}

/// Reads a message that the hub took at `enqueued`.
pub(crate) fn read(body: &[u8], properties: &BTreeMap<String, String>, enqueued: DateTime<Utc>) -> Said {
    let kind = properties.get("messageType").map(String::as_str);
    if matches!(kind, Some("event" | "evidence")) {
        return special(body, properties, enqueued);
    }
    let Some(items) = items(body) else { return Said { is_unreadable: true, ..Said::default() } };
    if items.iter().any(Item::is_special) {
        return special(body, properties, enqueued);
    }
    let readings = items.into_iter().filter_map(|item| item.reading(enqueued)).collect();
    Said { readings, ..Said::default() }
}

fn special(body: &[u8], properties: &BTreeMap<String, String>, enqueued: DateTime<Utc>) -> Said {
    match serde_json::from_slice(body) {
        Ok(body) => Said { notice: notice::read(&body, properties, enqueued), ..Said::default() },
        Err(_) => Said { is_unreadable: true, ..Said::default() },
    }
}

#[cfg(test)]
mod tests;
