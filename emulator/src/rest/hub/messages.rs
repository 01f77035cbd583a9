//! Telemetry as a stream, and messages to devices: additions of ours, where Azure has AMQP alone.
//!
//! `GET /telemetry[?deviceId=…]` answers server-sent events, one for each message from now on; with `Last-Event-ID` it
//! goes on after that message, as far back as the hub remembers (some thousands of messages, 8 MB). An event's data:
//! `{"deviceId","moduleId"?,"sequenceNumber","enqueuedTime","systemProperties":{},"properties":{},"body":…}`, where a body that is
//! not JSON is `bodyText`, or `bodyBase64` when it is no text either.
//!
//! `POST /devices/{id}/messages/deviceBound` queues its body as a message; headers as in the hub's HTTP API for
//! devices: `iothub-messageid`, `iothub-correlationid`, `iothub-expiry` (RFC 3339), `iothub-userid`,
//! `iothub-ack` (none, positive, negative, full: what feedback is to tell of), `Content-Type`, `Content-Encoding`, and
//! `iothub-app-{name}` for each application property, whose name is taken as it is spelled. A name that can't be a
//! header's, or whose capitals the client's library changes, stands in `iothub-app-properties`, which holds properties as
//! they stand in a topic: `Colour=red&berth%20no=7`. Answers 204.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tracker_protocol::{ParseError, PropertyBag};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::{Acknowledgement, CloudToDeviceMessage, Hub, TelemetryMessage},
    rest::{
        answer::{self, Answer},
        call::{APPLICATION, Call},
        stream,
    },
};

/// All application properties in one header; what follows the beginning that they have in common.
const PROPERTIES: &str = "properties";

pub(super) fn telemetry(hub: &Hub, call: &Call) -> Answer {
    let device_id = call.parameter("deviceId").map(str::to_owned);
    let last = call.header("last-event-id").and_then(|id| id.trim().parse().ok());
    stream::events(hub.telemetry_after(last), move |message: &TelemetryMessage| {
        let wanted = device_id.as_ref().is_none_or(|wanted| *wanted == message.device_id);
        wanted.then(|| (Some(message.sequence_number), show(message)))
    })
}

/// A message as it is shown. A body that is JSON stands there as the device wrote it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    device_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<&'a str>,
    sequence_number: u64,
    enqueued_time: String,
    system_properties: Value,
    properties: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

fn show(message: &TelemetryMessage) -> String {
    let json = serde_json::from_slice::<&RawValue>(&message.body).ok();
    let text = std::str::from_utf8(&message.body).ok().filter(|_| json.is_none());
    let neither = json.is_none() && text.is_none();
    let shown = Shown {
        device_id: &message.device_id,
        module_id: message.module_id.as_deref(),
        sequence_number: message.sequence_number,
        enqueued_time: wire_time::print(message.enqueued_time),
        system_properties: json!(message.system_properties()),
        properties: json!(message.application_properties()),
        body: json,
        body_text: text,
        body_base64: neither.then(|| STANDARD.encode(&message.body)),
    };
    // These types have no form that JSON lacks.
    serde_json::to_string(&shown).unwrap_or_default()
}

/// Forgets the messages that wait for a device.
pub(super) fn purge(hub: &Hub, device_id: &str) -> Result<Answer, HubRefusal> {
    let purged = hub.purge_messages(device_id)?;
    let purged = json!({"deviceId": device_id, "moduleId": null, "totalMessagesPurged": purged});
    Ok(answer::json(200, &purged))
}

pub(super) fn send(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let header = |name: &str| call.header(name).map(str::to_owned);
    let expiry_time = call.header("iothub-expiry").map(|text| {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc())
            .map_err(|_| HubRefusal::bad_request("iothub-expiry is no time of the form 2026-01-31T12:00:00Z"))
    });
    let ack = call.header("iothub-ack").map_or(Ok(Acknowledgement::None), |text| {
        Acknowledgement::parse(text)
            .ok_or_else(|| HubRefusal::bad_request("iothub-ack is none of none, positive, negative, full"))
    });
    let message = CloudToDeviceMessage {
        message_id: header("iothub-messageid"),
        correlation_id: header("iothub-correlationid"),
        body: call.body.to_vec(),
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
        properties: application_properties(call)?,
        expiry_time: expiry_time.transpose()?,
        user_id: header("iothub-userid"),
        ack: ack?,
    };
    hub.send(device_id, message)?;
    Ok(answer::no_content())
}

fn application_properties(call: &Call) -> Result<Vec<(String, String)>, HubRefusal> {
    let mut properties = PropertyBag::new();
    for (name, value) in &call.application_properties {
        let text = || {
            let refusal = format!(
                "{APPLICATION}{name} is not plain text; {APPLICATION}{PROPERTIES} takes any text, percent-encoded"
            );
            value.to_str().map_err(|_| HubRefusal::bad_request(refusal))
        };
        if name.eq_ignore_ascii_case(PROPERTIES) {
            let bag: PropertyBag =
                text()?.parse().map_err(|error: ParseError| HubRefusal::bad_request(error.to_string()))?;
            for (name, value) in bag.iter() {
                properties.insert(name, Some(value.unwrap_or_default().to_owned()));
            }
        } else {
            properties.insert(name, Some(text()?.to_owned()));
        }
    }
    if let Some((name, _)) = properties.iter().find(|(name, _)| name.starts_with("$.")) {
        return Err(HubRefusal::bad_request(format!(
            "{name} is a system property; it has a header of its own"
        )));
    }
    Ok(properties
        .iter()
        .map(|(name, value)| (name.to_owned(), value.unwrap_or_default().to_owned()))
        .collect())
}
