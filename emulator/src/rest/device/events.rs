//! Telemetry: one message, or a batch of them as JSON.
//!
//! A batch is an array of `{"body": …, "base64Encoded": true, "properties": {…}}`. The body is base64 unless
//! `base64Encoded` is false. It is taken whole or not at all.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracker_protocol::{PropertyBag, hub::MAX_TELEMETRY};

use super::received;
use crate::{
    hub::{Hub, HubError},
    rest::{
        answer::{self, Answer},
        call::Call,
        hub::HubRefusal,
    },
};

/// The type of a body that is a batch.
const BATCH: &str = "application/vnd.microsoft.iothub.json";

/// Messages in one batch.
const MAX_MESSAGES: usize = 500;

/// A message as it stands in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    body: String,
    #[serde(default = "yes")]
    base64_encoded: bool,
    #[serde(default)]
    properties: Map<String, Value>,
}

fn yes() -> bool {
    true
}

/// A message that may be taken in.
struct Received {
    body: Vec<u8>,
    properties: PropertyBag,
}

pub(super) fn take(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let content_type = call.header("content-type").unwrap_or_default();
    let is_batch = content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BATCH));
    let messages = if is_batch {
        batch(&call.body)?
    } else {
        vec![Received { body: call.body.to_vec(), properties: received::of_headers(call)? }]
    };
    let size = messages.iter().map(|message| message.body.len() + message.properties.metered_len()).sum();
    if size > MAX_TELEMETRY {
        return Err(HubError::MessageTooLarge { size, limit: MAX_TELEMETRY }.into());
    }
    for Received { body, properties } in messages {
        hub.take_in(device_id, &body, properties);
    }
    Ok(answer::no_content())
}

fn batch(body: &[u8]) -> Result<Vec<Received>, HubRefusal> {
    // In base64 it is a third longer, and its properties are escaped.
    let limit = MAX_TELEMETRY * 2;
    if body.len() > limit {
        return Err(HubError::MessageTooLarge { size: body.len(), limit }.into());
    }
    let entries: Vec<Entry> = serde_json::from_slice(body).map_err(|error| {
        HubRefusal::bad_request(format!(
            "the batch is not an array of messages {{\"body\": …, \"properties\": {{…}}}}: {error}"
        ))
    })?;
    if entries.is_empty() || entries.len() > MAX_MESSAGES {
        let count = entries.len();
        return Err(HubRefusal::bad_request(format!(
            "a batch of {count} messages; it has 1 to {MAX_MESSAGES}"
        )));
    }
    entries.into_iter().enumerate().map(|(index, entry)| message(index, entry)).collect()
}

fn message(index: usize, entry: Entry) -> Result<Received, HubRefusal> {
    let body = if entry.base64_encoded {
        STANDARD.decode(&entry.body).map_err(|_| {
            HubRefusal::bad_request(format!(
                "the body of message {index} is not base64; one that is plain text has \"base64Encoded\": false"
            ))
        })?
    } else {
        entry.body.into_bytes()
    };
    let mut properties = PropertyBag::new();
    for (name, value) in &entry.properties {
        match value {
            Value::String(text) => received::put(&mut properties, name, text)?,
            Value::Null => received::put(&mut properties, name, "")?,
            Value::Bool(_) | Value::Number(_) => received::put(&mut properties, name, &value.to_string())?,
            Value::Array(_) | Value::Object(_) => {
                return Err(HubRefusal::bad_request(format!(
                    "a property of message {index} is an array or an object; it has to be a text"
                )));
            }
        }
    }
    Ok(Received { body, properties })
}
