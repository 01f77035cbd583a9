//! Which faults have struck, in their order: for tests to assert on.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

/// Strikes that are remembered; with more the oldest go.
const MAX_STRIKES: usize = 10_000;

/// A fault that has struck.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Strike {
    /// Counts from 1, in the order in which they struck.
    pub number: u64,
    /// The fault's own number.
    pub fault_id: u64,
    /// `dps`, or the host name of the hub.
    pub service: String,
    /// Registration ID, or device ID.
    pub device: String,
    /// What it was, as JSON: `{"fault":"latency","milliseconds":250}`.
    pub fault: Value,
}

/// The strikes.
#[derive(Debug, Default)]
pub(super) struct History {
    strikes: VecDeque<Strike>,
    numbers: u64,
}

impl History {
    pub(super) fn put(&mut self, fault_id: u64, (service, device): (&str, &str), fault: Value) {
        if self.strikes.len() >= MAX_STRIKES {
            self.strikes.pop_front();
        }
        self.numbers += 1;
        self.strikes.push_back(Strike {
            number: self.numbers,
            fault_id,
            service: service.to_owned(),
            device: device.chars().take(256).collect(),
            fault,
        });
    }

    pub(super) fn all(&self) -> Vec<Strike> {
        self.strikes.iter().cloned().collect()
    }

    pub(super) fn forget(&mut self) {
        self.strikes.clear();
        self.numbers = 0;
    }
}
