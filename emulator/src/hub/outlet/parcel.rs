//! What is on its way to a target.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::wire_time;

/// One JSON object to be delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct Parcel {
    /// The object, as text.
    pub payload: String,
    /// When it was offered, by the emulator's clock.
    #[serde(with = "wire_time")]
    pub published: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
}

/// The same, as it is kept over a restart.
pub(in crate::hub) type KeptParcel = Parcel;

impl Parcel {
    pub(in crate::hub) fn new(payload: &Value, published: DateTime<Utc>) -> Self {
        Self { payload: payload.to_string(), published, attempts: 0 }
    }

    /// What it takes of memory, near enough.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.payload.len()
    }

    /// Itself with the reasons, as Event Grid writes dead letters.
    pub(super) fn dead_letter(
        &self,
        reason: DeadReason,
        outcome: &str,
        last_attempt: Option<DateTime<Utc>>,
    ) -> String {
        let mut letter: Value = serde_json::from_str(&self.payload).unwrap_or_else(|_| json!({}));
        letter["deadLetterReason"] = reason.text().into();
        letter["deliveryAttempts"] = self.attempts.into();
        letter["lastDeliveryOutcome"] = outcome.into();
        letter["publishTime"] = wire_time::print(self.published).into();
        letter["lastDeliveryAttemptTime"] = last_attempt.map(wire_time::print).into();
        letter.to_string()
    }
}

/// Why something is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeadReason {
    Attempts,
    Age,
    /// The target says that it will never take it.
    Refused,
    /// More waits than the emulator keeps.
    Full,
}

impl DeadReason {
    fn text(self) -> &'static str {
        match self {
            Self::Attempts => "MaxDeliveryAttemptsExceeded",
            Self::Age => "TimeToLiveExceeded",
            Self::Refused => "UndeliverableDueToClientError",
            Self::Full => "QueueFull",
        }
    }
}
