//! Telemetry as AMQP has it, as a hub keeps it.

use bytes::Bytes;
use chrono::DateTime;
use tracker_amqp::{Body, Error, Message, Value, condition, get};
use tracker_protocol::PropertyBag;

use crate::{clock::wire_time, hub::amqp::properties::text};

/// Annotations that devices set: their name, and the key of the property bag.
const ANNOTATIONS: [(&str, &str); 2] = [("dt-subject", "$.sub"), ("iothub-interface-id", "$.ifid")];

/// The application property that names the output of a module.
const OUTPUT: &str = "iothub-outputname";

/// Body and properties of a message, or why the hub doesn't take it.
pub(super) fn read(message: &Message) -> Result<(Bytes, PropertyBag), Error> {
    let invalid = |what: &str| Error::new(condition::INVALID_FIELD, what);
    let body = match &message.body {
        Body::Empty => Bytes::new(),
        body => body.to_bytes().ok_or_else(|| {
            Error::new(
                condition::NOT_IMPLEMENTED,
                "the body has to be data; this emulator takes no other values, and no sequences.",
            )
        })?,
    };
    let properties = &message.properties;
    let user_id = properties.user_id.as_ref().map(|id| String::from_utf8_lossy(id).into_owned());
    let mut bag = PropertyBag::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            bag.insert(key, Some(value));
        }
    };
    put(PropertyBag::MESSAGE_ID, properties.message_id.as_ref().and_then(text));
    put(PropertyBag::CORRELATION_ID, properties.correlation_id.as_ref().and_then(text));
    put("$.uid", user_id);
    put(PropertyBag::CONTENT_TYPE, properties.content_type.clone());
    put(PropertyBag::CONTENT_ENCODING, properties.content_encoding.clone());
    put("$.ctime", properties.creation_time.and_then(time));
    put("$.exp", properties.absolute_expiry_time.filter(|&time| time != 0).and_then(time));
    for (name, key) in ANNOTATIONS {
        put(key, get(&message.message_annotations, name).and_then(text));
    }
    for (key, value) in &message.application_properties {
        // By which output of a module it leaves.
        if key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(OUTPUT)) {
            if let Some(name) = text(value) {
                bag.insert("$.on", Some(name));
            }
            continue;
        }
        let (Value::String(key), value) = (key, value) else {
            return Err(invalid("the keys of application properties have to be strings."));
        };
        let value =
            match value {
                Value::Null => None,
                value => Some(text(value).ok_or_else(|| {
                    invalid("application properties have to be texts, numbers or the like.")
                })?),
            };
        bag.insert(key, value);
    }
    Ok((body, bag))
}

fn time(milliseconds: i64) -> Option<String> {
    DateTime::from_timestamp_millis(milliseconds).map(wire_time::print)
}

#[cfg(test)]
mod tests {
    use tracker_amqp::Properties;

    use super::*;

    #[test]
    fn a_message_is_what_it_would_be_over_mqtt() {
        let message = Message {
            message_annotations: vec![(Value::symbol("dt-subject"), "thermostat1".into())],
            properties: Properties {
                message_id: Some(Value::Ulong(7)),
                correlation_id: Some("c".into()),
                content_type: Some("application/json".into()),
                content_encoding: Some("utf-8".into()),
                to: Some("/devices/d/messages/events".into()),
                ..Properties::default()
            },
            application_properties: vec![("level".into(), Value::Int(3)), ("bare".into(), Value::Null)],
            body: Body::Data(vec![Bytes::from_static(b"{\"a\""), Bytes::from_static(b":1}")]),
            ..Message::default()
        };
        let (body, bag) = read(&message).expect("it is taken");
        assert_eq!(&body[..], b"{\"a\":1}");
        let pairs: Vec<_> = bag.iter().collect();
        assert_eq!(
            pairs,
            [
                ("$.mid", Some("7")),
                ("$.cid", Some("c")),
                ("$.ct", Some("application/json")),
                ("$.ce", Some("utf-8")),
                ("$.sub", Some("thermostat1")),
                ("level", Some("3")),
                ("bare", None),
            ]
        );
    }

    #[test]
    fn what_has_no_place_in_a_message_of_a_device_is_refused() {
        let refused = |message: Message| read(&message).map(drop).map_err(|error| error.condition);
        let sequence = Message { body: Body::Sequence(vec![]), ..Message::default() };
        assert_eq!(refused(sequence), Err(condition::NOT_IMPLEMENTED.into()));
        for (key, value) in [("a".into(), Value::List(vec![])), (Value::Int(1), "a".into())] {
            let message = Message { application_properties: vec![(key, value)], ..Message::default() };
            assert_eq!(refused(message), Err(condition::INVALID_FIELD.into()));
        }
        assert_eq!(refused(Message::default()), Ok(()));
    }
}
