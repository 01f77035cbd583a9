//! What is known of a device: by its own word, its hub's and the provisioning service's.

use serde_json::Value;

/// What became of asking the device.
#[derive(Debug, PartialEq)]
pub(in crate::cli::cloud) enum Answer {
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
pub(in crate::cli::cloud) struct Facts {
    pub(in crate::cli::cloud) id: String,
    /// The name of its hub.
    pub(in crate::cli::cloud) hub: String,
    pub(in crate::cli::cloud) identity: Value,
    pub(in crate::cli::cloud) twin: Value,
    /// A provisioning service was asked.
    pub(in crate::cli::cloud) has_dps: bool,
    pub(in crate::cli::cloud) registration: Option<Value>,
    /// Of its own.
    pub(in crate::cli::cloud) enrollment: Option<Value>,
    pub(in crate::cli::cloud) answer: Answer,
}

impl Facts {
    /// What its twin reports.
    pub(super) fn reported(&self) -> &Value {
        &self.twin["properties"]["reported"]
    }

    /// What it has answered, or `Null`.
    pub(super) fn told(&self) -> &Value {
        match &self.answer {
            Answer::Told(answer) => answer,
            _ => &Value::Null,
        }
    }

    /// What is the newest that is known of its parts: its answer, or else its twin.
    pub(super) fn part(&self, name: &str) -> &Value {
        match &self.told()["status"][name] {
            Value::Null => &self.reported()[name],
            told => told,
        }
    }
}

/// Whether Azure means that this has not happened.
pub(super) fn never(time: &Value) -> bool {
    time.as_str().is_none_or(|time| time.starts_with("0001-01-01"))
}
