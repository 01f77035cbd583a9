//! Messages to a device: received one by one, each under a lock by which it is completed, rejected or abandoned.
//!
//! The lock token is the entity tag of the message. Times are written as `az` and .NET show them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    hub::{CloudToDeviceMessage, Hub, LOCK_TIME, ReceivedMessage},
    rest::{
        answer::{self, Answer},
        call::Call,
        hub::HubRefusal,
    },
};

/// How long a caller may keep a message, in seconds.
const LOCK_SECONDS: std::ops::RangeInclusive<i64> = 1..=300;

pub(super) fn receive(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let lock_time = lock_time(call)?;
    Ok(match hub.receive_message_for(device_id, None, lock_time)? {
        Some(received) => show(device_id, received),
        None => answer::no_content(),
    })
}

pub(super) fn finish(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    if call.parameter("reject").is_some() {
        hub.reject_message(device_id, lock_token(call))?;
    } else {
        hub.complete_message(device_id, lock_token(call))?;
    }
    Ok(answer::no_content())
}

pub(super) fn abandon(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    hub.abandon_message(device_id, lock_token(call))?;
    Ok(answer::no_content())
}

fn lock_token(call: &Call) -> &str {
    call.segments.get(4).map(|token| token.trim_matches('"')).unwrap_or_default()
}

fn lock_time(call: &Call) -> Result<TimeDelta, HubRefusal> {
    let Some(text) = call.header("iothub-messagelocktimeout") else {
        return Ok(LOCK_TIME);
    };
    let seconds = text.trim().parse().ok().filter(|seconds| LOCK_SECONDS.contains(seconds));
    seconds.map(TimeDelta::seconds).ok_or_else(|| {
        HubRefusal::bad_request(format!(
            "IotHub-MessageLockTimeout is a number of seconds from {} to {}",
            LOCK_SECONDS.start(),
            LOCK_SECONDS.end()
        ))
    })
}

fn show(device_id: &str, received: ReceivedMessage) -> Answer {
    let ReceivedMessage { lock_token, sequence_number, enqueued, deliveries, message } = received;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let mut headers = vec![
        ("etag", format!("\"{lock_token}\"")),
        ("iothub-sequencenumber", sequence_number.to_string()),
        ("iothub-enqueuedtime", time(enqueued)),
        // How often it was delivered before.
        ("iothub-deliverycount", deliveries.saturating_sub(1).to_string()),
        ("iothub-messageid", text(&message.message_id)),
        ("iothub-correlationid", text(&message.correlation_id)),
        ("iothub-userid", text(&message.user_id)),
        ("iothub-to", CloudToDeviceMessage::to(device_id)),
        ("iothub-ack", message.ack.name().to_owned()),
        ("iothub-expiry", message.expiry_time.map(time).unwrap_or_default()),
    ];
    // The C SDK reads the one, az the other.
    for (names, value) in [
        (["iothub-contenttype", "contenttype"], &message.content_type),
        (["iothub-contentencoding", "contentencoding"], &message.content_encoding),
    ] {
        if let Some(value) = value {
            headers.extend(names.map(|name| (name, value.clone())));
        }
    }
    let mut answer = answer::octets(message.body);
    for (name, value) in headers {
        answer = answer::with_header(answer, name, &value);
    }
    for (name, value) in &message.properties {
        answer = answer::with_named_header(answer, &format!("iothub-app-{name}"), value);
    }
    answer
}

fn time(time: DateTime<Utc>) -> String {
    time.format("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}
