//! What messages of devices say: readings, events, trips. Pure, and of good cheer whatever devices send: a value that can't be
//! true is absent, as is one of another type, and a body that is nothing of all this is counted by who asks.
//!
//! A body is read once, without building a tree of it; only events and statements, which are few, are.

mod field;
mod notice;
mod reading;

pub(crate) use field::{Field, SUMMARIES, Values};
pub(crate) use notice::{Alarm, AlarmState, Notice, Passage, Trip};
pub(crate) use reading::Reading;

use std::borrow::Cow;
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

/// A text of a stranger, at most this long.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A moment in milliseconds since 1970, where it can be one of a reading: clocks that were never set begin in 1970, and those
/// that lost their battery in 2000.
pub(crate) fn moment(text: &str) -> Option<i64> {
    const FIRST: i64 = 1_420_070_400_000;
    const LAST: i64 = 4_102_444_800_000;
    let ms = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (FIRST..LAST).contains(&ms).then_some(ms)
}

#[cfg(test)]
mod tests;
