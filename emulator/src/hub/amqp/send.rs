//! `messages/devicebound`: services send messages to devices.

use std::sync::Arc;

use chrono::DateTime;
use percent_encoding::percent_decode_str;
use tracker_amqp::{Attach, Error, Message, Outcome, Value, condition};

use super::{
    properties::text,
    rights::{check_service, shown},
};
use crate::{
    amqp::{Guest, Node, Verdict},
    hub::{Acknowledgement, CloudToDeviceMessage, Hub, HubError},
};

/// The largest message that is taken: what a device can be sent, and room for its properties.
const MAX_MESSAGE: u64 = 256 * 1024;

/// Takes in messages to devices.
pub(super) struct SendNode {
    hub: Hub,
    guest: Arc<Guest>,
    path: String,
}

impl SendNode {
    pub(super) fn new(hub: Hub, guest: Arc<Guest>, path: &str) -> Self {
        Self { hub, guest, path: path.to_owned() }
    }
}

impl Node for SendNode {
    fn shape(&self, answer: &mut Attach) {
        answer.max_message_size = Some(MAX_MESSAGE);
    }

    fn receive(&mut self, _number: u64, message: Message) -> Verdict {
        let sent = device_of(message.properties.to.as_deref())
            .and_then(|device_id| Ok((device_id, read(message)?)))
            .and_then(|(device_id, message)| {
                self.hub.send(&device_id, message).map_err(|error| refusal(&error))
            });
        Verdict::Now(match sent {
            Ok(()) => Outcome::Accepted,
            Err(error) => Outcome::Rejected(Some(error)),
        })
    }

    fn check(&mut self) -> Result<(), Error> {
        check_service(&self.guest, &self.path)
    }
}

/// The device that a message is to: `/devices/{id}/messages/devicebound`.
fn device_of(to: Option<&str>) -> Result<String, Error> {
    let to = to.unwrap_or_default();
    let words: Vec<&str> = to.trim_matches('/').split('/').collect();
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    match words[..] {
        [devices, id, messages, bound]
            if is(devices, "devices") && is(messages, "messages") && is(bound, "devicebound") =>
        {
            let id = percent_decode_str(id).decode_utf8();
            id.map(std::borrow::Cow::into_owned)
                .map_err(|_| Error::new(condition::INVALID_FIELD, "the device ID in 'to' is not UTF-8."))
        }
        [devices, _, modules, ..] if is(devices, "devices") && is(modules, "modules") => Err(Error::new(
            condition::NOT_ALLOWED,
            "a hub sends no messages to modules: call a direct method of the module, or set its desired properties.",
        )),
        _ => Err(Error::new(
            condition::INVALID_FIELD,
            format!(
                "the property 'to' has to be /devices/{{device ID}}/messages/devicebound; it is '{}'.",
                shown(to)
            ),
        )),
    }
}

/// A message of AMQP as one for a device.
fn read(message: Message) -> Result<CloudToDeviceMessage, Error> {
    let invalid = |what: String| Error::new(condition::INVALID_FIELD, what);
    let body = match &message.body {
        tracker_amqp::Body::Empty => bytes::Bytes::new(),
        body => body.to_bytes().ok_or_else(|| {
            invalid("the body has to be data; values and sequences can't be sent to devices.".into())
        })?,
    };
    let mut sent = CloudToDeviceMessage {
        message_id: message.properties.message_id.as_ref().and_then(text),
        correlation_id: message.properties.correlation_id.as_ref().and_then(text),
        body: body.to_vec(),
        content_type: message.properties.content_type.filter(|text| !text.is_empty()),
        content_encoding: message.properties.content_encoding.filter(|text| !text.is_empty()),
        expiry_time: expiry(message.properties.absolute_expiry_time)?,
        ..CloudToDeviceMessage::default()
    };
    for (key, value) in message.application_properties {
        let (Value::String(key), Some(value)) = (key, text(&value)) else {
            return Err(invalid("application properties have to be texts, numbers or the like.".into()));
        };
        if !take_system_property(&mut sent, &key, &value)? {
            sent.properties.push((key, value));
        }
    }
    Ok(sent)
}

/// Properties that are for the hub and not for the device; tells whether this is one.
fn take_system_property(sent: &mut CloudToDeviceMessage, key: &str, value: &str) -> Result<bool, Error> {
    if !key.eq_ignore_ascii_case("iothub-ack") {
        return Ok(false);
    }
    sent.ack = Acknowledgement::parse(value).ok_or_else(|| {
        Error::new(condition::INVALID_FIELD, "'iothub-ack' has to be none, positive, negative or full.")
    })?;
    Ok(true)
}

/// When it is too late; absent and zero are never.
fn expiry(milliseconds: Option<i64>) -> Result<Option<DateTime<chrono::Utc>>, Error> {
    let Some(milliseconds) = milliseconds.filter(|&milliseconds| milliseconds != 0) else {
        return Ok(None);
    };
    let time = DateTime::from_timestamp_millis(milliseconds);
    time.map(Some)
        .ok_or_else(|| Error::new(condition::INVALID_FIELD, "absolute-expiry-time is out of range."))
}

/// What a service is told of a message that the hub doesn't take.
fn refusal(error: &HubError) -> Error {
    let condition = match error {
        HubError::DeviceNotFound(_) => condition::NOT_FOUND,
        HubError::QueueFull { .. } => condition::RESOURCE_LIMIT_EXCEEDED,
        HubError::MessageTooLarge { .. } => condition::MESSAGE_SIZE_EXCEEDED,
        HubError::ArgumentInvalid(_) => condition::INVALID_FIELD,
        _ => condition::NOT_ALLOWED,
    };
    let sentence = error.to_string();
    Error::new(condition, sentence)
}
