//! Twins and direct methods.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::HubRefusal;
use crate::{
    etag::IfMatch,
    hub::{Cleared, DirectMethod, Hub, HubError, MethodAnswer, Twin, TwinPatch},
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::page_of,
    },
};

/// Unless the caller says otherwise; in seconds.
const DEFAULT_RESPONSE_TIMEOUT: u64 = 30;

pub(super) fn get(hub: &Hub, device_id: &str) -> Result<Answer, HubRefusal> {
    Ok(tagged(&hub.twin(device_id)?))
}

/// Of what is sent tags and desired properties count; tools send the whole twin. A section that is null is emptied.
pub(super) fn merge(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let is_null = |object: Option<&Value>, name: &str| {
        object.and_then(|object| object.get(name)).is_some_and(Value::is_null)
    };
    let cleared =
        Cleared { tags: is_null(Some(&body), "tags"), desired: is_null(body.get("properties"), "desired") };
    let patch = whole(call)?;
    Ok(tagged(&hub.update_or_clear_twin(device_id, patch, cleared, &condition(call))?))
}

/// Of what is sent tags and desired properties count; what is left out becomes empty.
pub(super) fn replace(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let mut patch = whole(call)?;
    patch.tags.get_or_insert_default();
    patch.desired.get_or_insert_default();
    Ok(tagged(&hub.replace_twin(device_id, patch, &condition(call))?))
}

/// A query over twins or jobs.
pub(super) fn query(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let text = body["query"].as_str().ok_or_else(|| HubRefusal::bad_request("query has to be a text"))?;
    let found = hub.query(text)?;
    page_of(call, found.rows, found.item_type, |key, row| hub.row(key, row)).map_err(HubRefusal::bad_request)
}

fn condition(call: &Call) -> IfMatch {
    call.if_match().unwrap_or(IfMatch::Any)
}

fn tagged(twin: &Twin) -> Answer {
    answer::with_etag(answer::json(200, twin), &twin.etag)
}

/// Members of a twin, as the hub and the service SDKs write them. What is here and is neither tags nor properties is
/// passed over; what is not here is a slip of the pen, and would be lost without a word.
const TWIN_MEMBERS: [&str; 24] = [
    "deviceId",
    "moduleId",
    "modelId",
    "etag",
    "deviceEtag",
    "version",
    "tags",
    "properties",
    "status",
    "statusReason",
    "statusUpdateTime",
    "statusUpdatedTime",
    "connectionState",
    "connectionStateUpdatedTime",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint",
    "capabilities",
    "configurations",
    "deviceScope",
    "parentScopes",
    "generationId",
    // az adds it to what it shows, and people send that back.
    "hub",
];

const PROPERTY_SECTIONS: [&str; 2] = ["desired", "reported"];

/// The change in a body that is a twin, or part of one.
fn whole(call: &Call) -> Result<TwinPatch, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    check_members(&body, "", &TWIN_MEMBERS)?;
    patch(&body)
}

fn check_members(object: &Value, path: &str, known: &[&str]) -> Result<(), HubRefusal> {
    let unknown =
        object.as_object().and_then(|members| members.keys().find(|name| !known.contains(&name.as_str())));
    let Some(unknown) = unknown else { return Ok(()) };
    let unknown: String = unknown.chars().take(80).collect();
    Err(HubRefusal::bad_request(format!(
        "a twin has no {path}{unknown}; tags, properties.desired and properties.reported are its sections"
    )))
}

pub(super) fn patch(body: &Value) -> Result<TwinPatch, HubRefusal> {
    if !body.is_object() {
        return Err(HubRefusal::bad_request("the body is not a JSON object"));
    }
    let properties = &body["properties"];
    if !properties.is_null() && !properties.is_object() {
        return Err(HubRefusal::bad_request("properties is not a JSON object"));
    }
    check_members(properties, "properties.", &PROPERTY_SECTIONS)?;
    let section = |name: &str, value: &Value| -> Result<Option<Map<String, Value>>, HubRefusal> {
        match value {
            Value::Null => Ok(None),
            Value::Object(object) => Ok(Some(object.clone())),
            _ => Err(HubRefusal::bad_request(format!("{name} is not a JSON object"))),
        }
    };
    Ok(TwinPatch {
        tags: section("tags", &body["tags"])?,
        desired: section("properties.desired", &properties["desired"])?,
    })
}

/// What a device has answered, as it has written it.
#[derive(Serialize)]
struct Answered<'a> {
    status: i32,
    payload: Option<&'a RawValue>,
}

/// Calls a method; whatever the device answers is passed on with 200.
pub(super) async fn invoke(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let method_name =
        body["methodName"].as_str().ok_or_else(|| HubRefusal::bad_request("methodName has to be a text"))?;
    let response = seconds(&body, "responseTimeoutInSeconds", 5)?.unwrap_or(DEFAULT_RESPONSE_TIMEOUT);
    let connect = seconds(&body, "connectTimeoutInSeconds", 0)?.unwrap_or(0);
    let payload = call.written("payload").unwrap_or_default();
    let method = DirectMethod {
        method_name: method_name.to_owned(),
        payload: None,
        response_timeout: Duration::from_secs(response),
        connect_timeout: Duration::from_secs(connect),
    };
    let result = hub.invoke_written(device_id, &method, payload).await;
    let nested = |error: HubError| HubRefusal::from(error).nested();
    let MethodAnswer { status, body } = result.map_err(nested)?;
    let payload = (!body.is_empty()).then(|| serde_json::from_slice::<&RawValue>(&body)).transpose();
    let payload = payload.map_err(|_| nested(HubError::InvalidMethodAnswer(device_id.to_owned())))?;
    Ok(answer::json(200, &Answered { status, payload }))
}

/// A number of seconds, which some tools send as text.
fn seconds(body: &Value, name: &str, least: u64) -> Result<Option<u64>, HubRefusal> {
    let given = match &body[name] {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    given
        .filter(|seconds| (least..=300).contains(seconds))
        .map(Some)
        .ok_or_else(|| HubRefusal::bad_request(format!("{name} has to be {least} to 300")))
}
