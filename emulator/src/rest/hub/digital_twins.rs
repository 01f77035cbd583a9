//! Digital twins: the view that Plug and Play has of twins and methods.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /digitaltwins/{id}` | | 200 digital twin, with its entity tag |
//! | `PATCH /digitaltwins/{id}` | JSON Patch | 202, with entity tag and `Location` |
//! | `POST /digitaltwins/{id}/commands/{name}` | any JSON, or nothing | 200, what the device has answered |
//! | `POST /digitaltwins/{id}/components/{path}/commands/{name}` | the same | the same, by the method `{path}*{name}` |

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, value::RawValue};

use super::HubRefusal;
use crate::{
    etag::IfMatch,
    hub::{DirectMethod, Hub, HubError},
    id::guid,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
    uri::encoded,
};

/// Unless the caller says otherwise; in seconds.
const RESPONSE_TIMEOUT: u64 = 30;

pub(super) fn get(hub: &Hub, device_id: &str) -> Result<Answer, HubRefusal> {
    let (twin, etag) = hub.digital_twin(device_id)?;
    Ok(answer::with_etag(answer::json(200, &twin), &etag))
}

pub(super) fn patch(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body: Value = call.json().map_err(HubRefusal::bad_request)?;
    let condition = call.if_match().unwrap_or(IfMatch::Any);
    let etag = hub.patch_digital_twin(device_id, &body, &condition)?;
    let mut accepted = answer::with_etag(answer::no_content(), &etag);
    *accepted.status_mut() = StatusCode::ACCEPTED;
    let location = format!("https://{}/digitaltwins/{}", call.host(), encoded(device_id));
    Ok(answer::with_header(accepted, "location", &location))
}

/// A command of the default component.
pub(super) async fn command(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    invoke(hub, device_id, word(call, 3).to_owned(), call).await
}

/// A command of a component.
pub(super) async fn component_command(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    invoke(hub, device_id, format!("{}*{}", word(call, 3), word(call, 5)), call).await
}

fn word(call: &Call, place: usize) -> &str {
    call.segments.get(place).map(String::as_str).unwrap_or_default()
}

async fn invoke(hub: &Hub, device_id: &str, name: String, call: &Call) -> Result<Answer, HubRefusal> {
    let payload = match &call.body[..] {
        [] => String::new(),
        body => {
            let payload: &RawValue = serde_json::from_slice(body)
                .map_err(|error| HubRefusal::bad_request(format!("the payload is not JSON: {error}")))?;
            payload.get().to_owned()
        }
    };
    let response = seconds(call, "responseTimeoutInSeconds", 5)?.unwrap_or(RESPONSE_TIMEOUT);
    let connect = seconds(call, "connectTimeoutInSeconds", 0)?.unwrap_or(0);
    let method = DirectMethod {
        method_name: name,
        payload: None,
        response_timeout: Duration::from_secs(response),
        connect_timeout: Duration::from_secs(connect),
    };
    let nested = |error: HubError| HubRefusal::from(error).nested();
    let answered = hub.invoke_written(device_id, &method, payload).await.map_err(nested)?;
    let body = match &answered.body[..] {
        [] => "null",
        body => serde_json::from_slice::<&RawValue>(body)
            .map_err(|_| nested(HubError::InvalidMethodAnswer(device_id.to_owned())))?
            .get(),
    };
    let answer = answer::json_text(200, body.to_owned());
    let answer = answer::with_header(answer, "x-ms-command-statuscode", &answered.status.to_string());
    Ok(answer::with_header(answer, "x-ms-request-id", &guid()))
}

/// A number of seconds in the query.
fn seconds(call: &Call, name: &str, least: u64) -> Result<Option<u64>, HubRefusal> {
    let Some(text) = call.parameter(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let given = text.parse().ok().filter(|seconds| (least..=300).contains(seconds));
    given.map(Some).ok_or_else(|| HubRefusal::bad_request(format!("{name} has to be {least} to 300")))
}
