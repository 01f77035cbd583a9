//! How readings become messages: one each, or several in one where that saves.
//!
//! IoT Hub bills in blocks of 4 KB, and every message has a topic with its properties; a backlog of readings of some
//! 250 bytes is therefore sent as JSON arrays that stay within one block.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracker_protocol::hub::DeviceTopic;
use tracker_protocol::{PropertyBag, Publish};

use crate::clock::rfc3339;
use crate::journal::{Entry, Lease};

/// A hub bills messages in blocks of so many bytes, properties included.
const BLOCK: usize = 4096;
/// Room for the properties of a batch.
const PROPERTIES: usize = 160;
/// Most readings in one message, however well they compress.
const MOST: usize = 100;

/// Which readings share messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryMode {
    /// Readings that waited go out as JSON arrays.
    #[serde(alias = "batchBacklog")]
    pub batch_backlog: bool,
    /// Messages with several readings are compressed (`$.ce=gzip`).
    pub gzip: bool,
}

impl Default for DeliveryMode {
    fn default() -> Self {
        Self { batch_backlog: true, gzip: false }
    }
}

impl DeliveryMode {
    /// How many readings to lease when there is room for `messages`.
    pub fn readings(self, messages: usize) -> usize {
        match self {
            Self { batch_backlog: false, .. } => messages,
            Self { gzip: false, .. } => messages * (BLOCK / 200),
            Self { gzip: true, .. } => messages * MOST / 2,
        }
    }
}

/// A message, and the readings that its acknowledgement acknowledges.
#[derive(Debug)]
pub struct Message {
    /// Sequence numbers.
    pub seqs: Vec<u64>,
    /// What goes out.
    pub publish: Publish,
}

/// The messages for a lease: the newest reading by itself, the backlog as `mode` says.
pub fn messages(lease: Lease, device_id: &str, mode: DeliveryMode) -> Vec<Message> {
    let mut messages: Vec<Message> = lease.newest.iter().map(|entry| single(entry, device_id)).collect();
    if !mode.batch_backlog || lease.backlog.len() == 1 {
        messages.extend(lease.backlog.iter().map(|entry| single(entry, device_id)));
        return messages;
    }
    let mut batch = Batch::new(mode.gzip);
    for entry in lease.backlog {
        // An alert is a property of its message, for routing; it must not be hidden in a batch.
        if !entry.alerts.is_empty() {
            messages.push(single(&entry, device_id));
            continue;
        }
        let body = body(&entry);
        if !batch.takes(&body) {
            messages.extend(batch.finish(device_id));
            batch = Batch::new(mode.gzip);
        }
        batch.push(&entry, &body);
    }
    messages.extend(batch.finish(device_id));
    messages
}

/// One reading, one message.
fn single(entry: &Entry, device_id: &str) -> Message {
    let mut properties = properties(&entry.message_id, "utf-8");
    if let Some(time) = entry.time {
        properties = properties.with(PropertyBag::CREATION_TIME, rfc3339(time));
    }
    if !entry.alerts.is_empty() {
        properties = properties.with("alert", entry.alerts.join(","));
    }
    Message { seqs: vec![entry.seq], publish: publish(device_id, properties, body(entry)) }
}

fn properties(message_id: &str, encoding: &str) -> PropertyBag {
    PropertyBag::new()
        .with(PropertyBag::MESSAGE_ID, message_id)
        .with(PropertyBag::CONTENT_TYPE, "application/json")
        .with(PropertyBag::CONTENT_ENCODING, encoding)
}

fn publish(device_id: &str, properties: PropertyBag, payload: Vec<u8>) -> Publish {
    let topic = DeviceTopic::Telemetry { device_id: device_id.into(), properties };
    Publish { topic: topic.to_string(), payload }
}

/// The JSON object of a reading: its fields, its time or that it has none, its sequence number.
fn body(entry: &Entry) -> Vec<u8> {
    let mut body: Map<String, Value> = entry.fields.clone();
    if let Some(time) = entry.time {
        body.insert("time".into(), rfc3339(time).into());
    } else {
        body.insert("timeUnknown".into(), true.into());
        body.insert("uptime".into(), entry.uptime_s.into());
    }
    body.insert("seq".into(), entry.seq.into());
    // A map of JSON values always serialises.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// A JSON array that grows up to one billing block.
struct Batch {
    seqs: Vec<u64>,
    first_id: String,
    array: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Batch {
    fn new(gzip: bool) -> Self {
        let gzip = gzip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Self { seqs: Vec::new(), first_id: String::new(), array: Vec::new(), gzip }
    }

    fn takes(&self, body: &[u8]) -> bool {
        if self.seqs.is_empty() {
            return true;
        }
        // What is compressed can be known only when it is flushed, so the estimate is that of the worst reading: a
        // third of its length.
        let length = match &self.gzip {
            Some(gzip) => gzip.get_ref().len() + self.array.len() / 3 + body.len() / 3,
            None => self.array.len() + body.len() + 2,
        };
        self.seqs.len() < MOST && length + PROPERTIES <= BLOCK
    }

    fn push(&mut self, entry: &Entry, body: &[u8]) {
        if self.seqs.is_empty() {
            self.first_id.clone_from(&entry.message_id);
        }
        self.array.push(if self.seqs.is_empty() { b'[' } else { b',' });
        self.array.extend_from_slice(body);
        self.seqs.push(entry.seq);
    }

    fn finish(mut self, device_id: &str) -> Option<Message> {
        let last = *self.seqs.last()?;
        self.array.push(b']');
        let message_id = format!("{}-{last}", self.first_id);
        let compressed = self.gzip.and_then(|mut gzip| {
            gzip.write_all(&self.array).ok()?;
            gzip.finish().ok()
        });
        let (payload, encoding) = match compressed {
            Some(compressed) => (compressed, "gzip"),
            None => (self.array, "utf-8"),
        };
        Some(Message {
            seqs: self.seqs,
            publish: publish(device_id, properties(&message_id, encoding), payload),
        })
    }
}
