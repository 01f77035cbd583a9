//! What is wrong with a device, by what it says and by what hub and provisioning service know of it.

mod findings;
mod judge;
mod page;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(super) use findings::{Finding, Level};
pub(super) use judge::judge;
pub(super) use page::print;

/// What became of asking the device.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// What it knows of itself, the answer to `getDiagnostics`.
    Told(Value),
    /// It does not know the method: an agent of before.
    Older,
    /// It has answered something else.
    Odd { status: i64, words: String },
    /// It is not connected.
    Offline,
    /// It has not answered within so many seconds.
    Silent(u64),
    /// The hub lets it in no more.
    NotAsked,
}

/// All that is known of a device.
pub(super) struct Facts {
    pub(super) id: String,
    /// The name of its hub.
    pub(super) hub: String,
    pub(super) identity: Value,
    pub(super) twin: Value,
    /// A provisioning service was asked.
    pub(super) has_dps: bool,
    pub(super) registration: Option<Value>,
    /// Of its own.
    pub(super) enrollment: Option<Value>,
    pub(super) answer: Answer,
}

impl Facts {
    /// What its twin reports.
    fn reported(&self) -> &Value {
        &self.twin["properties"]["reported"]
    }

    /// What it has answered, or `Null`.
    fn told(&self) -> &Value {
        match &self.answer {
            Answer::Told(answer) => answer,
            _ => &Value::Null,
        }
    }

    /// What is the newest that is known of its parts: its answer, or else its twin.
    fn part(&self, name: &str) -> &Value {
        match &self.told()["status"][name] {
            Value::Null => &self.reported()[name],
            told => told,
        }
    }
}
