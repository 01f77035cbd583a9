//! An event as readers get it: the sections of a message, written in one go. A reader that catches up is sent a hundred
//! thousand of them in a few seconds, so nothing is built that would only be written.
//!
//! The types are those that Event Hubs' clients look for: offsets are strings, sequence numbers longs, times timestamps, content
//! type and encoding symbols.

use bytes::{BufMut as _, Bytes, BytesMut};
use tracker_protocol::PropertyBag;

use crate::hub::endpoint::{PartitionState, StoredEvent};

/// Where a message of the hub's own says what it is.
const SOURCE: &str = "$.iothub-message-source";
/// The user that a message names.
const USER_ID: &str = "$.uid";
/// The component of a device of Plug and Play.
const SUBJECT: &str = "$.sub";
/// To whom it goes.
const TO: &str = "$.to";

/// What a reader that asks for it is told of its partition with each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metrics {
    pub state: PartitionState,
    pub now_ms: i64,
}

/// An event as sections of a message; the body, as it came, is the last part.
pub(super) fn write(event: &StoredEvent, metrics: Option<&Metrics>) -> Vec<Bytes> {
    let mut out = Writer(BytesMut::with_capacity(768));
    if let Some(metrics) = metrics {
        write_metrics(&mut out, metrics);
    }
    write_annotations(&mut out, event);
    write_properties(&mut out, &event.message.properties);
    write_application_properties(&mut out, &event.message.properties);
    let body = &event.message.body;
    out.section(0x75);
    out.length(0xa0, 0xb0, body.len());
    vec![out.0.freeze(), body.clone()]
}

fn write_metrics(out: &mut Writer, Metrics { state, now_ms }: &Metrics) {
    out.section(0x71);
    let map = out.begin_compound(0xd1);
    out.symbol("last_enqueued_sequence_number");
    out.long(state.last_sequence_number);
    out.symbol("last_enqueued_offset");
    out.string(&state.last_offset.to_string());
    out.symbol("last_enqueued_time_utc");
    out.timestamp(state.last_enqueued_ms);
    out.symbol("runtime_info_retrieval_time_utc");
    out.timestamp(*now_ms);
    out.end_compound(map, 8);
}

fn write_annotations(out: &mut Writer, event: &StoredEvent) {
    let message = &event.message;
    out.section(0x72);
    let map = out.begin_compound(0xd1);
    let mut count = 0;
    let mut pair = |out: &mut Writer, name: &str| {
        out.symbol(name);
        count += 2;
    };
    pair(out, "iothub-connection-device-id");
    out.string(&message.device_id);
    if let Some(module_id) = &message.module_id {
        pair(out, "iothub-connection-module-id");
        out.string(module_id);
    }
    if let Some(origin) = &event.origin {
        pair(out, "iothub-connection-auth-method");
        out.string(origin.auth_method());
        pair(out, "iothub-connection-auth-generation-id");
        out.string(&origin.generation_id);
        if !origin.model_id.is_empty() {
            pair(out, "dt-dataschema");
            out.string(&origin.model_id);
        }
    }
    if let Some(subject) = message.properties.get(SUBJECT) {
        pair(out, "dt-subject");
        out.string(subject);
    }
    pair(out, "iothub-enqueuedtime");
    out.timestamp(message.enqueued_time.timestamp_millis());
    pair(out, "iothub-message-source");
    out.string(message.properties.get(SOURCE).unwrap_or("Telemetry"));
    pair(out, "x-opt-sequence-number");
    out.long(event.sequence_number);
    pair(out, "x-opt-offset");
    out.string(&event.offset.to_string());
    pair(out, "x-opt-enqueued-time");
    out.timestamp(event.enqueued_ms);
    pair(out, "x-opt-partition-key");
    out.string(&message.device_id);
    out.end_compound(map, count);
}

/// The properties section has its fields by place: message-id, user-id, to, subject, reply-to, correlation-id, content-type,
/// content-encoding; those behind may be absent. Where there is none, there is no section: Microsoft's own tests for Python read
/// the content type of every message that has one.
fn write_properties(out: &mut Writer, bag: &PropertyBag) {
    let named = [
        PropertyBag::MESSAGE_ID,
        USER_ID,
        TO,
        PropertyBag::CORRELATION_ID,
        PropertyBag::CONTENT_TYPE,
        PropertyBag::CONTENT_ENCODING,
    ];
    if named.iter().all(|name| bag.get(name).is_none()) {
        return;
    }
    out.section(0x73);
    let list = out.begin_compound(0xd0);
    out.optional(bag.get(PropertyBag::MESSAGE_ID), Writer::string);
    out.optional(bag.get(USER_ID), |out, user| {
        out.length(0xa0, 0xb0, user.len());
        out.0.put_slice(user.as_bytes());
    });
    out.optional(bag.get(TO), Writer::string);
    out.null();
    out.null();
    out.optional(bag.get(PropertyBag::CORRELATION_ID), Writer::string);
    out.optional(bag.get(PropertyBag::CONTENT_TYPE), Writer::symbol);
    out.optional(bag.get(PropertyBag::CONTENT_ENCODING), Writer::symbol);
    (0..5).for_each(|_| out.null());
    out.end_compound(list, 13);
}

fn write_application_properties(out: &mut Writer, bag: &PropertyBag) {
    if bag.iter().all(|(name, _)| name.starts_with("$.")) {
        return;
    }
    out.section(0x74);
    let map = out.begin_compound(0xd1);
    let mut count = 0;
    for (name, value) in bag.iter().filter(|(name, _)| !name.starts_with("$.")) {
        out.string(name);
        out.string(value.unwrap_or_default());
        count += 2;
    }
    out.end_compound(map, count);
}

/// Bytes in the standard's encoding.
struct Writer(BytesMut);

impl Writer {
    fn section(&mut self, code: u8) {
        self.0.put_slice(&[0x00, 0x53, code]);
    }

    fn null(&mut self) {
        self.0.put_u8(0x40);
    }

    fn optional(&mut self, text: Option<&str>, write: impl FnOnce(&mut Self, &str)) {
        match text {
            Some(text) => write(self, text),
            None => self.null(),
        }
    }

    /// A constructor for a short or a long value, and its length.
    fn length(&mut self, short: u8, long: u8, length: usize) {
        if let Ok(length) = u8::try_from(length) {
            self.0.put_slice(&[short, length]);
        } else {
            self.0.put_u8(long);
            // A message has 256 KB.
            self.0.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        }
    }

    fn string(&mut self, text: &str) {
        self.length(0xa1, 0xb1, text.len());
        self.0.put_slice(text.as_bytes());
    }

    fn symbol(&mut self, text: &str) {
        self.length(0xa3, 0xb3, text.len());
        self.0.put_slice(text.as_bytes());
    }

    fn long(&mut self, number: i64) {
        self.0.put_u8(0x81);
        self.0.put_i64(number);
    }

    fn timestamp(&mut self, milliseconds: i64) {
        self.0.put_u8(0x83);
        self.0.put_i64(milliseconds);
    }

    /// Begins a list or map in its long form; size and count are written at its end.
    fn begin_compound(&mut self, code: u8) -> usize {
        self.0.put_u8(code);
        let place = self.0.len();
        self.0.put_u64(0);
        place
    }

    fn end_compound(&mut self, place: usize, count: u32) {
        // The size counts the four bytes of the count.
        let size = u32::try_from(self.0.len() - place - 4).unwrap_or(u32::MAX);
        if let Some(slot) = self.0.get_mut(place..place + 8) {
            slot.copy_from_slice(&(u64::from(size) << 32 | u64::from(count)).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use tracker_amqp::{Body, Message, Value};

    use super::*;
    use crate::hub::{AuthenticationType, TelemetryMessage, endpoint::Origin};

    fn event(properties: PropertyBag, body: &'static [u8], origin: Option<Origin>) -> StoredEvent {
        let message = TelemetryMessage {
            hub: "hub-1.azure-devices.net".into(),
            device_id: "d1".into(),
            module_id: None,
            enqueued_time: DateTime::from_timestamp_millis(1_700_000_000_123).expect("in range"),
            sequence_number: 1,
            body: Bytes::from_static(body),
            properties,
            marked_duplicate: false,
            repeated_message_id: false,
        };
        StoredEvent::for_tests(message, origin, 7, 4_711)
    }

    fn read(parts: &[Bytes]) -> Message {
        Message::decode(&parts.concat().into()).expect("a message")
    }

    #[test]
    fn an_event_has_the_types_that_clients_look_for() {
        let origin = Origin {
            generation_id: "g1".into(),
            kind: AuthenticationType::Sas,
            is_module: false,
            model_id: "dtmi:a:b;1".into(),
        };
        let properties = PropertyBag::new()
            .with("$.mid", "m1")
            .with("$.cid", "c1")
            .with("$.ct", "application/json")
            .with("$.ce", "utf-8")
            .with("$.sub", "thermostat")
            .with("colour", "red")
            .with("empty", "");
        let message = read(&write(&event(properties, b"{\"b\": 1, \"a\":2.50}", Some(origin)), None));
        let text = |text: &str| Value::String(text.into());
        let symbol = |text: &str| Value::Symbol(text.into());
        let expected: Vec<(Value, Value)> = vec![
            (symbol("iothub-connection-device-id"), text("d1")),
            (
                symbol("iothub-connection-auth-method"),
                text(r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#),
            ),
            (symbol("iothub-connection-auth-generation-id"), text("g1")),
            (symbol("dt-dataschema"), text("dtmi:a:b;1")),
            (symbol("dt-subject"), text("thermostat")),
            (symbol("iothub-enqueuedtime"), Value::Timestamp(1_700_000_000_123)),
            (symbol("iothub-message-source"), text("Telemetry")),
            (symbol("x-opt-sequence-number"), Value::Long(7)),
            (symbol("x-opt-offset"), text("4711")),
            (symbol("x-opt-enqueued-time"), Value::Timestamp(1_700_000_000_123)),
            (symbol("x-opt-partition-key"), text("d1")),
        ];
        assert_eq!(message.message_annotations, expected);
        assert_eq!(message.properties.message_id, Some(text("m1")));
        assert_eq!(message.properties.correlation_id, Some(text("c1")));
        assert_eq!(message.properties.content_type.as_deref(), Some("application/json"));
        assert_eq!(message.properties.content_encoding.as_deref(), Some("utf-8"));
        assert_eq!(
            message.application_properties,
            [(text("colour"), text("red")), (text("empty"), text(""))]
        );
        assert_eq!(message.body, Body::data(&b"{\"b\": 1, \"a\":2.50}"[..]));
        assert!(message.delivery_annotations.is_empty());
    }

    #[test]
    fn without_properties_there_is_no_section_of_them() {
        let sections = |properties| {
            let head = write(&event(properties, b"x", None), None).swap_remove(0);
            head.windows(3).any(|bytes| bytes == [0x00, 0x53, 0x73])
        };
        assert!(!sections(PropertyBag::new().with("colour", "red")));
        assert!(sections(PropertyBag::new().with("$.ct", "text/plain")));
    }

    #[test]
    fn what_is_empty_stays_empty_and_what_is_long_fits() {
        let message = read(&write(&event(PropertyBag::new(), b"", None), None));
        assert_eq!(message.body.to_bytes(), Some(Bytes::new()));
        assert!(message.application_properties.is_empty());
        let long = "x".repeat(70_000);
        let properties = PropertyBag::new().with("long", long.clone()).with("$.ct", long.clone());
        let message = read(&write(&event(properties, b"x".repeat(100_000).leak(), None), None));
        assert_eq!(message.properties.content_type, Some(long.clone()));
        assert_eq!(message.application_properties, [("long".into(), Value::String(long))]);
        assert_eq!(message.body.to_bytes().map(|body| body.len()), Some(100_000));
    }

    #[test]
    fn metrics_stand_in_front() {
        let state = PartitionState {
            begin_sequence_number: 0,
            last_sequence_number: 9,
            last_offset: 90,
            last_enqueued_ms: 5,
            is_empty: false,
        };
        let message =
            read(&write(&event(PropertyBag::new(), b"x", None), Some(&Metrics { state, now_ms: 6 })));
        let symbol = |text: &str| Value::Symbol(text.into());
        assert_eq!(
            message.delivery_annotations,
            [
                (symbol("last_enqueued_sequence_number"), Value::Long(9)),
                (symbol("last_enqueued_offset"), Value::String("90".into())),
                (symbol("last_enqueued_time_utc"), Value::Timestamp(5)),
                (symbol("runtime_info_retrieval_time_utc"), Value::Timestamp(6)),
            ]
        );
    }
}
