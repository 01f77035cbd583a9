//! What the hub has received: readings, out of messages of every shape, and whether one came twice.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;
use tracker_emulator::TelemetryMessage;
use tracker_protocol::PropertyBag;

use crate::lab::compact;

/// No message of a hub is larger, unpacked.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The readings in a message: one, or those of a batch; compact, compressed or not. What is no JSON is a null.
pub fn readings(message: &TelemetryMessage) -> Vec<Value> {
    let is_packed = message.properties.get(PropertyBag::CONTENT_ENCODING) == Some("gzip");
    readings_in(&message.body, is_packed)
}

/// The readings in a body, which may be compressed by gzip.
pub(crate) fn readings_in(body: &[u8], is_packed: bool) -> Vec<Value> {
    let mut plain = Vec::new();
    let is_unpacked = is_packed && GzDecoder::new(body).take(LARGEST).read_to_end(&mut plain).is_ok();
    match serde_json::from_slice(if is_unpacked { &plain } else { body }).unwrap_or(Value::Null) {
        Value::Array(readings) => readings,
        other => compact::readings(&other).unwrap_or_else(|| vec![other]),
    }
}

/// The readings that a hub has received, by device and sequence number.
#[derive(Debug, Default)]
pub struct Received {
    by_device: HashMap<String, HashSet<u64>>,
    /// Readings received again.
    pub duplicates: u64,
}

impl Received {
    /// Counts the readings of a message.
    pub fn count(&mut self, message: &TelemetryMessage) {
        let seqs = self.by_device.entry(message.device_id.clone()).or_default();
        for seq in readings(message).iter().filter_map(|reading| reading["seq"].as_u64()) {
            self.duplicates += u64::from(!seqs.insert(seq));
        }
    }

    /// Whether this reading of a device has come.
    pub fn has(&self, device: &str, seq: u64) -> bool {
        self.by_device.get(device).is_some_and(|seqs| seqs.contains(&seq))
    }

    /// How many different readings have come.
    pub fn distinct(&self) -> u64 {
        self.by_device.values().map(|seqs| seqs.len() as u64).sum()
    }

    /// The sequence numbers of a device.
    pub fn seqs(&self, device: &str) -> HashSet<u64> {
        self.by_device.get(device).cloned().unwrap_or_default()
    }
}
