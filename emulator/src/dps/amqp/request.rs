//! Requests of devices as AMQP has them, and the answers.

use serde_json::{Map, Value as Json};
use tracker_amqp::{Body, Error, Message, Outcome, Properties, Value, condition, get};

use super::registrant::Registrant;
use crate::{dps::Answer, session::shown};

/// What a message of a device leads to: an answer to be sent, or the outcome of the message.
pub(super) fn ask(registrant: &Registrant, message: &Message) -> Result<Message, Error> {
    if !registrant.has_room() {
        let sentence =
            "answers to requests before this one wait to be fetched: give credit on the receiving link.";
        return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, sentence));
    }
    let property = |name: &str| get(&message.application_properties, name).and_then(Value::as_str);
    let invalid = |sentence: String| Error::new(condition::INVALID_FIELD, sentence);
    let body = match &message.body {
        Body::Empty => bytes::Bytes::new(),
        body => body.to_bytes().ok_or_else(|| invalid("the body has to be data.".into()))?,
    };
    let (dps, applicant, moment) = (&registrant.dps, &registrant.applicant, registrant.moment());
    let answer = match property("iotdps-operation-type") {
        Some("iotdps-register") => {
            refuse_csr(&body)?;
            applicant.register(dps, &body, moment)
        }
        Some("iotdps-get-operationstatus") => {
            let id = property("iotdps-operation-id").ok_or_else(|| {
                invalid("a status request needs the application property 'iotdps-operation-id'.".into())
            })?;
            applicant.poll(dps, id, &body, moment)
        }
        Some(other) => {
            let sentence = format!(
                "this emulator does not implement '{}': devices send iotdps-register and iotdps-get-operationstatus.",
                shown(other)
            );
            return Err(Error::new(condition::NOT_IMPLEMENTED, sentence));
        }
        None => {
            return Err(invalid(
                "a request needs the application property 'iotdps-operation-type', a string.".into(),
            ));
        }
    };
    told(answer, message)
}

/// No device asks for certificates over AMQP, and none of Microsoft's SDKs can.
fn refuse_csr(body: &[u8]) -> Result<(), Error> {
    let body: Option<Map<String, Json>> = serde_json::from_slice(body).ok();
    if body.is_some_and(|body| body.get("csr").is_some_and(|csr| !csr.is_null())) {
        let sentence = "certificates can't be asked for ('csr') over AMQP: register over MQTT or HTTPS.";
        return Err(Error::new(condition::NOT_IMPLEMENTED, sentence));
    }
    Ok(())
}

/// The answer as a message; an error is the outcome of the request, with the body of Azure's errors for a description.
fn told(answer: Answer, request: &Message) -> Result<Message, Error> {
    let seconds = answer.retry_after.map(|after| i32::try_from(after.as_secs()).unwrap_or(i32::MAX));
    if answer.error.is_some() {
        let info = seconds.map(|seconds| (Value::symbol("retry-after"), Value::Int(seconds)));
        let error = Error::new(condition_of(answer.status), answer.body);
        return Err(Error { info: info.into_iter().collect(), ..error });
    }
    let retry_after = seconds.map(|seconds| ("retry-after".into(), Value::Int(seconds)));
    Ok(Message {
        properties: Properties {
            correlation_id: request.properties.correlation_id.clone(),
            ..Properties::default()
        },
        application_properties: retry_after.into_iter().collect(),
        body: Body::data(answer.body),
        ..Message::default()
    })
}

/// The words by which clients know what is the matter.
fn condition_of(status: u16) -> &'static str {
    match status {
        401 | 403 => condition::UNAUTHORIZED_ACCESS,
        404 => condition::NOT_FOUND,
        412 => condition::PRECONDITION_FAILED,
        // So that Microsoft's clients wait and ask again.
        429 => "com.microsoft:device-container-throttled",
        500.. => condition::INTERNAL_ERROR,
        _ => condition::INVALID_FIELD,
    }
}

/// What becomes of the message.
pub(super) fn judged(registrant: &Registrant, message: &Message) -> Outcome {
    match ask(registrant, message) {
        Ok(answer) => {
            registrant.answer(answer);
            Outcome::Accepted
        }
        Err(error) => Outcome::Rejected(Some(error)),
    }
}
