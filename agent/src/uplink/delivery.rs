//! How readings become messages: one each, or several in one where that saves.
//!
//! IoT Hub bills in blocks of 4 KB, and every message has a topic with its properties; a backlog of readings of some
//! 250 bytes is therefore sent as JSON arrays that stay within one block.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use tracker_protocol::hub::json_telemetry;
use tracker_protocol::{PropertyBag, Publish};

use crate::config::DeliveryMode;
use crate::journal::{Entry, Lease};
use crate::platform::clock::rfc3339;
use crate::uplink::compact;
use tracker_evidence::{Hash, PROPERTY, is_statement};

/// A hub bills messages in blocks of so many bytes, properties included.
const BLOCK: usize = 4096;
/// Room for the properties of a batch.
const PROPERTIES: usize = 160;
/// Room for a hash of the chain among them.
const CHAIN: usize = 52;
/// What a message is that carries no reading but what the device states.
const STATEMENT: &str = "evidence";
/// The same of what is told by a message of its own.
const EVENT: &str = "event";
/// Most readings in one message, however well they compress; and as columns, which are smaller still.
const MOST: usize = 100;
const MOST_COMPACT: usize = 200;
/// Bytes of a reading without a position, with the comma after it: no more of them than this makes fit in a block.
const LEAST_READING: usize = 200;
/// Readings with a position that fit in a block once they are compressed, roughly.
const USUAL_COMPRESSED: usize = MOST * 3 / 5;

/// Bytes of a reading in columns, roughly.
const USUAL_COMPACT: usize = 60;

/// How many readings to lease when there is room for `messages`.
pub fn readings(mode: DeliveryMode, messages: usize) -> usize {
    match mode {
        DeliveryMode { batch_backlog: false, .. } => messages,
        DeliveryMode { compact: true, gzip: true, .. } => messages * MOST_COMPACT,
        DeliveryMode { compact: true, gzip: false, .. } => messages * (BLOCK / USUAL_COMPACT),
        DeliveryMode { gzip: false, .. } => messages * (BLOCK / LEAST_READING),
        DeliveryMode { gzip: true, .. } => messages * USUAL_COMPRESSED,
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

/// Whose messages they are, as every one of them says.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Of the hub.
    pub device_id: &'a str,
    /// Of the container, where it is known: an application property.
    pub container_number: Option<&'a str>,
}

impl<'a> From<&'a str> for Origin<'a> {
    fn from(device_id: &'a str) -> Self {
        Self { device_id, container_number: None }
    }
}

impl<'a> Origin<'a> {
    fn container(self) -> Option<(&'static str, &'a str)> {
        self.container_number.map(|number| ("containerNumber", number))
    }
}

/// The messages for a lease: the newest reading by itself, the backlog as `mode` says.
pub fn messages<'a>(lease: Lease, origin: impl Into<Origin<'a>>, mode: DeliveryMode) -> Vec<Message> {
    messages_of(lease, origin.into(), mode)
}

fn messages_of(lease: Lease, origin: Origin<'_>, mode: DeliveryMode) -> Vec<Message> {
    let mut messages: Vec<Message> = lease.newest.iter().map(|entry| single(entry, origin, mode)).collect();
    if !mode.batch_backlog {
        messages.extend(lease.backlog.iter().map(|entry| single(entry, origin, mode)));
        return messages;
    }
    let mut batch = Batch::default();
    for entry in lease.backlog {
        // An alert is a property of its message, for routing, and so is what an event is; they must not be hidden in a batch.
        if !entry.alerts.is_empty() || entry.event.is_some() || is_statement(&entry.fields) {
            messages.push(single(&entry, origin, mode));
            continue;
        }
        let body = entry.body().into_bytes();
        if !batch.takes(&body, mode) {
            std::mem::take(&mut batch).finish(origin, mode, &mut messages);
        }
        batch.push(entry, body);
    }
    batch.finish(origin, mode, &mut messages);
    messages
}

/// One reading, one message. What its body says, number and time, is said in properties only where that is wished.
fn single(entry: &Entry, origin: Origin<'_>, mode: DeliveryMode) -> Message {
    let is_event = entry.event.is_some();
    // By its ID an event can be dropped where it comes twice, unread.
    let message_id = (mode.full_properties || is_event).then(|| entry.message_id());
    let time = entry.time.filter(|_| mode.full_properties).map(rfc3339);
    let (alerts, chain) = (entry.alerts.join(","), entry.chain.map(Hash::to_text));
    let mut others: Vec<(&str, &str)> = Vec::new();
    others.extend(message_id.as_deref().map(|id| (PropertyBag::MESSAGE_ID, id)));
    others.extend(time.as_deref().map(|time| (PropertyBag::CREATION_TIME, time)));
    if let Some(event) = &entry.event {
        // It says what it is, by which it can be routed.
        others.push(("messageType", EVENT));
        others.extend(event.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    } else if is_statement(&entry.fields) {
        others.push(("messageType", STATEMENT));
    }
    others.extend((!alerts.is_empty()).then_some(("alert", alerts.as_str())));
    others.extend(chain.as_deref().map(|chain| (PROPERTY, chain)));
    others.extend(origin.container());
    let topic = json_telemetry(origin.device_id, "utf-8", &others);
    Message { seqs: vec![entry.seq], publish: Publish { topic, payload: entry.body().into_bytes() } }
}

/// Readings that will share a message of one billing block.
#[derive(Default)]
struct Batch {
    entries: Vec<(Entry, Vec<u8>)>,
    /// Of all bodies and the commas between them.
    length: usize,
}

impl Batch {
    fn takes(&self, body: &[u8], mode: DeliveryMode) -> bool {
        let length = self.length + body.len() + 2;
        // How well it compresses is known only at the end; readings of one voyage shrink to less than a fifth.
        let (shrinks_to, most) = match (mode.compact, mode.gzip) {
            (false, false) => (length, MOST),
            (false, true) => (length / 5, MOST),
            (true, false) => (length / 4, MOST_COMPACT),
            (true, true) => (length / 14, MOST_COMPACT),
        };
        self.entries.is_empty() || (self.entries.len() < most && shrinks_to + self.properties() <= BLOCK)
    }

    /// Bytes that its properties take at the most.
    fn properties(&self) -> usize {
        let has_chain = self.entries.first().is_some_and(|(entry, _)| entry.chain.is_some());
        if has_chain { PROPERTIES + CHAIN } else { PROPERTIES }
    }

    fn push(&mut self, entry: Entry, body: Vec<u8>) {
        self.length += body.len() + 1;
        self.entries.push((entry, body));
    }

    /// Makes a message of it; several, where it compresses worse than estimated.
    fn finish(mut self, origin: Origin<'_>, mode: DeliveryMode, messages: &mut Vec<Message>) {
        if let [(entry, _)] = self.entries.as_slice() {
            messages.push(single(entry, origin, mode));
        }
        if self.entries.len() < 2 {
            return;
        }
        let columns = || compact::body(self.entries.iter().map(|(entry, _)| entry));
        let array = mode.compact.then(columns).flatten().unwrap_or_else(|| self.array());
        let compressed = if mode.gzip { compress(&array) } else { None };
        let encoding = if compressed.is_some() { "gzip" } else { "utf-8" };
        let payload = compressed.unwrap_or(array);
        if payload.len() + self.properties() > BLOCK {
            let rest = self.entries.split_off(self.entries.len() / 2);
            for half in [self.entries, rest] {
                Self { entries: half, length: 0 }.finish(origin, mode, messages);
            }
            return;
        }
        let message_id = mode.full_properties.then(|| self.message_id());
        let chain = self.entries.last().and_then(|(entry, _)| entry.chain).map(Hash::to_text);
        let id = message_id.as_deref().map(|id| (PropertyBag::MESSAGE_ID, id));
        let chain = chain.as_deref().map(|chain| (PROPERTY, chain));
        let others = [id, chain, origin.container()].into_iter().flatten();
        let topic = json_telemetry(origin.device_id, encoding, &others.collect::<Vec<_>>());
        let seqs = self.entries.iter().map(|(entry, _)| entry.seq).collect();
        messages.push(Message { seqs, publish: Publish { topic, payload } });
    }

    fn array(&self) -> Vec<u8> {
        let bodies: Vec<&[u8]> = self.entries.iter().map(|(_, body)| body.as_slice()).collect();
        [b"[".as_slice(), &bodies.join(&b','), b"]"].concat()
    }

    /// First and last say where to look, the checksum over all tells apart batches that differ only between them: a
    /// consumer that drops messages by their ID must not drop a reading with them.
    fn message_id(&self) -> String {
        let mut checksum = Crc::new();
        for (entry, _) in &self.entries {
            checksum.update(entry.message_id().as_bytes());
        }
        let first = self.entries.first().map_or_else(String::new, |(entry, _)| entry.message_id());
        let last = self.entries.last().map_or(0, |(entry, _)| entry.seq);
        format!("{first}-{last}-{:08x}", checksum.sum())
    }
}

fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(plain).ok()?;
    gzip.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read;

    use chrono::DateTime;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event_message::{EventMessage, When};
    use tracker_evidence::Hash;

    /// Noisier than any sensor: what is hard to compress is what the estimate could be wrong about.
    fn entry() -> impl Strategy<Value = Entry> {
        let numbers =
            (-40.0..85.0_f64, 0.0..100.0_f64, 300.0..1100.0_f64, -90.0..90.0_f64, -180.0..180.0_f64);
        (numbers, any::<u32>(), 0..20_u8, any::<bool>()).prop_map(|((t, h, p, lat, lon), n, alert, timed)| {
            let round = |value: f64, scale: f64| (value * scale).round() / scale;
            let fields = json!({
                "temperature": round(t, 100.0), "humidity": round(h, 100.0), "pressure": round(p, 100.0),
                "location": {"lat": round(lat, 1e7), "lon": round(lon, 1e7), "alt": f64::from(n % 4000) / 10.0},
                "speed": f64::from(n % 9000) / 100.0, "course": f64::from(n % 3600) / 10.0, "fix": "gps",
                "satellites": n % 24, "hdop": f64::from(n % 900) / 100.0,
            });
            let fields = fields.to_string();
            Entry {
                seq: 0,
                start: 0x89ab_cdef,
                time: timed.then(|| DateTime::from_timestamp_millis(1_780_000_000_000 + i64::from(n)).unwrap()),
                uptime_s: f64::from(n) / 1000.0,
                fields,
                alerts: if alert == 0 { vec!["temperatureHigh".into()] } else { Vec::new() },
                chain: None,
                event: None,
            }
        })
    }

    fn numbered(mut entries: Vec<Entry>) -> Vec<Entry> {
        for (entry, seq) in entries.iter_mut().zip(28_000_000_000_u64..) {
            entry.seq = seq;
        }
        entries
    }

    fn bodies(message: &Message) -> Vec<Value> {
        let mut plain = message.publish.payload.clone();
        if message.publish.topic.contains("ce=gzip") {
            plain.clear();
            GzDecoder::new(message.publish.payload.as_slice()).read_to_end(&mut plain).unwrap();
        }
        match serde_json::from_slice(&plain).unwrap() {
            Value::Array(readings) => readings,
            reading => vec![reading],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn messages_stay_in_a_block_and_carry_every_reading_once(
            entries in prop::collection::vec(entry(), 0..300), gzip: bool, batch_backlog: bool,
            full_properties: bool, has_container: bool,
        ) {
            let backlog = numbered(entries);
            let container_number = has_container.then_some("MSKU9070323");
            let all = messages(
                Lease { newest: None, backlog: backlog.clone() },
                Origin { device_id: "sensor-thl-001", container_number },
                DeliveryMode { batch_backlog, gzip, full_properties, compact: false },
            );
            let mut seqs = Vec::new();
            for message in &all {
                let topic = &message.publish.topic;
                let properties = topic.split_once("events/").unwrap().1;
                prop_assert_eq!(properties.contains("&containerNumber=MSKU9070323"), has_container);
                prop_assert!(properties.len() + message.publish.payload.len() <= BLOCK);
                let bodies = bodies(message);
                let carried: Vec<u64> = bodies.iter().map(|body| body["seq"].as_u64().unwrap()).collect();
                prop_assert_eq!(&carried, &message.seqs);
                prop_assert!(carried.len() == 1 || !topic.contains("alert="));
                let most = if batch_backlog { MOST } else { 1 };
                prop_assert!(carried.len() <= most);
                seqs.extend(carried);
            }
            let alerts = all.iter().filter(|message| message.publish.topic.contains("alert=temperatureHigh")).count();
            prop_assert_eq!(alerts, backlog.iter().filter(|entry| !entry.alerts.is_empty()).count());
            seqs.sort_unstable();
            prop_assert_eq!(seqs, backlog.iter().map(|entry| entry.seq).collect::<Vec<_>>());
        }

        #[test]
        fn batches_with_other_readings_have_other_ids(
            entries in prop::collection::vec(entry(), 8), without in 1..7_usize,
        ) {
            let mut entries = numbered(entries);
            for entry in &mut entries {
                entry.alerts.clear();
            }
            let topics = |entries: &[Entry]| -> BTreeSet<String> {
                let lease = Lease { newest: None, backlog: entries.to_vec() };
                messages(lease, "d", DeliveryMode { full_properties: true, ..DeliveryMode::default() })
                    .into_iter().map(|message| message.publish.topic).collect()
            };
            let whole = topics(&entries);
            prop_assert_eq!(&whole, &topics(&entries), "the same readings, the same IDs");
            entries.remove(without);
            prop_assert!(whole.is_disjoint(&topics(&entries)));
        }
    }

    #[test]
    fn a_hash_costs_no_more_than_an_eighth_of_a_batch() {
        let fields = |n: u32| {
            format!(
                r#"{{"temperature":{:.2},"humidity":{:.2},"pressure":{:.2},"fix":"gps","satellites":9}}"#,
                4.01 + f64::from(n * n % 50) / 100.0,
                80.01 + f64::from(n * n % 90) / 100.0,
                1013.01 + f64::from(n * n % 100) / 100.0
            )
        };
        let entries = |chain| {
            let entry = |n: u32| Entry {
                seq: 0,
                start: 7,
                time: DateTime::from_timestamp(1_780_000_000 + 60 * i64::from(n), 0),
                uptime_s: 0.0,
                fields: fields(n),
                alerts: Vec::new(),
                chain,
                event: None,
            };
            numbered((0..20).map(entry).collect())
        };
        let bytes = |chain| {
            let mode = DeliveryMode { gzip: true, ..DeliveryMode::default() };
            let all = messages(Lease { newest: None, backlog: entries(chain) }, "d", mode);
            assert_eq!(all.len(), 1);
            all[0].publish.topic.len() + all[0].publish.payload.len()
        };
        let (without, with) = (bytes(None), bytes(Some(Hash::NONE)));
        assert!(with > without && (with - without) * 100 <= without * 12, "{without} {with}");
    }

    #[test]
    fn an_event_is_a_message_of_its_own_and_its_moments_are_times() {
        let mut event = EventMessage::new("alarm", "cargo hold", "raised", r#"{"limit":8.0}"#.into());
        event.set("severity", "warning");
        event.moment("begin", When::Ago(1_800_000));
        event.moment("extremeTime", When::Utc(1_789_999_000_000));
        let mut entry = Entry {
            seq: 28_000_000_001,
            start: 0x89ab_cdef,
            time: DateTime::from_timestamp(1_790_000_000, 0),
            uptime_s: 7.0,
            fields: event.fields,
            alerts: Vec::new(),
            chain: None,
            event: Some(Box::new(event.head)),
        };
        let reading = Entry { seq: 28_000_000_000, event: None, fields: "{}".into(), ..entry.clone() };
        let backlog = vec![entry.clone(), reading.clone(), reading];
        let sent = messages(Lease { newest: None, backlog }, "d", DeliveryMode::default());
        let sent: Vec<_> = sent.iter().map(|message| (message.seqs.len(), &message.publish)).collect();
        assert_eq!(sent.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [1, 2], "the event goes first");
        assert_eq!(
            sent[0].1.topic,
            "devices/d/messages/events/$.ct=application%2Fjson&$.ce=utf-8&$.mid=89abcdef-28000000001&messageType=event&\
             alarm=cargo%20hold&severity=warning&state=raised"
        );
        assert_eq!(
            String::from_utf8_lossy(&sent[0].1.payload),
            r#"{"begin":"2026-09-21T13:43:20.000Z","extremeTime":"2026-09-21T13:56:40.000Z","duration":1800,"limit":8.0,"time":"2026-09-21T14:13:20.000Z","seq":28000000001}"#
        );
        entry.time = None;
        let untimed = messages(Lease { newest: Some(entry), backlog: vec![] }, "d", DeliveryMode::default());
        assert_eq!(
            String::from_utf8_lossy(&untimed[0].publish.payload),
            r#"{"extremeTime":"2026-09-21T13:56:40.000Z","duration":1800,"limit":8.0,"timeUnknown":true,"uptime":7.000,"seq":28000000001}"#
        );
    }

    #[test]
    fn realistic_readings_fill_a_block_and_a_lone_one_is_no_array() {
        let fields = |n: u32| {
            let value = json!({
                "temperature": 4.0 + f64::from(n % 50) / 100.0, "humidity": 80.0 + f64::from(n % 90) / 100.0,
                "pressure": 1013.0 + f64::from(n % 100) / 100.0, "fix": "gps", "satellites": 9, "hdop": 0.9,
                "location": {"lat": 52.0 + f64::from(n) / 1e4, "lon": 4.0 + f64::from(n) / 1e4, "alt": 3.5},
                "speed": 12.3, "course": 271.4,
            });
            value.to_string()
        };
        let time = |n: u32| DateTime::from_timestamp(1_780_000_000 + 60 * i64::from(n), 0);
        let entries = (0..200).map(|n| Entry {
            seq: 0,
            start: 0x89ab_cdef,
            time: time(n),
            uptime_s: 0.0,
            fields: fields(n),
            alerts: Vec::new(),
            chain: None,
            event: None,
        });
        let entries = numbered(entries.collect());
        let count = |gzip| {
            let lease = Lease { newest: None, backlog: entries.clone() };
            messages(lease, "d", DeliveryMode { gzip, ..DeliveryMode::default() }).len()
        };
        let (plain, gzip) = (count(false), count(true));
        assert!(plain <= 200 / 14 + 1 && gzip <= 200 / 45 + 1, "{plain} {gzip}");
        let lease = Lease { newest: None, backlog: entries[..1].to_vec() };
        let full = DeliveryMode { full_properties: true, ..DeliveryMode::default() };
        let lone = messages(lease, "d", full);
        assert!(
            lone[0].publish.payload.starts_with(b"{")
                && lone[0].publish.topic.contains(&entries[0].message_id())
        );
        let lease = Lease { newest: None, backlog: entries[..1].to_vec() };
        let lone = &messages(lease, "sensor-thl-001", DeliveryMode::default())[0].publish;
        // PUBLISH of MQTT takes 7 bytes of its own, a record of TLS 1.2 29; Microsoft's SDKs take 110 in all.
        assert!(lone.topic.len() + 7 + 29 <= 110, "{}", lone.topic);
    }
}
