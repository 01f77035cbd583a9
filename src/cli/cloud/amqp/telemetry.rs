//! A message of a device as the built-in endpoint hands it on.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use tracker_amqp::{Map, Message, Value, get};

/// One message.
pub(in crate::cli) struct Telemetry {
    pub device_id: String,
    pub partition: String,
    /// Within the partition.
    pub sequence_number: i64,
    pub offset: String,
    pub enqueued: DateTime<Utc>,
    system: BTreeMap<String, String>,
    properties: BTreeMap<String, String>,
    body: Bytes,
}

impl Telemetry {
    /// Reads what has come from a partition.
    pub(super) fn read(partition: &str, message: &Message) -> Self {
        let annotation = |name: &str| get(&message.message_annotations, name);
        let text = |name: &str| annotation(name).map(shown).unwrap_or_default();
        let enqueued = annotation("x-opt-enqueued-time").or_else(|| annotation("iothub-enqueuedtime"));
        let enqueued = enqueued.and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
        let mut system: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &message.message_annotations {
            if let Some(name) = name.as_str().filter(|name| !name.starts_with("x-opt-")) {
                system.insert(name.to_owned(), shown(value));
            }
        }
        let properties = &message.properties;
        let named = [
            ("mid", properties.message_id.as_ref().map(shown)),
            ("cid", properties.correlation_id.as_ref().map(shown)),
            ("ct", properties.content_type.clone()),
            ("ce", properties.content_encoding.clone()),
        ];
        system.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Self {
            device_id: text("iothub-connection-device-id"),
            partition: partition.to_owned(),
            sequence_number: annotation("x-opt-sequence-number").and_then(Value::as_i64).unwrap_or_default(),
            offset: text("x-opt-offset"),
            enqueued: enqueued.unwrap_or_default(),
            system,
            properties: texts(&message.application_properties),
            body: message.body.to_bytes().unwrap_or_default(),
        }
    }

    /// Its application properties.
    pub(in crate::cli) fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// What the device has sent.
    pub(in crate::cli) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The message as one line of JSON, in the members that an emulator's own stream has, and where it was read.
    pub(in crate::cli) fn line(&self) -> String {
        let json = serde_json::from_slice::<&RawValue>(&self.body).ok();
        let text = std::str::from_utf8(&self.body).ok().filter(|_| json.is_none());
        let neither = json.is_none() && text.is_none();
        let line = Line {
            device_id: &self.device_id,
            sequence_number: self.sequence_number,
            enqueued_time: self.enqueued.to_rfc3339_opts(SecondsFormat::Millis, true),
            partition: &self.partition,
            offset: &self.offset,
            system_properties: &self.system,
            properties: &self.properties,
            body: json,
            body_text: text,
            body_base64: neither.then(|| STANDARD.encode(&self.body)),
        };
        // These types have no form that JSON lacks.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// A message as it is shown. A body that is JSON stands there as the device wrote it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    device_id: &'a str,
    sequence_number: i64,
    enqueued_time: String,
    partition: &'a str,
    offset: &'a str,
    system_properties: &'a BTreeMap<String, String>,
    properties: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

fn texts(map: &Map) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (shown(name), shown(value))).collect()
}

/// A value as text.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Symbol(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Timestamp(ms) => DateTime::from_timestamp_millis(*ms)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
            .unwrap_or_default(),
        Value::Uuid(bytes) => hyphenated(*bytes),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Ulong(number) => number.to_string(),
        other => other.as_i64().map(|number| number.to_string()).unwrap_or_default(),
    }
}

fn hyphenated(bytes: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use tracker_amqp::{Body, Properties};

    use super::*;

    #[test]
    fn a_line_has_the_body_as_the_device_wrote_it() {
        let annotations = vec![
            (Value::symbol("iothub-connection-device-id"), Value::String("d-1".into())),
            (Value::symbol("x-opt-sequence-number"), Value::Long(7)),
            (Value::symbol("x-opt-offset"), Value::String("4096".into())),
            (Value::symbol("x-opt-enqueued-time"), Value::Timestamp(1_790_000_000_123)),
        ];
        let message = |body: &'static [u8]| Message {
            message_annotations: annotations.clone(),
            properties: Properties {
                message_id: Some(Value::Uuid([0x12; 16])),
                content_type: Some("application/json".into()),
                ..Properties::default()
            },
            application_properties: vec![("berth".into(), Value::Int(7))],
            body: Body::data(body),
            ..Message::default()
        };
        let line = Telemetry::read("3", &message(b"{\"b\": 1.50, \"a\":2}")).line();
        assert_eq!(
            line,
            "{\"deviceId\":\"d-1\",\"sequenceNumber\":7,\"enqueuedTime\":\"2026-09-21T14:13:20.123Z\",\"partition\":\"3\",\
             \"offset\":\"4096\",\"systemProperties\":{\"ct\":\"application/json\",\"iothub-connection-device-id\":\"d-1\",\
             \"mid\":\"12121212-1212-1212-1212-121212121212\"},\"properties\":{\"berth\":\"7\"},\"body\":{\"b\": 1.50, \"a\":2}}"
        );
        assert!(Telemetry::read("3", &message(b"18.5 C")).line().ends_with("\"bodyText\":\"18.5 C\"}"));
        assert!(Telemetry::read("3", &message(b"\xff\x00")).line().ends_with("\"bodyBase64\":\"/wA=\"}"));
    }
}
